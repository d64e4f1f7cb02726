# SPDX-License-Identifier: GPL-3.0-or-later
"""One report of several run directories: it does not matter how the hosts were distributed, nor in which order the
directories are named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import reportdata
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rundirs import Builder, record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import (
    as_csv,
    as_json,
    as_openmetrics,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write

HOSTS = [f"web{number}" for number in (1, 2, 3, 10, 11, 20)]
PROBES = ["slow_open", "nettop", "fs_calltrace", "notes"]
FATES = ("whole", "whole", "whole", "late", "refused", "unreachable", "nothing")

rows = st.lists(st.tuples(st.sampled_from("pqr"), st.integers(1, 10**9), st.integers(0, 1000)), max_size=4)
fleets = st.fixed_dictionaries(
    {host: st.tuples(st.sampled_from(FATES), rows, st.integers(0, 2)) for host in HOSTS}
)


def add(made: Builder, host: str, fate: str, found: Sequence[tuple[str, int, int]]) -> None:
    if fate == "refused":
        made.preflight(host, verdict="refused", reason="no staprun", remedy="install it")
    elif fate == "unreachable":
        made.event(host, "preflight", "unreachable", "No route to host")
    elif fate != "nothing":
        late_s = 3.0 if fate == "late" else 0.0
        opens = [record("slow_files", 9, name, "/x", us, count) for name, us, count in found]
        traffic = [
            record("traffic", 5000 * n + 20, name, "eth0", count, us)
            for n, (name, us, count) in enumerate(found, 1)
        ]
        outputs = {
            "slow_open": made.out(*opens, late_s=late_s),
            "nettop": made.out(*traffic),
            "fs_calltrace": made.out(payload=reportdata.TRACE * len(found)),
            "notes": made.out(payload="".join(f"{name} {us}\n" for name, us, _ in found)),
        }
        made.whole(host, outputs)


def runs(folder: Path, fleet: dict[str, Any], parts: int) -> list[Path]:
    """The fleet as this many run directories; of a single one all hosts are in it."""
    paths = []
    for part in range(parts):
        hosts = [host for host, (_, _, home) in fleet.items() if parts == 1 or home % parts == part]
        made = Builder(folder, hosts, PROBES, sweep_id=f"20261123_08000{part}_ab12")
        made.window()
        made.build()
        for host in hosts:
            add(made, host, *fleet[host][:2])
        paths.append(made.path)
    return paths


def told(paths: Sequence[Path]) -> dict[str, Any]:
    """The report but for the runs it was made of."""
    report = reports.build(paths, generated="now")
    data: dict[str, Any] = json.loads(as_json.render(report))
    del data["runs"]
    files = dict(as_csv.render(report))
    return {**data, "csv": files, "prom": as_openmetrics.render(report)}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(fleets, st.permutations(range(3)))
def test_any_distribution_in_any_order_is_the_same_report(
    tmp_path_factory: pytest.TempPathFactory, fleet: dict[str, Any], order: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    whole = told(runs(folder / "whole", fleet, 1))
    three = runs(folder / "three", fleet, 3)
    assert told([three[place] for place in order]) == whole
    assert told(runs(folder / "two", fleet, 2)) == whole
    shown = as_json.render(reports.build(three, generated="now"))
    assert as_json.render(reports.build([three[place] for place in order], generated="now")) == shown


def test_parameters_that_differ_are_refused(tmp_path: Path) -> None:
    one = Builder(tmp_path, ["web1"], sweep_id="20261123_080000_ab12")
    two = Builder(tmp_path, ["web2"], sweep_id="20261123_080001_ab12")
    sweep = json.loads((two.path / "sweep.json").read_text())
    sweep["probes"][0]["parameters"] = {"threshold_ms": 5}
    write.write_json(two.path, "sweep.json", sweep)
    with pytest.raises(FleetdiagError, match="slow_open ran with other parameters"):
        reports.build([one.path, two.path])


def test_windows_that_differ_are_said(tmp_path: Path) -> None:
    one = Builder(tmp_path, ["web1"], sweep_id="20261123_080000_ab12")
    two = Builder(tmp_path, ["web2"], sweep_id="20261123_080001_ab12", window_s=60)
    (note,) = reports.build([one.path, two.path]).notes
    assert note == "windows of different length are in this report (30 s, 60 s): compare rates, not totals"


def test_hosts_come_in_the_order_a_person_counts(tmp_path: Path) -> None:
    names = ["web10", "web2", "db", "web1", "10", "9", "web2b", "web02", "\u0663"]
    report = reports.build(Builder(tmp_path, names).path)
    assert [row.host for row in report.coverage] == [
        *("db", "web1", "web02", "web2", "web2b", "web10", "\u0663", "9", "10")
    ]
