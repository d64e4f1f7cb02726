# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes for files, memory, network and NFS: one sweep of all on both kernel lines, while a known load runs."""

from __future__ import annotations

import functools
import json
import shlex
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import load_b
import pytest
from sweeps import SWEPT, assert_built_from_headers, coverage, newest, report_of, rows, sweep

from fleetdiag.lab import nfs
from fleetdiag.lab.model import Lab

pytestmark = pytest.mark.lab

HOSTS = ("web1", "web3")
PROBES = (
    "slow_fs_ops",
    "page_cache",
    "reclaim",
    "tcp_retransmit",
    "tcp_connect",
    "socket_drops",
    "nfs_client",
    "nfs_server",
)
UNIT = "fleetdiag-test-load"
# An interface to which packets can be sent, where nothing ever answers.
START = f"""
set -e
rm -f {load_b.GO} {load_b.GO}.ready
ip link add fdlab0 type dummy
ip addr add 192.0.2.1/24 dev fdlab0
ip addr add 2001:db8::1/64 dev fdlab0 nodad
ip link set fdlab0 up
systemd-run -q --collect --unit={UNIT} -p RuntimeMaxSec=1800 python3 -c {shlex.quote(Path(load_b.__file__).read_text())}
for wait in $(seq 900); do
    test -e {load_b.GO}.ready && exit
    systemctl is-active -q {UNIT} || break
    sleep 0.3
done
journalctl -q -n 20 -u {UNIT} >&2
exit 1
"""
STOP = f"""
systemctl stop {UNIT}
fsfreeze --unfreeze /srv/fleetdiag-nfs 2>/dev/null
ip link del fdlab0
rmdir {load_b.GROUP}
rm -f {load_b.COLD} {load_b.GO} {load_b.GO}.ready
"""


def each(work: Callable[[str], object]) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(work, HOSTS))


def begin(lab: Lab, host: str) -> None:
    nfs.start(lab, host)
    done = lab.ssh(host, START, timeout_s=300)
    assert done.returncode == 0, done.stderr


def end(lab: Lab, host: str) -> None:
    lab.ssh(host, STOP, timeout_s=300)
    nfs.stop(lab, host)


class Clock(threading.Thread):
    """Tells the machines the sweep's window as soon as it is set, so that they work within it alone."""

    def __init__(self, lab: Lab, runs: Path) -> None:
        super().__init__(daemon=True)
        self.lab, self.runs, self.over = lab, runs, threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.3):
            for window in self.runs.glob("*/window.json"):
                times = json.loads(window.read_text())
                go = f"echo {times['start']} {times['end']} >{load_b.GO}"
                each(functools.partial(self.lab.ssh, script=go))
                return


