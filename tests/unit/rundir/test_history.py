# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings of whole run directories: the verdict, and shards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nights import HOSTS, MANIFESTS
from rundirs import Builder, record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import publish
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import model
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import names


def slow(many: int) -> list[tuple[str, int, tuple[object, ...]]]:
    return [
        record("slow_files", 9, "httpd", f"/srv/{number}", 2_000_000 + number, 1) for number in range(many)
    ]


def sweep(runs: Path, number: int, files: dict[str, int], **more: Any) -> Path:
    """A run directory of these hosts, with so many slow files each. number: which sweep it is, by its time."""
    made = Builder(runs, list(files), sweep_id=f"20261123_{number:06}_ab12", manifests=MANIFESTS, **more)
    made.window()
    made.build()
    for host, many in files.items():
        made.whole(host, {"slow_open": made.out(*slow(many))})
    return made.path


def changed(path: Path, **more: Any) -> None:
    """Put something else into sweep.json."""
    data = json.loads((path / "sweep.json").read_text())
    (path / "sweep.json").write_text(json.dumps({**data, **more}))


def reported(path: Path) -> model.Report:
    """What the end of a sweep does, and `fleetdiag report`."""
    report = reports.build(path, generated="2026-11-23T08:01:00+00:00")
    publish.write(path, report)
    return report


def usual(number: int = 0) -> dict[str, int]:
    return dict.fromkeys(HOSTS, 10 + number % 3)


def kinds(report: model.Report) -> list[tuple[str, str]]:
    return [(finding.kind, finding.host) for finding in report.findings]


# --- the verdict ---


def test_the_verdict_begins_with_the_host_that_is_different(tmp_path: Path) -> None:
    report = reports.build(sweep(tmp_path, 1, dict.fromkeys(HOSTS, 0) | {"web3": 14}))
    assert report.verdict == (
        "web3 is different: 14 files open longer than 1 s, the other 5 hosts: 0; 6 of 6 hosts probed"
    )
    assert report.peers == dict.fromkeys(HOSTS, "web")
    assert kinds(report) == [("compare", "web3")]


def test_the_verdict_of_alike_hosts(tmp_path: Path) -> None:
    assert reports.build(sweep(tmp_path, 1, usual())).verdict == "no host is different; 6 of 6 hosts probed"


def test_the_verdict_of_one_host(tmp_path: Path) -> None:
    report = reports.build(sweep(tmp_path, 1, {"web1": 14}))
    assert report.verdict == "too few hosts to compare; 1 of 1 host probed"


@pytest.mark.parametrize(
    ("groups", "found"), [(None, 1), ({"web": ["web1"], "db": ["web3"]}, 0), ({"all": HOSTS}, 1), (7, 1)]
)
def test_older_sweeps_know_groups_at_best(tmp_path: Path, groups: Any, found: int) -> None:
    path = sweep(tmp_path, 1, dict.fromkeys(HOSTS, 0) | {"web3": 14})
    changed(path, peers=None, groups=groups)
    assert len(reports.build(path).findings) == found


def test_findings_of_shards_are_those_of_the_whole(tmp_path: Path) -> None:
    files = usual() | {"web3": 90, "web5": 0}
    whole = reports.build(sweep(tmp_path / "whole", 1, files))
    halves = [
        sweep(tmp_path / "shards", 2 + part, {host: files[host] for host in HOSTS[part::2]})
        for part in range(2)
    ]
    for order in (halves, halves[::-1]):
        shards = reports.build(list(order))
        # Runs that are reported together have no memory of the sweeps before.
        without: dict[str, Any] = {
            "fingerprint": "",
            "state": "",
            "since": "",
            "last_normal": "",
            "sweeps": 0,
            "history": "",
            "course": (),
        }
        assert shards.findings == [replace(finding, **without) for finding in whole.findings]
        assert shards.comparisons == whole.comparisons
        assert shards.verdict == whole.verdict
    assert kinds(whole) == [("compare", "web3"), ("compare", "web5")]


def test_names_of_run_directories() -> None:
    assert names.is_id("20261123_080000_ab12")
    assert not names.is_id("20261123_080000_ab12.tmp")
    assert not names.is_id("..")
