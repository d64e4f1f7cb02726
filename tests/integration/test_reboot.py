# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that goes down inside the window is not probed with that probe again before somebody says so."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

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
    sweep,
    wait_until,
)

from fleetdiag.lab import boot
from fleetdiag.lab.model import Lab

pytestmark = [pytest.mark.lab, pytest.mark.long("a machine boots twice")]

HOST = "web2"


def go_down(lab: Lab) -> Lab:
    """As a crash does it: nothing is written any more, nobody is told; then the machine boots from its disk."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        lab.ssh(HOST, "echo b >/proc/sysrq-trigger", timeout_s=10)
    wait_until(lambda: HOST not in boot.running().machines, "the machine is down", 60)
    return boot.again(HOST)


def test_a_probe_with_which_a_host_went_down_is_loaded_again_only_when_somebody_says_so(
    lab: Lab, catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["-l", HOST, "--window", "10s", "--catalog", str(catalog), "--probe", "tick"]
    runs = [tmp_path / name for name in ("down", "other", "refused", "retried")]
    command = [sys.executable, "-m", "fleetdiag", "sweep", "-i", str(lab.inventory), *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(
        [*command, "--runs-dir", str(runs[0])], cwd=ROOT, env=ENVIRONMENT, **pipes
    ) as sweeping:
        await_window(runs[0], HOST)
        lab = go_down(lab)
        said, _ = sweeping.communicate(timeout=600)
    assert "Traceback" not in said
    crashed = newest(runs[0]).name

    # Another controller hears of it from the host, this one then knows it, too.
    with monkeypatch.context() as other:
        other.setitem(ENVIRONMENT, "XDG_STATE_HOME", str(tmp_path / "state"))
        sweep(lab, runs[1], *words)
    sweep(lab, runs[2], *words)
    for refused in runs[1:3]:
        row = coverage(report_of(newest(refused)))[HOST]
        assert row["status"] == "failed", row
        assert f"this host went down while sweep {crashed} probed it with tick" in row["reason"]
        assert "--retry-crashed" in row["reason"]

    sweep(lab, runs[3], *words, "--retry-crashed")
    report = report_of(newest(runs[3]))
    assert coverage(report)[HOST]["status"] in SWEPT
    assert rows(report, "tick", host=HOST)
    lab.ssh(HOST, f"rm -rf /var/lib/fleetdiag/sweeps/{crashed}")
    assert left_behind(lab, HOST) == ""
