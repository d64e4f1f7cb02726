# SPDX-License-Identifier: GPL-3.0-or-later
"""What the integration tests share: run the command, read a report, look for what a sweep left on a host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from fleetdiag import paths
from fleetdiag.lab import soak
from fleetdiag.lab.model import Lab

ROOT = Path(__file__).resolve().parents[2]
WEB = ("web1", "web2", "web3")
SWEPT = {"probed", "degraded"}  # a machine that is busy with other things makes hosts late, and says so
# Tests that run side by side have a lab and a memory of its hosts for each process.
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    os.environ["XDG_STATE_HOME"] = str(paths.state_dir() / worker)
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / '.collections'}"}


# Probes of a catalog of one's own: one that works, one that does not compile, one that prints without end.
MANIFEST = """\
description: {0}
question: {0}?
output: rows
cost: low
limits: {{output_mb: 1, overload_percent: 50}}
tables:
  ticks:
    description: {0}.
    sort: -number
    columns:
      number: {{type: int, role: measure, merge: count, description: A number.}}
"""
# A script without a live probe point is refused.
EXECS = 'global execs\nprobe kernel.trace("sched:sched_process_exec") { if (fd_sampling()) execs++ }\n'
SCRIPTS = {
    "broken": "global good\nprobe no.such.point { if (fd_sampling()) good++ }\n"
    'probe end { printf("%s\\t%d\\n", fd_row("ticks"), good) }\n',
    "flood": EXECS + "probe timer.ms(2) {\n  if (!fd_sampling()) next\n"
    '  for (i = 0; i < 200; i++) printf("%s\\t%d\\n", fd_row("ticks"), execs)\n}\n',
    "tick": EXECS + "probe timer.ms(500) {\n  if (!fd_sampling()) next\n"
    '  printf("%s\\t%d\\n", fd_row("ticks"), execs)\n}\n',
}


def fleetdiag(*args: str) -> subprocess.CompletedProcess[str]:
    """`fleetdiag ARGS` as a person would run it, from the source tree."""
    command = [sys.executable, "-m", "fleetdiag", *args]
    return subprocess.run(command, text=True, capture_output=True, check=False, cwd=ROOT, env=ENVIRONMENT)


def ansible(program: str, *args: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A program of Ansible itself, with its own settings only."""
    return subprocess.run(
        [sys.executable, "-m", "ansible", program, *args],
        cwd="/",
        env={**ENVIRONMENT, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), **settings},
        text=True,
        capture_output=True,
        check=False,
    )


def builder_kernel(lab: Lab) -> str:
    """The oldest kernel the builder has headers for that can be probed."""
    releases = lab.ssh("builder", "ls /lib/modules").stdout.split()
    return next(release for release in sorted(releases) if release.startswith("6.12"))


def sweep(lab: Lab, runs: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """`fleetdiag sweep` on the lab; its run directory is `newest(runs)`."""
    return fleetdiag("sweep", "-i", str(lab.inventory), "--runs-dir", str(runs), *args)


def newest(runs: Path) -> Path:
    """The run directory made last: ids begin with the time."""
    return max(path for path in runs.iterdir() if path.is_dir())


def report_of(run: Path) -> dict[str, Any]:
    """report.json of a run directory."""
    return dict(json.loads((run / "report.json").read_text()))


def coverage(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """{host: its row of the coverage table}; every host is there once."""
    rows = {row["host"]: row for row in report["coverage"]}
    assert len(rows) == len(report["coverage"])
    return rows


def probe(report: dict[str, Any], name: str) -> dict[str, Any]:
    """One probe's section."""
    return next(section for section in report["probes"] if section["name"] == name)


def rows(report: dict[str, Any], name: str, table: str = "", host: str = "") -> list[dict[str, Any]]:
    """Rows of a probe's table, its first if none is named, as {"host", key columns, measures}; of one host, if named."""
    found = next(one for one in probe(report, name)["tables"] if table in ("", one["name"]))
    keys = [column["name"] for column in found["columns"] if column["role"] == "key"]
    measures = [column["name"] for column in found["columns"] if column["role"] == "measure"]
    return [
        {
            "host": row["host"],
            **dict(zip(keys, row["key"], strict=True)),
            **dict(zip(measures, row["values"], strict=True)),
        }
        for row in found["rows"]
        if host in ("", row["host"])
    ]


def assert_built_from_headers(lab: Lab, run: Path, probes: Sequence[str], kernels: int) -> None:
    """Each of these shipped probes was compiled for so many kernels where no debuginfo is installed.

    A kernel whose hosts run too old a staprun has a record without probes: it says why nothing was compiled.
    """
    installed = lab.ssh(
        "builder", "ls /usr/lib/debug/boot/vmlinux-* /usr/lib/debug/lib/modules/*/vmlinux"
    ).stdout
    assert installed == "", "a builder with debuginfo proves nothing: `fleetdiag lab down`, then again"
    for name in probes:
        assert not catalog.load_probe(catalog.shipped() / name).requires_debuginfo
    builds = [json.loads(path.read_text()) for path in (run / "builds").iterdir()]
    built = [build for build in builds if build["probes"]]
    assert len(built) == kernels, builds
    for build in built:
        assert {build["probes"][name]["status"] for name in probes} <= {"built", "cached"}, build


def window_of(run: Path) -> dict[str, float]:
    """When the hosts of a sweep without batches were to sample."""
    window = json.loads((run / "window.json").read_text())
    return {edge: window[edge] for edge in ("start", "end")}


def left_behind(lab: Lab, host: str) -> str:
    """What any sweep left on a host: modules, units, spool, lock, files in /tmp. Empty when it is clean."""
    return lab.ssh(
        host,
        "grep ^fd_ /proc/modules; ls /proc/systemtap 2>/dev/null; systemctl list-units --all --no-legend 'fd-*';"
        "ls -d /run/systemd/system/fd-* /run/fleetdiag.lock 2>/dev/null; ls /var/lib/fleetdiag/sweeps 2>/dev/null;"
        "ls -d /tmp/stap* /tmp/fd* /var/tmp/fd* 2>/dev/null",
    ).stdout


def assert_on_time_or_said(row: dict[str, Any], seconds: float) -> None:
    """Fail when a host of the coverage began or ended so much beside its window and does not say that."""
    assert row["late_s"] < seconds or ": late " in row["reason"], row
    assert row["early_s"] < seconds or " early" in row["reason"], row


def await_window(runs: Path, *hosts: str) -> None:
    """Wait until these hosts have their window in the one sweep below `runs`."""
    wait_until(
        lambda: any(
            all(soak.has_window(run, host, time.time()) for host in hosts) for run in runs.glob("*/")
        ),
        "the window opens",
        300,
    )


def wait_until(true: Callable[[], bool], what: str, seconds: float) -> None:
    """Ask again until it is true; there is nothing on these machines that could call us.

    seconds: how long it takes at most on a machine that does nothing else; a busy one gets four times as long.
    """
    deadline = time.monotonic() + 4 * seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {4 * seconds:.0f} s: {what}"
        time.sleep(0.5)
