# SPDX-License-Identifier: GPL-3.0-or-later
"""Trouble on one host while the window is open: its row says so, the other hosts lose nothing, it is left clean."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweeps import (
    ENVIRONMENT,
    ROOT,
    SWEPT,
    await_window,
    builder_kernel,
    coverage,
    fleetdiag,
    left_behind,
    newest,
    report_of,
    rows,
    wait_until,
)

from fleetdiag.lab import backdoor, boot
from fleetdiag.lab.model import Lab

pytestmark = pytest.mark.lab

WELL, ILL = "web1", "web2"
BOTH = (WELL, ILL)


@contextlib.contextmanager
def window_open(
    lab: Lab, catalog: Path, runs: Path, first: str, *more: str
) -> Iterator[subprocess.Popen[str]]:
    """A sweep of the probe `tick` on both hosts, whose window has just been opened on `first`; ended at the end."""
    command = [
        *(sys.executable, "-m", "fleetdiag", "sweep", "-i", str(lab.inventory), "--runs-dir", str(runs)),
        *("-l", ",".join(BOTH), "--window", "15s", "--catalog", str(catalog), "--probe", "tick", *more),
    ]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, **pipes) as sweeping:
        await_window(runs, first)
        yield sweeping
        said, _ = sweeping.communicate(timeout=600)
        assert "Traceback" not in said


def brought_later(lab: Lab, run: Path) -> None:
    """What is still on the host comes with `fleetdiag collect`, and is in the report then."""
    brought = fleetdiag("collect", str(run), "-i", str(lab.inventory))
    assert brought.returncode == 0, brought.stdout + brought.stderr
    report = report_of(run)
    assert coverage(report)[ILL]["status"] in SWEPT
    assert rows(report, "tick", host=ILL)
    assert [left_behind(lab, host) for host in BOTH] == ["", ""]


def test_a_host_that_goes_away_in_the_window_is_collected_from_later(
    lab: Lab, catalog: Path, tmp_path: Path
) -> None:
    with window_open(lab, catalog, tmp_path, ILL) as sweeping:
        backdoor.cut(lab, ILL)
        try:
            sweeping.wait(600)
        finally:
            backdoor.mend(lab, ILL)
    run = newest(tmp_path)
    report = report_of(run)
    hosts = coverage(report)
    assert hosts[WELL]["status"] in SWEPT
    assert rows(report, "tick", host=WELL)
    assert hosts[ILL]["status"] == "unreachable"
    assert "fleetdiag collect" in hosts[ILL]["remedy"]
    brought_later(lab, run)


def test_a_full_disk_costs_what_its_host_prints_from_then_on_and_says_so(
    lab: Lab, catalog: Path, tmp_path: Path
) -> None:
    filler = "/var/lib/lab-filler"
    with window_open(lab, catalog, tmp_path, ILL, "--probe", "flood") as sweeping:
        # What fallocate is not given, single blocks take.
        lab.ssh(
            ILL,
            f"fallocate -l $(($(stat -f -c '%f * %S' /) - 4194304)) {filler}; cat /dev/zero >{filler}.more; sync",
        )
        try:
            sweeping.wait(600)
            left = left_behind(lab, ILL)
        finally:
            lab.ssh(ILL, f"rm -f {filler} {filler}.more")
    assert left == ""
    run = newest(tmp_path)
    report = report_of(run)
    hosts = coverage(report)
    assert hosts[WELL]["status"] in SWEPT, hosts[WELL]
    assert rows(report, "tick", host=WELL)
    assert hosts[ILL]["status"] == "degraded"
    assert "flood: cut off before the end" in hosts[ILL]["reason"]
    said = [word for word in ("has no room left", "could not be written") if word in hosts[ILL]["reason"]]
    assert len(said) == 1, hosts[ILL]["reason"]
    assert rows(report, "flood", host=ILL)


@pytest.fixture(scope="module")
def warning(lab: Lab) -> bytes:
    """A module whose kernel warns when it is loaded."""
    script = 'function warn_now() %{ WARN(1, "lab: on purpose\\n"); %}\nprobe begin { warn_now() exit() }\n'
    build = f"cd $(mktemp -d) && cat >w.stp && stap -g -p4 -r {builder_kernel(lab)} -m lab_warning w.stp >&2 && cat *.ko"
    built = subprocess.run(
        lab.ssh_command("builder", [build]), input=script.encode(), capture_output=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return built.stdout


def swept_while_a_canary_loads(lab: Lab, catalog: Path, runs: Path, module: bytes, load: str) -> None:
    """Sweep WELL before ILL; in its window WELL loads a module by the command `load`, and its kernel complains."""
    command = lab.ssh_command(WELL, [f"cat >/run/{load.split('/')[-1]} && {load}"])
    more = ("--canary", "1", "-e", json.dumps({"sweep_max_cpu_percent": 0}))
    with window_open(lab, catalog, runs, WELL, *more) as sweeping:
        subprocess.run(command, input=module, capture_output=True, check=False)
        sweeping.wait(600)
    assert sweeping.returncode == 3
    hosts = coverage(report_of(newest(runs)))
    assert hosts[WELL]["status"] == "degraded"
    assert "its kernel said: [" in hosts[WELL]["reason"]
    assert hosts[ILL]["status"] == "not probed"
    assert hosts[ILL]["reason"].startswith(f"canary {WELL}: its kernel said: ")
    assert [left_behind(lab, host) for host in BOTH] == ["", ""]


@pytest.mark.long("a minute; a canary of the loopback fleet is tested each time")
def test_a_warning_of_the_kernel_stops_the_sweep_after_its_canary(
    lab: Lab, catalog: Path, tmp_path: Path, warning: bytes
) -> None:
    swept_while_a_canary_loads(lab, catalog, tmp_path, warning, "staprun /run/lab_warning.ko")
    assert "WARNING: " in coverage(report_of(newest(tmp_path)))[WELL]["reason"]


@pytest.fixture(scope="module")
def oops(lab: Lab) -> bytes:
    """A module that writes to an address that is not mapped when it is loaded."""
    source = '#include <linux/module.h>\nMODULE_LICENSE("GPL");\nstatic int __init oops(void)\n'
    source += "{\n\t*(volatile int *)16 = 1;\n\treturn 0;\n}\nmodule_init(oops);\n"
    build = "cd $(mktemp -d) && cat >lab_oops.c && echo 'obj-m := lab_oops.o' >Kbuild &&"
    build += f" make -C /lib/modules/{builder_kernel(lab)}/build M=$PWD >&2 && cat lab_oops.ko"
    built = subprocess.run(
        lab.ssh_command("builder", [build]), input=source.encode(), capture_output=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return built.stdout


@pytest.mark.long("a machine boots after it")
def test_an_oops_of_the_kernel_stops_the_sweep_and_its_host_is_left_clean(
    lab: Lab, catalog: Path, tmp_path: Path, oops: bytes
) -> None:
    try:
        swept_while_a_canary_loads(lab, catalog, tmp_path, oops, "insmod /run/lab_oops.ko")
        assert "BUG: " in coverage(report_of(newest(tmp_path)))[WELL]["reason"]
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            lab.ssh(WELL, "echo b >/proc/sysrq-trigger", timeout_s=10)
        wait_until(lambda: WELL not in boot.running().machines, "the machine is down", 60)
        boot.again(WELL)
