# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of a finding in the sweeps before, from real reports of some nights."""

from __future__ import annotations

from pathlib import Path

import pytest
from nights import Nights, run_id

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import courses
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.read import read_json


def test_a_finding_has_what_its_host_had_in_the_sweeps_before(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.usual(8)
    nights.sweep(unreachable=("web3",))
    report = [nights.sweep({"web3": 900}) for _ in range(3)][-1]
    (finding,) = report.findings
    before, unreachable, after = finding.course[:8], finding.course[8], finding.course[9:]
    assert all(value is not None and 100 <= value <= 108 for value in before)
    assert unreachable is None
    assert after == (900, 900, 900)


def test_what_all_hosts_have_is_shown_by_their_median(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.usual(9)
    more = dict.fromkeys(("web1", "web2", "web3", "web4", "web5", "web6"), 400)
    report = [nights.sweep(more) for _ in range(3)][-1]
    (finding,) = report.findings
    assert finding.kind == "set"
    assert finding.course[-3:] == (400, 400, 400)


def test_another_script_has_no_part_in_it(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.usual(3)
    (probe,) = (read_json(nights.runs / run_id(0), "sweep.json") or {})["probes"]
    report = nights.sweep({"web3": 900}, probes=[{**probe, "hash": "0" * 12}])
    (finding,) = report.findings
    assert [value for value in finding.course if value is not None] == [900]


@pytest.mark.parametrize(
    ("told", "course"),
    [
        ([1, 2.5, None], ()),  # a finding without its own figure
        ([None, True, "5", float("nan"), 3], (None, None, None, None, 3.0)),
        ([10**400, 3], (None, 3.0)),
        ("12", ()),
        ([], ()),
        (list(range(100)), tuple(map(float, range(76, 100)))),
    ],
)
def test_what_a_damaged_file_says_is_no_figure(told: object, course: courses.Course) -> None:
    assert courses.read({"courses": {"ab": told}}, "ab") == course
    assert courses.read({"courses": told}, "ab") == ()
