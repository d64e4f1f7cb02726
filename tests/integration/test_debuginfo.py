# SPDX-License-Identifier: GPL-3.0-or-later
"""The debuginfo path for one kernel: 5 GB on the builder, so only `make test-debuginfo` runs it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from sweeps import SWEPT, coverage, newest, report_of, rows, sweep

from fleetdiag.lab.model import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        "FLEETDIAG_TEST_DEBUGINFO" not in os.environ, reason="5 GB: run it with `make test-debuginfo`"
    ),
]

MANIFEST = """\
description: Sizes of reads, from a function's own argument.
question: How much do reads ask for?
output: rows
cost: medium
requires: {debuginfo: true}
limits: {overload_percent: 50}
tables:
  reads:
    description: Reads.
    sort: -bytes
    columns:
      process: {type: string, role: key, description: Process.}
      bytes: {type: bytes, unit: B, role: measure, merge: sum, description: Bytes asked for.}
"""
SCRIPT = """\
global asked[1000]
probe kernel.function("vfs_read") {
  if (fd_sampling()) asked[execname()] += $count
}
probe end {
  foreach (process in asked) printf("%s\\t%s\\t%d\\n", fd_row("reads"), fd_str(process), asked[process])
}
"""


def test_debuginfo_is_installed_for_the_kernel_that_needs_it(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "catalog" / "read_sizes"
    folder.mkdir(parents=True)
    (folder / "probe.yml").write_text(MANIFEST)
    (folder / "read_sizes.stp").write_text(SCRIPT)
    runs = tmp_path / "runs"
    done = sweep(
        *(
            lab,
            runs,
            "-l",
            "web3",
            "--window",
            "5s",
            "--catalog",
            str(folder.parent),
            "--probe",
            "read_sizes",
        ),
        *("-e", "sweep_overload_percent=100"),
    )
    run = newest(runs)
    (build,) = (run / "builds").iterdir()
    assert json.loads(build.read_text())["probes"]["read_sizes"]["status"] in ("built", "cached"), done.stdout
    assert coverage(report_of(run))["web3"]["status"] in SWEPT
    assert sum(row["bytes"] for row in rows(report_of(run), "read_sizes")) > 0
    installed = lab.ssh(
        "builder", "ls -d /usr/lib/debug/boot/vmlinux-* /usr/lib/debug/lib/modules/*/vmlinux"
    ).stdout
    kernel = json.loads(build.read_text())["kernel"]
    assert installed.split(), "no debuginfo on the builder"
    assert all(kernel in path for path in installed.split()), installed
