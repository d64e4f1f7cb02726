# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shipped keeps to the policy that other people's scripts are held to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import policy

FILES = Path(__file__).resolve().parents[4] / "collection" / "roles" / "sweep" / "files"
PROBES = sorted(FILES.glob("probes/*/*.stp"))
TAPSET = sorted(FILES.glob("tapset/*.stp"))

each_probe = pytest.mark.parametrize("path", PROBES, ids=lambda path: path.name)
each_of_the_tapset = pytest.mark.parametrize("path", TAPSET, ids=lambda path: path.name)


def faults(path: Path, level: policy.Level) -> list[str]:
    probe = catalog.load_probe(path.parent) if level == "probe" else None
    return [fault.sentence(path) for fault in policy.faults(policy.text_of(path), level, probe)]


def test_there_are_scripts() -> None:
    assert len(PROBES) >= 4
    assert TAPSET


@each_probe
def test_a_probe_keeps_to_the_policy(path: Path) -> None:
    assert faults(path, "probe") == []


@each_of_the_tapset
def test_the_tapset_keeps_to_the_policy(path: Path) -> None:
    assert faults(path, "tapset") == []


@each_of_the_tapset
def test_names_of_the_tapset_cannot_meet_those_of_a_probe(path: Path) -> None:
    text = policy.text_of(path)
    names = re.findall(r"^(?:function|global|@define)\s+(\w+)|^probe\s+([\w.]+)\s*=", text, re.MULTILINE)
    given = {"".join(name) for name in names} - {"interval_s"}  # the one parameter that every probe has
    assert [name for name in given if not name.startswith(("fd_", "fd."))] == []


def test_only_what_ends_a_session_ends_it() -> None:
    assert faults(FILES / "smoke.stp", "script") == []
    (only,) = faults(FILES / "control.stp", "script")
    assert "system()" in only  # which it puts in the place of SystemTap's
    control = policy.faults(policy.text_of(FILES / "control.stp"), "tapset")
    assert {fault.what.split(" as it is")[0] for fault in control if "ask" not in fault.what} == {
        "exit() ends the session",
        "system() runs a command on the host",
        "prints fd_end_reason",  # our own constants
        "prints fd_load()",  # numbers alone
    }
