# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong in a sweep on real machines costs one sentence, never the other results, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from sweeps import (
    ENVIRONMENT,
    ROOT,
    SCRIPTS,
    SWEPT,
    WEB,
    ansible,
    await_window,
    coverage,
    fleetdiag,
    left_behind,
    newest,
    probe,
    report_of,
    sweep,
    wait_until,
)

from fleetdiag.lab.model import Lab

pytestmark = pytest.mark.lab


def test_a_broken_script_and_a_flood_cost_the_third_probe_nothing(
    lab: Lab, catalog: Path, tmp_path: Path
) -> None:
    words = [word for name in SCRIPTS for word in ("--probe", name)]
    done = sweep(lab, tmp_path, "-l", "web1", "--window", "8s", "--catalog", str(catalog), *words)
    run = newest(tmp_path)
    report = report_of(run)
    assert "Traceback" not in done.stdout + done.stderr
    host = coverage(report)["web1"]
    assert host["status"] == "degraded", host

    (failed,) = [build for build in report["builds"] if build["probe"] == "broken"]
    assert failed["status"] == "failed"
    assert "broken.stp:2" in failed["error"]

    assert "truncated" in host["reason"]
    assert "broken.stp:2" in host["reason"]
    collected = json.loads((run / "hosts" / "web1" / "collect.json").read_text())["sessions"]
    assert collected["flood"]["out_bytes"] == 1 << 20

    (total,) = [
        entry["total"] for entry in probe(report, "tick")["tables"][0]["hosts"] if entry["host"] == "web1"
    ]
    assert total["rows"] >= 8
    assert left_behind(lab, "web1") == ""


def unloaded(lab: Lab, host: str) -> bool:
    return "fd_" not in lab.ssh(host, "cat /proc/modules").stdout


