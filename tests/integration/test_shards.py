# SPDX-License-Identifier: GPL-3.0-or-later
"""A sweep dealt out to two workers of ansible-runner, on real kernels: one window, one report."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from sweeps import SWEPT, WEB, coverage, newest, report_of, sweep, window_of

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from fleetdiag.lab.model import Lab

pytestmark = [pytest.mark.lab, pytest.mark.long("minutes for each test")]


def test_two_shards_have_one_window_and_one_report(lab: Lab, tmp_path: Path) -> None:
    # As on another controller: nothing is said to it but where its programs are.
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    worker = f"env PATH={path} {sys.executable} -m ansible_runner worker"
    asked = ("-l", ",".join(WEB), "--probe", "nettop", "--window", "10s", "--shards", "2", "--worker", worker)
    done = sweep(lab, tmp_path, *asked)
    assert done.returncode == 0, done.stderr
    folder = newest(tmp_path)
    report = report_of(folder)
    hosts = coverage(report)
    assert sorted(hosts) == sorted(WEB)
    assert {row["status"] for row in hosts.values()} <= SWEPT, hosts
    windows = [window_of(run) for run in read.parts(folder)]
    assert len(windows) == 2
    assert windows[0] == windows[1]
    assert {run["start"] for run in report["runs"]} == {windows[0]["start"]}
