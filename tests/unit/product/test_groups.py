# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of integration tests that share a lab or a fleet."""

from __future__ import annotations

import re
from pathlib import Path

import groups

from fleetdiag.lab import machines_data

FILES = {path.stem: path.read_text() for path in Path(groups.__file__).parent.rglob("test_*.py")}
NAMED = [file for group in groups.GROUPS for file in group.files]


def test_every_file_of_the_table_is_there_once() -> None:
    assert sorted(NAMED) == sorted(set(NAMED))
    assert set(NAMED) <= set(FILES)


def test_no_file_boots_a_lab_or_makes_a_fleet_beside_those_that_are_there() -> None:
    own = {"test_debuginfo", "test_site", "test_truth"}  # run by themselves
    shared = {
        file for file, text in FILES.items() if re.search(r"\b(lab: (Lab|Any)|(hosts|many): Fleet)\b", text)
    }
    assert shared - own == set(NAMED)


def test_machines_of_a_group_are_machines_of_the_lab() -> None:
    asked = {name for group in groups.GROUPS for name in group.machines}
    assert asked <= {machines_data.BUILDER, *machines_data.MACHINES}


def test_a_process_gets_whole_groups() -> None:
    scope = groups.Scheduling._split_scope
    of = [scope(None, f"tests/integration/{file}.py::test_a[1]") for file in ("test_guard", "test_flow")]  # type: ignore[arg-type]
    assert of == ["one web machine", "loopback, flow"]
    assert scope(None, "tests/integration/test_lvs.py::test_b") == "tests/integration/test_lvs.py"  # type: ignore[arg-type]
