# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job on real kernels: one sweep of the article's four probes, and what must be true of it afterwards."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sweeps import (
    SWEPT,
    WEB,
    assert_built_from_headers,
    assert_on_time_or_said,
    coverage,
    left_behind,
    newest,
    probe,
    report_of,
    rows,
    sweep,
    window_of,
)

from fleetdiag.lab import workload
from fleetdiag.lab.demos.web import PARAMETERS
from fleetdiag.lab.model import Lab

pytestmark = pytest.mark.lab

PROBES = ("fs_calltrace", "nettop", "disktop", "slow_open")
SYSCTLS = "cat /proc/sys/kernel/kptr_restrict /proc/sys/debug/kprobes-optimization"


class Swept(NamedTuple):
    """A finished sweep: its command, run directory and report."""

    command: subprocess.CompletedProcess[str]
    run: Path
    report: dict[str, Any]


@pytest.fixture(scope="module")
def sysctls(lab: Lab) -> dict[str, str]:
    """The settings staprun changes and never undoes, as a hardened host has them, before the first sweep."""
    for host in WEB:
        lab.ssh(host, "echo 2 >/proc/sys/kernel/kptr_restrict; echo 1 >/proc/sys/debug/kprobes-optimization")
    return {host: lab.ssh(host, SYSCTLS).stdout for host in WEB}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def swept(lab: Lab, sysctls: dict[str, str], runs: Path) -> Swept:
    """All four probes on all hosts of the lab, while the web machines work."""
    words = [word for name in PROBES for word in ("--probe", name)]
    words += [word for value in PARAMETERS for word in ("--param", value)]
    workload.start(lab)
    try:
        done = sweep(lab, runs, "-l", "web:old", "--window", "30s", *words)
    finally:
        workload.stop(lab)
    run = newest(runs)
    return Swept(done, run, report_of(run))


def test_every_host_is_covered_and_a_bad_one_costs_the_others_nothing(swept: Swept) -> None:
    hosts = coverage(swept.report)
    assert set(hosts) == {*WEB, "old1", "ghost"}
    assert {hosts[host]["status"] for host in WEB} <= SWEPT
    assert hosts["ghost"]["status"] == "unreachable"
    assert swept.command.returncode == 3, swept.command.stderr


def test_the_old_host_is_refused_with_reason_and_remedy(swept: Swept) -> None:
    old = coverage(swept.report)["old1"]
    assert old["status"] == "refused"
    assert "staprun 4.8" in old["reason"]
    assert "5.0" in old["reason"]
    assert old["remedy"]


def test_all_of_them_build_where_no_debuginfo_is_installed(lab: Lab, swept: Swept) -> None:
    assert_built_from_headers(lab, swept.run, PROBES, kernels=2)


def test_the_slow_file_is_named_with_its_host_and_process(swept: Swept) -> None:
    slow = [row for row in rows(swept.report, "slow_open") if row["path"].endswith("/lectura_lenta.html")]
    assert slow
    assert {row["host"] for row in slow} == {"web3"}
    assert {row["process"] for row in slow} == {"apache2"}
    assert max(row["seconds"] for row in slow) > 8


def test_every_host_shows_who_moves_packets(swept: Swept) -> None:
    seen = rows(swept.report, "nettop")
    for host in WEB:
        processes = {row["process"] for row in seen if row["host"] == host}
        assert "apache2" in processes, f"{host}: {processes}"
        assert any(name.startswith("sshd") for name in processes), f"{host}: {processes}"
        assert sum(row["sent_packets"] + row["received_packets"] for row in seen if row["host"] == host) > 0


def test_every_host_shows_the_writers_bytes(swept: Swept) -> None:
    for host in WEB:
        written = [
            row["write_bytes"]
            for row in rows(swept.report, "disktop")
            if row["host"] == host and row["process"] == "lab_writer"
        ]
        assert sum(written) > 1_000_000, host


def test_the_call_tree_of_ls_has_callers_and_callees(swept: Swept) -> None:
    calls = {entry["host"]: entry["trees"] for entry in probe(swept.report, "fs_calltrace")["calls"]}
    for host in WEB:
        (tree,) = [tree for tree in calls[host] if tree["process"] == "ls"]
        assert max(len(node["path"]) for node in tree["nodes"]) >= 2
        assert all(node["count"] > 0 for node in tree["nodes"])
        assert any(node["total_us"] > 0 for node in tree["nodes"])


def test_all_hosts_sampled_the_same_instants_by_their_own_clocks(swept: Swept) -> None:
    window = window_of(swept.run)
    assert window["end"] - window["start"] == 30
    for host in WEB:
        row = coverage(swept.report)[host]
        assert row["clock_error_s"] < 10  # half of the way there and back
        assert_on_time_or_said(row, 1)


def test_nothing_is_left_on_any_host(swept: Swept, lab: Lab, sysctls: dict[str, str]) -> None:
    for host in (*WEB, "old1"):
        assert left_behind(lab, host) == "", host
    assert {host: lab.ssh(host, SYSCTLS).stdout for host in WEB} == sysctls


def test_the_run_directory_is_nobody_elses_business(swept: Swept) -> None:
    assert swept.run.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in swept.run.rglob("*"))


def test_a_second_sweep_compiles_and_pushes_nothing_whatever_the_load_parameters(
    swept: Swept, lab: Lab, runs: Path
) -> None:
    done = sweep(
        lab,
        runs,
        "-l",
        "web:!ghost",
        "--window",
        "5s",
        "--probe",
        "slow_open",
        "--param",
        "slow_open.threshold_ms=50",
    )
    run = newest(runs)
    assert run != swept.run
    assert done.returncode == 0, done.stdout + done.stderr
    for build in (run / "builds").iterdir():
        assert {entry["status"] for entry in json.loads(build.read_text())["probes"].values()} == {"cached"}
    for host in WEB:
        arm = json.loads((run / "hosts" / host / "arm.json").read_text())
        assert (arm["pushed"], arm["smoke"]) == (0, "cached")