@pytest.fixture(scope="module")
def run(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a sweep of all of them while load_b.py works."""
    runs = tmp_path_factory.mktemp("runs")
    words = [word for name in PROBES for word in ("--probe", name)]
    clock = Clock(lab, runs)
    try:
        each(lambda host: begin(lab, host))
        clock.start()
        done = sweep(lab, runs, "-l", ",".join(HOSTS), "--window", "60s", *words)
    finally:
        clock.over.set()
        each(lambda host: end(lab, host))
    hosts = coverage(report_of(newest(runs)))
    assert {hosts[host]["status"] for host in HOSTS} <= SWEPT, done.stderr
    return newest(runs)


@pytest.fixture(scope="module")
def report(run: Path) -> dict[str, Any]:
    return report_of(run)


def those(seen: list[dict[str, Any]], **wanted: Any) -> list[dict[str, Any]]:
    found = [row for row in seen if all(row[name] == value for name, value in wanted.items())]
    assert found, f"no row with {wanted} among {seen}"
    return found


each_host = pytest.mark.parametrize("host", HOSTS)


def test_all_of_them_build_where_no_debuginfo_is_installed(lab: Lab, run: Path) -> None:
    assert_built_from_headers(lab, run, PROBES, kernels=len(HOSTS))


@each_host
def test_a_write_to_a_frozen_file_system_is_a_slow_operation(report: dict[str, Any], host: str) -> None:
    (row,) = those(
        rows(report, "slow_fs_ops", "operations", host),
        operation="write",
        path="/srv/fleetdiag-nfs/local.dat",
    )
    assert (row["file_system"], row["process"]) == ("ext4", "lab_write")
    assert row["longest"] > load_b.FROZEN_S * 0.9


@each_host
def test_a_call_by_path_is_named_from_the_root_directory(report: dict[str, Any], host: str) -> None:
    (row,) = those(
        rows(report, "slow_fs_ops", "operations", host),
        operation="create",
        path="/srv/fleetdiag-nfs/made",
    )
    assert (row["file_system"], row["process"]) == ("ext4", "lab_mkdir")
    assert row["longest"] > load_b.FROZEN_S * 0.9


@each_host
def test_cold_files_are_misses_and_warm_ones_hits(report: dict[str, Any], host: str) -> None:
    seen = rows(report, "page_cache", "processes", host)
    pages = load_b.COLD_MB << 8
    for row in those(seen, process="lab_cold"):
        assert row["asked"] == pytest.approx(pages, rel=0.03)
        assert row["misses"] == pytest.approx(pages, rel=0.03)
    for row in those(seen, process="lab_warm"):
        assert row["hits"] == pytest.approx(pages, rel=0.03)
        assert row["misses"] < 0.05 * pages


@each_host
def test_a_group_at_its_limit_stalls_and_the_thread_in_the_background_wakes_up(
    report: dict[str, Any], host: str
) -> None:
    stalls = those(rows(report, "reclaim", "stalls", host), kind="control group", process="lab_group")
    assert sum(row["pages"] for row in stalls) > 100
    assert sum(row["time"] for row in stalls) > 0
    (kswapd,) = those(rows(report, "reclaim", "background", host), thread="kswapd")
    assert kswapd["wakeups"] > 0
    assert kswapd["time"] > 0


@each_host
@pytest.mark.parametrize("address", ["192.0.2.2", "2001:db8::2"])
def test_segments_that_nobody_answers_are_sent_again(report: dict[str, Any], host: str, address: str) -> None:
    (row,) = those(
        rows(report, "tcp_retransmit", "retransmissions", host), remote_address=address, remote_port=81
    )
    assert (row["state"], row["local_port"]) == ("SYN_SENT", 0)
    assert row["segments"] == row["timeouts"] > 0


@each_host
@pytest.mark.parametrize("address", ["192.0.2.2", "2001:db8::2"])
def test_an_attempt_to_connect_that_is_given_up_has_failed(
    report: dict[str, Any], host: str, address: str
) -> None:
    seen = rows(report, "tcp_connect", "connections", host)
    (row,) = those(seen, remote_address=address, result="given up")
    assert (row["process"], row["remote_port"]) == ("lab_connect", 81)
    assert row["failed"] == row["attempts"] > 0
    assert load_b.GIVEN_UP_S * 0.9 < row["longest"] < 10


@each_host
def test_connections_that_are_made_or_refused_are_told_apart(report: dict[str, Any], host: str) -> None:
    seen = rows(report, "tcp_connect", "connections", host)
    (refused,) = those(seen, remote_address="127.0.0.1", remote_port=9)
    assert (refused["result"], refused["process"]) == ("ECONNREFUSED", "lab_connect")
    (made,) = those(seen, remote_address="127.0.0.1", remote_port=5997, result="connected")
    assert made["failed"] == 0
    assert sum(row["attempts"] for row in rows(report, "tcp_connect", "lengths", host)) == sum(
        row["attempts"] for row in seen
    )


@each_host
def test_packets_for_a_socket_that_nobody_reads_are_dropped_by_name(
    report: dict[str, Any], host: str
) -> None:
    (row,) = those(rows(report, "socket_drops", "drops", host), reason="SOCKET_RCVBUFF", port=5999)
    assert row["protocol"] == "udp"
    assert row["packets"] == row["overflows"] > 50


@each_host
def test_connections_that_nobody_accepts_are_dropped(report: dict[str, Any], host: str) -> None:
    (row,) = those(rows(report, "socket_drops", "listeners", host), port=5998)
    assert (row["waiting"], row["limit"]) == (2, 1)
    assert row["dropped"] > 0


@each_host
def test_the_nfs_client_waits_for_the_server(report: dict[str, Any], host: str) -> None:
    requests = rows(report, "nfs_client", "requests", host)
    (write,) = those(requests, server="127.0.0.1", protocol="nfs4", operation="WRITE")
    assert write["longest"] > load_b.FROZEN_S * 0.9
    assert write["round_trip_time"] <= write["time"]
    (slow,) = those(rows(report, "nfs_client", "files", host), operation="fsync", path=nfs.SLOW_FILE)
    assert slow["process"] == "lab_nfs"
    assert slow["longest"] > load_b.FROZEN_S * 0.9
    assert sum(row["requests"] for row in rows(report, "nfs_client", "lengths", host)) == sum(
        row["requests"] for row in requests
    )


@each_host
def test_the_nfs_server_waits_for_its_file_system(report: dict[str, Any], host: str) -> None:
    operations = rows(report, "nfs_server", "operations", host)
    (write,) = those(operations, client="127.0.0.1", version=4, operation="WRITE")
    assert write["longest"] > load_b.FROZEN_S * 0.9
    assert load_b.FROZEN_S * 0.9 < write["file_system_time"] <= write["time"]
    (sequence,) = those(operations, operation="SEQUENCE")
    assert sequence["file_system_time"] == 0
    read = next(row for row in operations if row["operation"] in ("READ", "READ_PLUS"))
    assert 0 < read["file_system_time"] <= read["time"]
    (client,) = those(rows(report, "nfs_server", "clients", host), client="127.0.0.1")
    assert client["requests"] > 0
