# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings of whole run directories: verdict, shards, and what a run takes from those before it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import rundirs
from rundirs import Builder, record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import publish
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import model
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import history, names

HOSTS = ["web1", "web2", "web3", "web4", "web5", "web6"]
COMPARED: dict[str, Any] = {
    **rundirs.SLOW_OPEN,
    "tables": {
        "slow_files": {
            **rundirs.SLOW_OPEN["tables"]["slow_files"],
            "what": "files open longer than {threshold_ms} ms",
            "derived": {
                "files": {
                    "type": "int",
                    "merge": "records",
                    "more_is": "worse",
                    "description": "How many.",
                    "compare": {"min_difference": 3},
                }
            },
        }
    },
}
MANIFESTS = {**rundirs.MANIFESTS, "slow_open": COMPARED}


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
        assert shards.findings == whole.findings
        assert shards.comparisons == whole.comparisons
        assert shards.verdict == whole.verdict
    assert kinds(whole) == [("compare", "web3"), ("compare", "web5")]  # 0 against 10 on each other is not chance


# --- the past ---


def test_a_report_leaves_its_figures_for_later_sweeps(tmp_path: Path) -> None:
    path = sweep(tmp_path, 1, usual())
    reported(path)
    data = json.loads((path / history.FIGURES).read_text())
    assert data["hosts"] == HOSTS
    (probe,) = data["probes"]
    assert (probe["probe"], probe["parameters"]) == ("slow_open", {"threshold_ms": 1000})
    assert probe["sampled_s"] == [30.0] * 6
    assert probe["tables"]["slow_files"]["files"]["value"] == [10.0] * 6


def test_a_host_is_compared_with_its_own_past(tmp_path: Path) -> None:
    for number in range(1, 8):
        assert kinds(reported(sweep(tmp_path, number, usual(number)))) == []
    report = reported(sweep(tmp_path, 8, dict.fromkeys(HOSTS, 200)))
    (finding,) = report.findings
    assert (finding.kind, finding.peers) == ("baseline", 7)
    assert "in its 7 sweeps before: 11, at most 12" in finding.sentence
    assert "Last normal: 2026-11-23 00:00 UTC" in finding.sentence
    assert "5 more hosts" in finding.sentence


def test_the_same_run_directory_gives_the_same_report_whatever_comes_after(tmp_path: Path) -> None:
    for number in range(1, 7):
        reported(sweep(tmp_path, number, usual(number)))
    path = sweep(tmp_path, 7, usual() | {"web3": 90})
    before = reported(path)
    kept = {item.name: item.read_bytes() for item in path.iterdir() if item.is_file()}
    for number in (8, 9):
        reported(sweep(tmp_path, number, dict.fromkeys(HOSTS, 90)))
    shutil.rmtree(tmp_path / "20261123_000001_ab12")
    assert reported(path).findings == before.findings
    assert {item.name: item.read_bytes() for item in path.iterdir() if item.is_file()} == kept
    elsewhere = tmp_path / "elsewhere" / "copy"
    shutil.copytree(path, elsewhere)
    assert reported(elsewhere).findings == before.findings


def test_only_earlier_sweeps_count(tmp_path: Path) -> None:
    for number in range(2, 9):
        reported(sweep(tmp_path, number, usual(number)))
    assert kinds(reported(sweep(tmp_path, 1, dict.fromkeys(HOSTS, 200)))) == []


@pytest.mark.parametrize(("asked", "found"), [(0, 0), (4, 0), (5, 1), (20, 1), ("x", 0)])
def test_how_many_are_taken_is_asked(tmp_path: Path, asked: Any, found: int) -> None:
    for number in range(1, 8):
        reported(sweep(tmp_path, number, usual(number)))
    path = sweep(tmp_path, 8, dict.fromkeys(HOSTS, 200))
    changed(path, baseline=asked)
    assert len(reported(path).findings) == found
    assert (path / history.BASELINE).exists() == (isinstance(asked, int) and asked > 0)


def test_sweeps_of_other_probes_between_them_do_not_matter(tmp_path: Path) -> None:
    for number in range(1, 12):
        reported(sweep(tmp_path, number, usual(number), probes=["slow_open"] if number % 2 else ["notes"]))
    path = sweep(tmp_path, 12, dict.fromkeys(HOSTS, 200))
    changed(path, baseline=5)
    (finding,) = reported(path).findings
    assert finding.peers == 5


@pytest.mark.parametrize("how", ["missing", "empty", "half", "binary", "link", "list"])
def test_a_damaged_neighbour_is_left_out(tmp_path: Path, how: str) -> None:
    for number in range(1, 8):
        reported(sweep(tmp_path, number, usual(number)))
    file = tmp_path / "20261123_000003_ab12" / history.FIGURES
    whole = file.read_bytes()
    file.unlink()
    if how == "link":
        file.symlink_to("/etc/passwd")
    elif how != "missing":
        file.write_bytes(
            {"empty": b"", "half": whole[: len(whole) // 2], "binary": os.urandom(99), "list": b"[]"}[how]
        )
    (finding,) = reported(sweep(tmp_path, 8, dict.fromkeys(HOSTS, 200))).findings
    assert finding.peers == 6


@pytest.mark.parametrize("data", [b"", b"[]", b'{"probes": 5}', b'{"sweeps": 5, "probes": [{}]}'])
def test_a_damaged_baseline_is_no_baseline(tmp_path: Path, data: bytes) -> None:
    path = sweep(tmp_path, 1, usual())
    (path / history.BASELINE).write_bytes(data)
    assert kinds(reported(path)) == []


def test_the_files_are_private(tmp_path: Path) -> None:
    path = sweep(tmp_path, 1, usual())
    reported(path)
    for name in (history.FIGURES, history.BASELINE):
        assert (path / name).stat().st_mode & 0o077 == 0


def test_names_of_run_directories() -> None:
    assert names.is_id("20261123_080000_ab12")
    assert not names.is_id("20261123_080000_ab12.tmp")
    assert not names.is_id("..")
