# SPDX-License-Identifier: GPL-3.0-or-later
"""A slow file, slow connects and a busy writer, each on a machine of its own: the report names each, the worst first.

Then one of them has more work than processors, and the verdict says so.
"""

from __future__ import annotations

import gzip
import re
import shlex
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import load_scenario
import pytest
from sweeps import SWEPT, WEB, coverage, left_behind, newest, report_of, rows, sweep

from fleetdiag.lab.model import Lab

pytestmark = [pytest.mark.lab, pytest.mark.long("six minutes of sweeps")]

PROBES = ("slow_open", "tcp_connect", "disktop")
FILES, CONNECTS, WRITER = WEB
# What passes the device is delayed on the way there and on the way back.
DELAY = f"tc qdisc add dev lo root netem delay {load_scenario.CONNECT_DELAY_MS // 2}ms"
UNIT = "fleetdiag-scenario"
SCRIPT = shlex.quote(Path(load_scenario.__file__).read_text())
CLEAN = "rm -f /srv/informe* /var/tmp/scenario-writer.dat; tc qdisc del dev lo root 2>/dev/null; true"


def start(load: str) -> str:
    """The command that starts one of the loads."""
    return f"systemd-run -q --collect --unit={UNIT}-{load} -p RuntimeMaxSec=1800 python3 -c {SCRIPT} {load}"


@contextmanager
def loaded(lab: Lab, commands: dict[str, Sequence[str]]) -> Iterator[None]:
    """Run these commands on the machines named; what they started is ended afterwards."""
    with ThreadPoolExecutor() as pool:
        try:
            for done in pool.map(lambda host: lab.ssh(host, " && ".join(commands[host])), commands):
                assert done.returncode == 0, done.stderr
            yield
        finally:
            list(pool.map(lambda host: lab.ssh(host, f"systemctl stop '{UNIT}-*'; {CLEAN}"), commands))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def swept(lab: Lab, runs: Path) -> Path:
    """The run directory of one sweep of all three while they do what is planted."""
    planted = {
        FILES: [start("files"), start("connects")],
        CONNECTS: [DELAY, start("connects")],
        WRITER: [start("writer"), start("connects")],
    }
    with loaded(lab, planted):
        words = [word for name in PROBES for word in ("--probe", name)]
        done = sweep(lab, runs, "-l", ",".join(WEB), "--window", "30s", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return newest(runs)


@pytest.fixture(scope="module")
def report(swept: Path) -> dict[str, Any]:
    return report_of(swept)


def finding(report: dict[str, Any], probe: str, host: str) -> dict[str, Any]:
    """The finding of that probe and host, also as a symptom of another; all are shown if there is none."""
    told = [one for each in report["findings"] for one in (each, *each["symptoms"])]
    found = [one for one in told if (one["probe"], one["host"]) == (probe, host)]
    assert found, (probe, host, report["verdict"], [one["sentence"] for one in told])
    return dict(found[0])


def test_the_host_with_slow_files_is_named(report: dict[str, Any]) -> None:
    found = finding(report, "slow_open", FILES)
    assert "files open longer than 1 s, the longest " in found["sentence"]
    assert f"{load_scenario.SLOW_FILE} (scenario_files)" in found["sentence"]


def test_the_host_with_slow_connects_is_named_by_ten_of_them(report: dict[str, Any]) -> None:
    found = finding(report, "tcp_connect", CONNECTS)
    assert "mean time to connect" in found["sentence"]
    assert " attempts to connect only)" in found["sentence"]
    attempts = [
        row for row in rows(report, "tcp_connect", "connections", CONNECTS) if "scenario" in row["process"]
    ]
    assert 3 <= sum(row["attempts"] for row in attempts) <= 2 * load_scenario.CONNECTS
    assert found["value"] > load_scenario.CONNECT_DELAY_MS / 1000 * 0.9
    assert found["value"] > 3 * found["expected"]


def test_the_host_that_writes_is_named(report: dict[str, Any]) -> None:
    found = finding(report, "disktop", WRITER)
    assert "bytes written" in found["sentence"]
    assert "scenario_writer" in found["sentence"]


def test_the_verdict_begins_with_the_worst_symptom(report: dict[str, Any]) -> None:
    worst = report["findings"][0]
    assert (worst["probe"], worst["host"]) in (("slow_open", FILES), ("tcp_connect", CONNECTS))
    assert worst["severity"] in ("critical", "warning")
    assert report["verdict"].startswith(f"{worst['host']} is different: ")
    assert report["findings"][-1]["probe"] == "disktop", "what is merely more comes last"


def test_nothing_else_is_called_different(report: dict[str, Any]) -> None:
    planted = {("slow_open", FILES), ("tcp_connect", CONNECTS), ("disktop", WRITER)}
    claims = {(one["probe"], one["host"]) for one in report["findings"] if one["kind"] != "events"}
    assert claims == planted


def test_every_session_said_how_busy_its_host_was(swept: Path) -> None:
    for host in WEB:
        for name in PROBES:
            printed = gzip.decompress((swept / "hosts" / host / f"{name}.out.gz").read_bytes())
            (said,) = [line.split(b"\t")[4:] for line in printed.splitlines() if b"\t@load\t" in line]
            window_ms, processors, _before, _after, busy_ms, stolen_ms, late_ms, latest_ms = map(int, said)
            assert 20_000 < window_ms < 40_000
            assert processors == 1
            assert 0 < busy_ms <= window_ms + 1000
            assert 0 <= stolen_ms <= window_ms
            assert 0 <= latest_ms <= late_ms <= window_ms


def test_the_verdict_says_that_a_host_had_more_work_than_processors(
    report: dict[str, Any], lab: Lab, runs: Path
) -> None:
    assert coverage(report)[FILES]["status"] in SWEPT
    with loaded(lab, {FILES: [start("spin"), start("files")]}):
        done = sweep(lab, runs, "-l", ",".join(WEB), "--window", "30s", "--probe", "slow_open")
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = report_of(newest(runs))["verdict"]
    # The others may be, on a busy machine; the first is the one whose figures are said.
    said = rf"{FILES}\b[^(;]* overloaded \(({FILES}: )?[0-9.]+ tasks at a time on 1 processor"
    assert re.search(said, verdict), verdict


def test_nothing_is_left_on_any_host(report: dict[str, Any], lab: Lab) -> None:
    assert {host: left_behind(lab, host) for host in WEB if host in coverage(report)} == dict.fromkeys(
        WEB, ""
    )
