# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts that read parameters, members and return values by what the kernels tell of themselves (BTF).

What each has to count and to add up is known, because one process does just so much of it, on both kernels.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import known_figures
import pytest
from known_figures import KNOWN
from sweeps import ENVIRONMENT, ROOT, SWEPT, await_window, coverage, newest, report_of

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from fleetdiag.lab.model import Lab

pytestmark = [pytest.mark.lab, pytest.mark.long("twenty scripts for two kernels, a quarter of an hour")]

HOSTS = ("web1", "web3")  # 6.12 and 7.x


@pytest.fixture
def _at_rest(lab: Lab) -> Iterator[None]:
    yield
    for host in HOSTS:
        known_figures.remove(lab, host)


@pytest.mark.usefixtures("_at_rest")
def test_each_script_counts_what_was_done(lab: Lab, tmp_path: Path) -> None:
    asked = known_figures.write_scripts(tmp_path, KNOWN)
    for host in HOSTS:
        known_figures.bring(lab, host)
    runs = tmp_path / "runs"
    command = [sys.executable, "-m", "fleetdiag", "sweep", "-i", str(lab.inventory), "--runs-dir", str(runs)]
    command += ["-l", ",".join(HOSTS), "--window", "60s", *asked]
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as sweeping:
        await_window(runs, *HOSTS)
        for host in HOSTS:
            known_figures.run_once(lab, host)
        said, _ = sweeping.communicate()
    run = newest(runs)
    covered = coverage(report_of(run))
    assert {covered[host]["status"] for host in HOSTS} <= SWEPT, said
    builds = read.open_run(run).builds()
    assert len(builds) == len(HOSTS)
    for kernel, build in builds.items():
        failed = {name: module.error for name, module in build.probes.items() if module.failed}
        assert failed == {}, kernel
        assert {module.types for module in build.probes.values()} == {"btf"}, kernel
    assert known_figures.wrong(run, HOSTS, KNOWN) == {}
