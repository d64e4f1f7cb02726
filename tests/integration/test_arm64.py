# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are arm64 stand beside x86-64 ones in one report, their modules compiled on an x86-64 builder."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import known_figures
import pytest
from sweeps import (
    ENVIRONMENT,
    ROOT,
    SWEPT,
    await_window,
    coverage,
    left_behind,
    newest,
    report_of,
    rows,
    wait_until,
    window_of,
)

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from fleetdiag.lab.model import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.long("an arm64 machine, whose image takes up to an hour the first time"),
]

HOSTS = ("web1", "arm1")
#: Parameters in registers, members of structures behind them, what functions return: by arm64's calling convention.
SCRIPTS = ("read_got", "write_position", "rename", "utime", "udp")
CLOCKS_S = 3  # by which a host's clock may go behind
SLOW = "/root/fdarm.slow"
HOLD = f"""perl -e '$0 = "fdslow"; open F, "<", "{SLOW}" or die; sleep 4'"""


@pytest.fixture
def _at_rest(lab: Lab) -> Iterator[None]:
    yield
    for host in HOSTS:
        known_figures.remove(lab, host)
        lab.ssh(host, f"rm -f {SLOW}")


@pytest.mark.usefixtures("_at_rest")
def test_an_arm64_host_stands_in_the_same_report(lab: Lab, tmp_path: Path) -> None:
    asked = ["--probe", "nettop", "--probe", "slow_open", *known_figures.write_scripts(tmp_path, SCRIPTS)]
    for host in HOSTS:
        known_figures.bring(lab, host)
        lab.ssh(host, f"echo x >{SLOW}")
    runs = tmp_path / "runs"
    command = [sys.executable, "-m", "fleetdiag", "sweep", "-i", str(lab.inventory), "--runs-dir", str(runs)]
    command += ["-l", ",".join(HOSTS), "--window", "60s", *asked]
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as sweeping:
        await_window(runs, *HOSTS)
        began = window_of(newest(runs))["start"] + CLOCKS_S
        wait_until(lambda: time.time() > began, "the window begins", 60)
        for host in HOSTS:
            known_figures.run_once(lab, host)
            held = lab.ssh(host, HOLD)
            assert held.returncode == 0, held.stderr
        said, _ = sweeping.communicate()
    run = newest(runs)
    report = report_of(run)
    covered = coverage(report)
    assert {covered[host]["status"] for host in HOSTS} <= SWEPT, said
    builds = read.open_run(run).builds()
    assert sorted(kernel.rpartition("-")[2] for kernel in builds) == ["amd64", "arm64"]
    for kernel, build in builds.items():
        assert {name: module.error for name, module in build.probes.items() if module.failed} == {}, kernel
        assert {build.probes[f"stp_{name}"].types for name in SCRIPTS} == {"btf"}, kernel
    machines = {
        host: json.loads((run / "hosts" / host / "preflight.json").read_text())["arch"] for host in HOSTS
    }
    assert machines == {"web1": "x86_64", "arm1": "aarch64"}
    assert known_figures.wrong(run, HOSTS, SCRIPTS) == {}
    for host in HOSTS:
        opened = [row for row in rows(report, "slow_open", host=host) if row["path"] == SLOW]
        assert [row["process"] for row in opened] == ["fdslow"], host
        sent = [row for row in rows(report, "nettop", host=host) if row["process"] == known_figures.NAME]
        assert sum(row["sent_packets"] for row in sent) >= 5, host
        assert left_behind(lab, host) == "", host
