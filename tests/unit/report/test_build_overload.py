# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict says that a host was overloaded, from the load it had before its sessions."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import reportdata

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
