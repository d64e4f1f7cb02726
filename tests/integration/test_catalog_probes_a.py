# SPDX-License-Identifier: GPL-3.0-or-later
"""The probes of a single host's disks and processes, in one sweep of both kernel lines while load_a.py runs.

Each must name the process or device that the load makes, with the figures that it makes.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import load_a
import pytest
from sweeps import SWEPT, assert_built_from_headers, coverage, left_behind, newest, report_of, rows, sweep

from fleetdiag.lab.model import Lab

pytestmark = pytest.mark.lab

PROBES = (
    "block_latency",
    "blocked",
    "failed_syscalls",
    "futex_wait",
    "runqueue_latency",
    "short_lived",
    "slow_syscalls",
)
HOSTS = ("web1", "web3")  # 6.12 and 7.x
UNIT = "fleetdiag-test-load"
START = (
    f"systemd-run -q --collect --unit={UNIT} -p RuntimeMaxSec=1800 python3 -c "
    + shlex.quote(Path(load_a.__file__).read_text())
    + f" {len(PROBES)}"
)
STOP = f"systemctl stop {UNIT}; modprobe -r null_blk; rm -f {load_a.LOCK}"

Row = dict[str, Any]


class Swept(NamedTuple):
    """A finished sweep: its command, run directory and report."""

    command: subprocess.CompletedProcess[str]
    run: Path
    report: dict[str, Any]

    def rows(self, name: str, table: str, host: str) -> list[Row]:
        """Rows of one host."""
        return rows(self.report, name, table, host)

    def row(self, name: str, table: str, host: str, **key: Any) -> Row:
        """The one row of a host with these values; all of the host's are shown if there is none."""
        rows = self.rows(name, table, host)
        found = [row for row in rows if key.items() <= row.items()]
        assert len(found) == 1, (host, key, rows)
        return found[0]


@pytest.fixture(scope="module")
def swept(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swept]:
    runs = tmp_path_factory.mktemp("runs")
    words = [word for name in PROBES for word in ("--probe", name)]
    with ThreadPoolExecutor() as pool:
        try:
            for started in pool.map(lambda host: lab.ssh(host, START), HOSTS):
                assert started.returncode == 0, started.stderr
            done = sweep(lab, runs, "-l", ",".join(HOSTS), "--window", "12s", *words)
        finally:
            list(pool.map(lambda host: lab.ssh(host, STOP), HOSTS))
    run = newest(runs)
    return Swept(done, run, report_of(run))


each_host = pytest.mark.parametrize("host", HOSTS)


def test_all_of_them_build_where_no_debuginfo_is_installed(lab: Lab, swept: Swept) -> None:
    assert_built_from_headers(lab, swept.run, PROBES, kernels=len(HOSTS))


@each_host
def test_nothing_was_lost(swept: Swept, host: str) -> None:
    row = coverage(swept.report)[host]
    assert row["status"] in SWEPT, row
    losses = {loss["kind"] for session in row["sessions"].values() for loss in session["losses"]}
    assert losses <= {"late"}, row  # which costs nothing of what was seen


@each_host
def test_the_slow_disk_is_slow_and_the_other_is_not(swept: Swept, host: str) -> None:
    slow = swept.row("block_latency", "devices", host, device="nullb0", operation="read")
    assert 0.9 <= slow["latency"] / (load_a.SLOW_DISK_NS / 1e9) < 10  # a busy machine adds to it
    assert slow["bytes"] == 4096 * slow["requests"]
    assert slow["errors"] == slow["stuck"] == 0
    lengths = [row for row in swept.rows("block_latency", "lengths", host) if row["device"] == "nullb0"]
    assert max(lengths, key=lambda row: row["requests"])["at_least"] == pytest.approx(0.262144)
    assert sum(row["requests"] for row in lengths) == slow["requests"]


@each_host
def test_two_busy_processes_wait_for_the_one_processor(swept: Swept, host: str) -> None:
    for name in ("load_spin_1", "load_spin_2"):
        row = swept.row("runqueue_latency", "processes", host, process=name)
        assert row["waits"] > 20
        assert row["time"] > 1
    every = swept.rows("runqueue_latency", "processes", host)
    lengths = swept.rows("runqueue_latency", "waits", host)
    assert sum(row["waits"] for row in lengths) == sum(row["waits"] for row in every)


@each_host
def test_the_stuck_process_is_shown_with_what_it_waits_for(swept: Swept, host: str) -> None:
    rows = [row for row in swept.rows("blocked", "waits", host) if row["process"] == "load_stuck"]
    assert any("kernel_clone" in row["waits_in"] for row in rows), rows
    forever = swept.row("blocked", "waits", host, process="load_forever")
    assert load_a.STUCK_S * 0.9 <= max(row["longest"] for row in rows) < forever["longest"]
    assert forever["still_blocked"] == 1
    assert forever["longest"] > 12, "it was blocked before the window began"


@each_host
def test_a_call_that_waits_for_a_file_lock_is_slow_and_one_that_sleeps_is_not(
    swept: Swept, host: str
) -> None:
    calls = swept.rows("slow_syscalls", "calls", host)
    locks = [row for row in calls if row["process"].startswith("load_flock") and row["call"] == "flock"]
    assert sum(row["calls"] for row in locks) >= 5, calls
    assert max(row["longest"] for row in locks) >= load_a.HELD_S * 0.9
    assert not any("nanosleep" in row["call"] or row["call"] == "futex" for row in calls)


@each_host
def test_failing_calls_are_named_with_their_error(swept: Swept, host: str) -> None:
    row = swept.row("failed_syscalls", "failures", host, process="load_fail", error="ENOENT")
    assert row["call"] == "newfstatat"
    assert row["failures"] > 100
    assert not any(row["error"] == "EAGAIN" for row in swept.rows("failed_syscalls", "failures", host))


@each_host
def test_programs_that_end_at_once_are_seen(swept: Swept, host: str) -> None:
    true = swept.row("short_lived", "processes", host, process="true", parent="load_starter")
    false = swept.row("short_lived", "processes", host, process="false", parent="load_starter")
    assert (true["ended"], false["ended"]) == ("exit 0", "exit 1")
    assert true["processes"] > 3
    assert true["failed"] == 0
    assert false["failed"] == false["processes"] > 3
    assert 0 < true["lifetime"] < 10
    assert 0 < true["cpu_time"] <= true["lived"]


@each_host
def test_waiting_for_a_mutex_is_told_from_sleeping(swept: Swept, host: str) -> None:
    row = swept.row("futex_wait", "locks", host, process="load_mutex")
    assert row["waits"] > 5
    # A thread rests before it locks again: that part of the other's hold it does not wait.
    assert row["longest"] >= load_a.HELD_S * 0.5
    lengths = swept.rows("futex_wait", "lengths", host)
    assert sum(row["waits"] for row in lengths) == sum(
        row["waits"] for row in swept.rows("futex_wait", "locks", host)
    )


def test_nothing_stays_on_the_hosts(lab: Lab, swept: Swept) -> None:
    for host in HOSTS:
        assert left_behind(lab, host) == "", host
