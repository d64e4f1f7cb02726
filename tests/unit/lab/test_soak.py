# SPDX-License-Identifier: GPL-3.0-or-later
"""Which fault comes when, what counts as a leak, and what is printed of it."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.lab import boot, soak
from fleetdiag.lab.soak import FAULTS, Round, Tally, coverage_leaks, has_window, schedule

HOSTS = ("web1", "web2", "web3")


def test_the_same_seed_gives_the_same_rounds_and_another_one_others() -> None:
    def rounds(seed: int) -> list[Round]:
        return list(islice(schedule(seed, HOSTS), 40))

    assert rounds(7) == rounds(7)
    assert rounds(7) != rounds(8)


def test_every_fault_comes_once_before_any_comes_again() -> None:
    rounds = list(islice(schedule(1, HOSTS), 2 * len(FAULTS)))
    assert [planned.number for planned in rounds] == list(range(1, 2 * len(FAULTS) + 1))
    for half in (rounds[: len(FAULTS)], rounds[len(FAULTS) :]):
        assert {planned.fault for planned in half} == set(FAULTS)
    assert {planned.victim for planned in rounds} == set(HOSTS)


def test_a_lost_host_and_a_lost_result_are_leaks() -> None:
    failed = {"host": "web1", "status": "failed", "reason": "no room"}
    report = {"coverage": [failed, {"host": "web2", "status": "degraded"}]}
    assert coverage_leaks(report, HOSTS, ("web1", "web2")) == [
        "web3 is not in the coverage",
        "web1, which had no fault, is failed: no room",
    ]
    assert coverage_leaks(report, ("web1", "web2"), ("web2",)) == []
    assert coverage_leaks(None, HOSTS, ()) == ["no report was made"]


def test_the_table_names_each_leak_and_counts_two_sweeps_as_two() -> None:
    tally = Tally()
    tally.count(Round(1, "none", "web1"), [])
    tally.count(Round(2, "two sweeps", "web2"), ["web2 still has fd_x"])
    assert tally.lines() == [
        "fault       rounds  leaks",
        "none             1      0",
        "two sweeps       1      1",
        "round 2, two sweeps on web2: web2 still has fd_x",
        "3 sweeps, 1 faults, 1 leaks",
    ]


def test_a_lab_that_is_down_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert not boot.running().machines
    with pytest.raises(FleetdiagError, match="needs two web machines"):
        soak.run(1, 0)


def test_a_host_has_its_window_when_it_was_told_or_was_armed_with_one_that_began(tmp_path: Path) -> None:
    for host in ("web1", "web2"):
        (tmp_path / "hosts" / host).mkdir(parents=True)
        (tmp_path / "hosts" / host / "arm.json").write_text("{}")
    (tmp_path / "window.json").write_text(json.dumps({"began": 890.0}))
    assert not has_window(tmp_path, "web1", 1000.0)
    (tmp_path / "window.json").write_text(json.dumps({"began": 890.0, "start": 900.0, "end": 910.0}))
    assert not has_window(tmp_path, "web1", 899.0)
    (tmp_path / "hosts" / "web1" / "go.json").write_text("{}")
    assert has_window(tmp_path, "web1", 899.0)
    assert not has_window(tmp_path, "web2", 899.0)
    assert has_window(tmp_path, "web2", 900.0)
    assert not has_window(tmp_path, "web3", 1000.0)
