# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict says that a host was overloaded, from the load it had before its sessions."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import reportdata
import rundirs
from rundirs import record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports


@pytest.mark.parametrize(
    ("load", "said"),
    [
        ({"load1": 9.2, "cpus": 2}, "web2 was overloaded (load 9.2 on 2 processors)"),
        ({"load1": 1.5, "cpus": 2}, ""),
        ({"load1": "9.2", "cpus": None}, ""),
        ({"load1": float("nan"), "cpus": 0}, ""),
    ],
)
def test_the_verdict_names_hosts_that_were_overloaded(
    tmp_path: Path, load: dict[str, object], said: str
) -> None:
    made = reportdata.sweep(tmp_path)
    made.preflight("web2", **load)
    verdict = reports.build(made.path).verdict
    assert ("overloaded" in verdict) == bool(said)
    assert said in verdict
    assert verdict.endswith("3 of 3 hosts probed (1 with losses)")


def test_what_the_sessions_of_a_host_measured_in_the_window_is_in_the_verdict(tmp_path: Path) -> None:
    made = rundirs.Builder(tmp_path, ["web1", "web2"])
    made.window()
    busy = record("@load", 30_000, 30_000, 2, 100, 550, 59_000, 0, 100, 20)
    made.whole("web1", {"slow_open": made.out(busy)})
    made.whole("web2", {"slow_open": made.out()})
    report = reports.build(made.path)
    assert "web1 was overloaded (12.4 tasks at a time on 2 processors)" in report.verdict
    assert report.verdict.endswith("2 of 2 hosts probed")


def test_a_time_unlike_the_host_s_past_is_marked_too(tmp_path: Path) -> None:
    made = reportdata.sweep(tmp_path)
    made.preflight("web2", load1=9.2, cpus=2)
    told = [reportdata.finding("web2: 9 s", "warning", "web2"), reportdata.finding("web3: 9 s", "warning")]
    changed = [replace(one, kind="changed", type="duration", mark="", rows=()) for one in told]
    news = {"format": 1, "findings": [asdict(one) for one in changed]}
    (made.path / "news.json").write_text(json.dumps(news))
    report = reports.build(made.path)
    marks = {one.host: one.mark for one in report.findings if one.kind == "changed"}
    assert marks == {"web2": "overloaded: load 9.2 on 2 processors", "web3": ""}
    assert "(load 9.2 on 2 processors), which weakens 1 finding; " in report.verdict


def test_a_mark_that_is_no_text_is_left_out_with_its_finding(tmp_path: Path) -> None:
    made = reportdata.sweep(tmp_path)
    made.preflight("web2", load1=9.2, cpus=2)
    one = replace(
        reportdata.finding("web2: 9 s", "warning", "web2"), kind="changed", type="duration", rows=()
    )
    news = {"format": 1, "findings": [{**asdict(one), "mark": 7}]}
    (made.path / "news.json").write_text(json.dumps(news))
    assert not [found for found in reports.build(made.path).findings if found.kind == "changed"]
