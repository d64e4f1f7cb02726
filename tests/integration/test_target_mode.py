# SPDX-License-Identifier: GPL-3.0-or-later
"""Without a builder the first host of a kernel compiles. It takes long: `make test-target-mode` runs it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweeps import SWEPT, coverage, newest, report_of, sweep

from fleetdiag.lab import boot, mirror
from fleetdiag.lab.model import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        "FLEETDIAG_TEST_TARGET_MODE" not in os.environ,
        reason="takes long: run it with `make test-target-mode`",
    ),
]


@pytest.fixture
def connected(lab: Lab) -> Iterator[Lab]:
    """web3 with the distribution's archive as one more apt source; afterwards as it was."""
    source = f"deb {mirror.find()} forky main"
    lab.ssh(
        "web3",
        f"echo '{source}' >/etc/apt/sources.list.d/archive.list;"
        "echo 'Acquire::Check-Valid-Until \"false\";' >/etc/apt/apt.conf.d/99archive; apt-get -qq update",
        timeout_s=900,
    )
    yield lab
    boot.up(["web3"], with_old=True, with_ghost=True, fresh=True)


def test_the_first_host_of_a_kernel_builds_for_it(connected: Lab, catalog: Path, tmp_path: Path) -> None:
    done = sweep(
        *(connected, tmp_path, "-l", "web3", "--window", "5s", "--catalog", str(catalog), "--probe", "tick"),
        *("-e", "sweep_builder_group=none", "-e", "sweep_task_timeout=5000"),
    )
    run = newest(tmp_path)
    (build,) = (run / "builds").iterdir()
    record = json.loads(build.read_text())
    assert record["builder"] == "web3"
    assert record["probes"]["tick"]["status"] == "built", done.stdout + done.stderr
    assert coverage(report_of(run))["web3"]["status"] in SWEPT, done.stdout
