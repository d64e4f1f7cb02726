# SPDX-License-Identifier: GPL-3.0-or-later
"""Warm sweeps of three uneven machines with real kernels: what they cost beside their window, and one slow host.

`pytest -s` shows the figures.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sweeps import SWEPT, WEB, coverage, newest, report_of, sweep, window_of

from fleetdiag.lab.model import Lab

pytestmark = [pytest.mark.lab, pytest.mark.long("ten minutes of sweeps")]

WINDOW_S = 10
PROBE = "fresh"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def armed(run: Path, host: str) -> dict[str, Any]:
    return dict(json.loads((run / "hosts" / host / "arm.json").read_text()))


def arming_s(run: Path, host: str) -> float:
    """Return the seconds from the beginning of the arming phase until a host was armed."""
    began = json.loads((run / "window.json").read_text())["began"]
    return float(armed(run, host)["ended"] - began)


@contextmanager
def slowed(lab: Lab, host: str, seconds: int) -> Iterator[None]:
    """Let every session of the host begin so much later."""
    folder = "/run/systemd/system/fd-.service.d"
    wait = f"printf '[Service]\\nExecStartPre=/bin/sleep {seconds}\\n' >{folder}/slow.conf"
    assert lab.ssh(host, f"mkdir {folder} && {wait} && systemctl daemon-reload").returncode == 0
    try:
        yield
    finally:
        lab.ssh(host, f"rm -r {folder}; systemctl daemon-reload")


def swept(lab: Lab, runs: Path, catalog: Path, *more: str, window_s: int = WINDOW_S) -> tuple[Path, float]:
    """Sweep the three machines; return (run directory, wall time less the window in seconds)."""
    began = time.monotonic()
    words = ("-l", ",".join(WEB), "--catalog", str(catalog), "--probe", PROBE, "--window", f"{window_s}s")
    done = sweep(lab, runs, *words, *more)
    assert done.returncode in (0, 3), done.stdout + done.stderr  # 3: a busy machine makes hosts late
    return newest(runs), time.monotonic() - began - window_s


def test_three_warm_sweeps_in_a_row(lab: Lab, runs: Path, never_built: Path) -> None:
    cold = swept(lab, runs, never_built)[1]
    warm = []
    for _ in range(3):
        run, overhead = swept(lab, runs, never_built)
        warm.append(overhead)
        assert {armed(run, host)["pushed"] for host in WEB} == {0}
        assert {row["status"] for row in coverage(report_of(run)).values()} <= SWEPT
    print(f"wall less window: cold {cold:.1f} s, warm {', '.join(f'{one:.1f} s' for one in warm)}")
    assert max(warm) < cold


def test_a_host_that_arms_ten_times_slower_delays_nobody(lab: Lab, runs: Path, never_built: Path) -> None:
    slow, *others = WEB
    run, _ = swept(lab, runs, never_built)  # compiles
    run, _ = swept(lab, runs, never_built)
    usual = max(arming_s(run, host) for host in WEB)
    later = math.ceil(10 * usual)
    patient = ("-e", f"sweep_arm_timeout={3 * later}")
    with slowed(lab, slow, later):
        known, _ = swept(lab, runs, never_built, *patient)
        assert arming_s(known, slow) > later
        run, overhead = swept(lab, runs, never_built, *patient, window_s=3 * later)
    rows = coverage(report_of(run))
    late = {host: rows[host]["late_s"] for host in WEB}
    print(
        f"usually armed in {usual:.1f} s, one {later} s later; wall less window {overhead:.1f} s; late {late}"
    )
    assert {rows[host]["status"] for host in WEB} <= SWEPT
    assert "late" in rows[slow]["reason"]
    assert max(late[host] for host in others) < late[slow] < 2 * later
    began = json.loads((run / "window.json").read_text())["began"]
    assert window_of(run)["start"] - began < later  # nobody waited for the slow one
