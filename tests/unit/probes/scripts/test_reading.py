# SPDX-License-Identifier: GPL-3.0-or-later
"""The file beside a script that says how its output is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import plain, reading

WHOLE = """\
header: PROCESS CALLS TIME
units: {TIME: us}
keys: [PROCESS, CPU]
merge: {CALLS: sum}
prints: reset
"""


def script(folder: Path, beside: str) -> Path:
    path = folder / "my.stp"
    path.write_text('probe kernel.trace("sched_switch") { n++ }\n')
    (folder / "my.yml").write_text(beside)
    return path


def test_what_is_said_is_recorded_with_the_probe(tmp_path: Path) -> None:
    probe = plain.load(str(script(tmp_path, WHOLE)), None)
    assert probe.reading == {
        "header": ["PROCESS CALLS TIME"],
        "units": {"TIME": "us"},
        "keys": ["PROCESS", "CPU"],
        "merge": {"CALLS": "sum"},
        "prints": "reset",
    }
    assert catalog.probe_from_manifest(probe.name, probe.manifest).reading == probe.reading


def test_nothing_beside_a_script_says_nothing(tmp_path: Path) -> None:
    path = script(tmp_path, "")
    (tmp_path / "my.yml").unlink()
    assert plain.load(str(path), None).reading == {}


@pytest.mark.parametrize(
    ("beside", "what"),
    [
        ("print: reset\n", "my.yml:1: print: is not known; did you mean prints?"),
        ("\nprints: never\n", "my.yml:2: prints: 'never' is neither reset nor cumulative; say reset if"),
        ("keys: PID\n", "my.yml:1: keys: is no list of texts; give 1 to 24, for instance [PROCESS, CPU]"),
        ("keys: [1]\n", "my.yml:1: keys: is no text of one line; give 1 to 240 characters"),
        ("units: us\n", "my.yml:1: units: is no mapping of columns; give 1 to 24, for instance {TIME: us}"),
        ("merge:\n  CALLS: add\n", "my.yml:2: merge.CALLS: 'add' is no way to merge; say sum, max"),
        (
            "- hosts: all\n",
            "my.yml:1: manifest: is not a mapping; say header, units, keys, merge, prints, or rename",
        ),
        ("units: {A: b\n", "my.yml:2: YAML: "),
    ],
)
def test_what_is_wrong_is_one_sentence(beside: str, what: str, tmp_path: Path) -> None:
    path = script(tmp_path, beside)
    with pytest.raises(FleetdiagError) as error:
        plain.load(str(path), None)
    assert what in str(error.value)
    faults: list[str] = []
    reading.read(path, faults)
    assert faults == [str(error.value)]