def test_what_a_killed_controller_has_left_on_its_hosts_is_brought_later(
    lab: Lab, catalog: Path, tmp_path: Path
) -> None:
    command = [
        *(sys.executable, "-m", "fleetdiag", "sweep", "-i", str(lab.inventory), "--runs-dir", str(tmp_path)),
        *("-l", "web1,web3", "--window", "10s", "--catalog", str(catalog), "--probe", "tick"),
    ]
    sweeping = subprocess.Popen(
        command,
        cwd=ROOT,
        env=ENVIRONMENT,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    await_window(tmp_path, "web1", "web3")
    os.killpg(sweeping.pid, signal.SIGKILL)
    sweeping.wait()

    for host in ("web1", "web3"):
        wait_until(partial(unloaded, lab, host), f"{host} unloads", 60)
    run = newest(tmp_path)
    rendered = fleetdiag("report", str(run))
    assert "Traceback" not in rendered.stderr
    hosts = coverage(report_of(run))
    assert {hosts[host]["status"] for host in ("web1", "web3")} == {"not probed"}
    assert "interrupted" in hosts["web1"]["reason"]

    brought = fleetdiag("collect", str(run), "-i", str(lab.inventory))
    assert brought.returncode == 0, brought.stdout + brought.stderr
    hosts = coverage(report_of(run))
    assert {hosts[host]["status"] for host in ("web1", "web3")} <= SWEPT
    assert [left_behind(lab, host) for host in ("web1", "web3")] == ["", ""]


def test_without_the_callback_the_run_directory_is_rendered_later(
    lab: Lab, catalog: Path, tmp_path: Path
) -> None:
    variables = {
        "probes": ["tick"],
        "window": 5,
        "sweep_catalogs": [str(catalog)],
        "sweep_runs_dir": str(tmp_path),
    }
    words = ("-i", str(lab.inventory), "-l", "web1", "fleetdiag.systemtap.sweep", "-e", json.dumps(variables))
    play = ansible("playbook", *words)
    assert play.returncode == 0, play.stdout + play.stderr
    run = newest(tmp_path)
    assert not (run / "report.txt").exists()
    assert f"fleetdiag report {run}" in " ".join((play.stdout + play.stderr).split())
    assert fleetdiag("report", str(run)).returncode == 0
    assert coverage(report_of(run))["web1"]["status"] in SWEPT


def test_check_mode_asks_and_does_nothing(lab: Lab, catalog: Path, tmp_path: Path) -> None:
    variables = {"probes": ["tick"], "sweep_catalogs": [str(catalog)], "sweep_runs_dir": str(tmp_path)}
    words = ("-i", str(lab.inventory), "-l", "web1", "fleetdiag.systemtap.sweep", "-e", json.dumps(variables))
    play = ansible("playbook", "--check", *words, ANSIBLE_CALLBACKS_ENABLED="fleetdiag.systemtap.report")
    assert play.returncode == 0, play.stdout + play.stderr
    run = newest(tmp_path)
    assert [path.name for path in (run / "hosts" / "web1").iterdir()] == ["preflight.json"]
    assert not list((run / "builds").iterdir())
    assert coverage(report_of(run))["web1"]["status"] == "not probed"
    assert left_behind(lab, "web1") == ""


def test_a_builder_without_room_says_so(lab: Lab) -> None:
    source = {"name": "tick", "file": "tick.stp", "script": SCRIPTS["tick"], "key": "0" * 64}
    wanted = {"kernel": "6.12.0", "tapset": {}, "sources": [source], "min_free_mb": 99999999}
    words = (
        "builder",
        "-i",
        str(lab.inventory),
        "-m",
        "fleetdiag.systemtap.stap_compile",
        "-a",
        json.dumps(wanted),
    )
    said = ansible("adhoc", *words).stdout
    assert '"status": "failed"' in said
    assert "99999999 are needed: free space there" in said


def test_a_user_without_sudo_is_told_so(lab: Lab, catalog: Path, tmp_path: Path) -> None:
    lab.ssh(
        "web2",
        "id plain 2>/dev/null || useradd -m -s /bin/sh plain; mkdir -p ~plain/.ssh;"
        "cp ~fleet/.ssh/authorized_keys ~plain/.ssh/; chown -R plain ~plain/.ssh",
    )
    sweep(
        *(lab, tmp_path, "-l", "web2", "--window", "5s", "--catalog", str(catalog), "--probe", "tick"),
        *("-e", "ansible_user=plain"),
    )
    row = coverage(report_of(newest(tmp_path)))["web2"]
    assert row["status"] == "failed"
    assert "become root" in row["reason"]
    assert "give the password with -K" in row["reason"]


def test_too_little_room_refuses_a_host_before_anything_is_built(
    lab: Lab, catalog: Path, tmp_path: Path
) -> None:
    sweep(
        *(lab, tmp_path, "-l", "web:!ghost", "--window", "5s", "--catalog", str(catalog), "--probe", "tick"),
        *("-e", "sweep_min_free_mb=99999999"),
    )
    run = newest(tmp_path)
    hosts = coverage(report_of(run))
    assert {hosts[host]["status"] for host in WEB} == {"refused"}
    assert "99999999" in hosts["web1"]["reason"]
    assert not list((run / "builds").iterdir())


def test_an_unreachable_builder_costs_its_kernels_and_says_so(
    lab: Lab, never_built: Path, tmp_path: Path
) -> None:
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(
        "all:\n  children:\n    systemtap_builders:\n      hosts:\n        builder: {ansible_port: 9}\n"
    )
    runs = tmp_path / "runs"
    sweep(
        *(lab, runs, "-i", str(inventory), "-l", "web1", "--window", "5s", "--catalog", str(never_built)),
        *("--probe", "fresh"),
    )
    row = coverage(report_of(newest(runs)))["web1"]
    assert row["status"] == "refused"
    assert row["reason"] == "the builder builder cannot be reached"
    assert row["remedy"]


def test_no_builder_and_no_host_that_can_build(lab: Lab, never_built: Path, tmp_path: Path) -> None:
    """web2's only apt source is the lab's own, which has no compiler and no newer SystemTap."""
    runs = tmp_path / "runs"
    sweep(
        *(lab, runs, "-l", "web2", "--window", "5s", "--catalog", str(never_built), "--probe", "fresh"),
        *("-e", "sweep_builder_group=none"),
    )
    row = coverage(report_of(newest(runs)))["web2"]
    assert row["status"] == "refused"
    assert "install_mirror" in row["reason"]
