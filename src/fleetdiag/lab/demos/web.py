# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job, shown: boot the lab, give it something to do, sweep it, show the report, end everything."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import names
from fleetdiag.lab import boot, inventory, log, machines_data, workload
from fleetdiag.lab.model import Lab

PROBES = ("fs_calltrace", "nettop", "disktop", "slow_open")
#: Registering thousands of kprobes takes minutes on an emulated machine: here it follows a listing only.
PARAMETERS = ("fs_calltrace.functions=*dir*", "fs_calltrace.process=ls")
WINDOW = "30s"

_SWEPT_FULLY = 0


def run(keep: bool = False) -> int:
    """Run the demo; 0 when the report names the slow file and nothing is left. `keep`: the lab stays up."""
    began = time.monotonic()
    problems: list[str] = []
    try:
        lab = boot.up()
        workload.start(lab)
        before = set(runs())
        with log.step(f"sweep of {', '.join(PROBES)}"):
            status = sweep(sweep_command(lab.inventory))
        if status != _SWEPT_FULLY:
            problems.append(f"the sweep ended with status {status}")
        problems += _missing_from_report(sorted(set(runs()) - before))
        workload.stop(lab)
        problems += left_behind(lab)
    finally:
        if not keep:
            with log.step("lab down"):
                boot.down()
    show_times(time.monotonic() - began)
    for problem in problems:
        print(f"demo: {problem}", file=sys.stderr)
    return 1 if problems else 0


def sweep(command: Sequence[str]) -> int:
    """Sweep to the end; the exit status. Who ends the demo meanwhile ends the sweep, in order, and the demo goes on."""
    with subprocess.Popen(command) as process:
        before = signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number))
        try:
            return process.wait()
        finally:
            signal.signal(signal.SIGTERM, before)


def sweep_command(inventory_file: Path) -> list[str]:
    """Return the sweep of the demo, as one would type it."""
    probes = [part for probe in PROBES for part in ("--probe", probe)]
    parameters = [part for parameter in PARAMETERS for part in ("--param", parameter)]
    fleetdiag = [sys.executable, "-m", "fleetdiag"]
    return [
        *fleetdiag,
        "sweep",
        "-i",
        str(inventory_file),
        "-l",
        "web",
        *probes,
        *parameters,
        "--window",
        WINDOW,
    ]


def runs() -> list[Path]:
    folder = names.default_runs_dir()
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _missing_from_report(new_runs: list[Path]) -> list[str]:
    """Return a sentence for everything that the report should name and does not."""
    if not new_runs:
        return ["the sweep left no run directory"]
    report = new_runs[-1] / "report.txt"
    if not report.is_file():
        return [f"{report} was not written"]
    lines = report.read_text(encoding="utf-8").splitlines()
    if any(workload.SLOW_FILE in line and machines_data.SLOW_HOST in line for line in lines):
        return []
    return [f"{report} does not name {machines_data.SLOW_HOST} and {workload.SLOW_FILE} in one line"]


def left_behind(lab: Lab) -> list[str]:
    """Return a sentence for each module of SystemTap that is still loaded somewhere."""
    problems = []
    for name in sorted(set(lab.machines) - {machines_data.BUILDER, inventory.GHOST}):
        done = lab.ssh(name, "cut -d' ' -f1 /proc/modules")
        if done.returncode:
            raise FleetdiagError(f"{name} does not answer after the sweep: {done.stderr.strip()}")
        modules = [module for module in done.stdout.split() if module.startswith(("fd_", "stap_"))]
        problems += [f"{name} still has the module {module} loaded" for module in modules]
    return problems


def show_times(total_s: float) -> None:
    print("\nWhere the time went (steps overlap):", file=sys.stderr)
    for what, seconds in log.steps:
        print(f"  {seconds:7.1f} s  {what}", file=sys.stderr)
    print(f"  {total_s:7.1f} s  in all", file=sys.stderr)
