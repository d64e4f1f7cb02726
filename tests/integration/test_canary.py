# SPDX-License-Identifier: GPL-3.0-or-later
"""One host first, the other one only if that was well: on real kernels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sweeps import SWEPT, assert_on_time_or_said, coverage, left_behind, newest, report_of, sweep

from fleetdiag.lab.model import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.long("two minutes; a canary of the loopback fleet is tested each time"),
]

HOSTS = ("web1", "web2")


def asked(catalog: Path, *more: str) -> list[str]:
    return [
        *("-l", ",".join(HOSTS), "--canary", "1", "--window", "3s"),
        *("--catalog", str(catalog), "--probe", "tick", *more),
    ]


def test_the_other_host_is_probed_after_a_canary_without_trouble(
    lab: Lab, catalog: Path, tmp_path: Path
) -> None:
    done = sweep(lab, tmp_path, *asked(catalog, "-e", json.dumps({"sweep_max_cpu_percent": 0})))
    assert done.returncode == 0, done.stdout + done.stderr
    run = newest(tmp_path)
    first, second = json.loads((run / "window.json").read_text())["batches"]
    assert (first["hosts"], first["canary"], second["hosts"]) == (["web1"], True, ["web2"])
    assert second["start"] > first["end"]
    rows = coverage(report_of(run))
    for host in HOSTS:
        assert_on_time_or_said(rows[host], 5)
    assert report_of(run)["runs"][0]["batches"] == 2


def test_nobody_else_is_probed_when_the_canary_costs_too_much(
    lab: Lab, catalog: Path, tmp_path: Path
) -> None:
    done = sweep(lab, tmp_path, *asked(catalog, "-e", json.dumps({"sweep_max_cpu_percent": 1})))
    assert done.returncode == 3, done.stdout + done.stderr
    rows = coverage(report_of(newest(tmp_path)))
    assert rows["web1"]["status"] in SWEPT
    assert rows["web2"]["status"] == "not probed"
    assert rows["web2"]["reason"].startswith("canary web1: tick used ")
    assert rows["web2"]["reason"].endswith(" % of a processor, more than 1 %")
    assert [left_behind(lab, host) for host in HOSTS] == ["", ""]
