# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the operator's ansible.cfg says, a sweep keeps its promises; and how a first contact fails (see loopback)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from loopback import PROGRAMS, Fleet, lacking
from loopsweeps import SWEPT, command, how
from sweeps import coverage, newest, report_of

pytestmark = pytest.mark.skipif(bool(lacking()), reason=f"needs root and {', '.join(PROGRAMS)}")

CONTRARY = """
[defaults]
any_errors_fatal = true
task_timeout = 1
forks = 1
strategy = free
force_color = true
gathering = smart
fact_caching = jsonfile
fact_caching_connection = {folder}/facts
enable_task_debugger = true
host_pattern_mismatch = error
verbosity = 3
callbacks_enabled = ansible.builtin.timer
[tags]
run = nothing
skip = all
"""


def swept(made: Fleet, runs: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a sweep in which the environment says something of its own."""
    options = how(made)
    options["env"] = {**options["env"], **variables}
    return subprocess.run(command(made, runs, *words), **options, check=False)


def test_no_setting_of_the_operators_ends_a_sweep(hosts: Fleet, tmp_path: Path) -> None:
    config, gone = tmp_path / "ansible.cfg", tmp_path / "gone.yml"
    config.write_text(CONTRARY.format(folder=tmp_path))
    gone.write_text("web: {hosts: {gone: {ansible_host: 127.0.0.1, ansible_port: 9}}}\n")
    done = swept(hosts, tmp_path / "runs", "-i", str(gone), ANSIBLE_CONFIG=str(config))
    rows = coverage(report_of(newest(tmp_path / "runs")))
    assert rows["gone"]["status"] == "unreachable"
    assert {rows[name]["status"] for name in hosts.names} <= SWEPT, done.stderr
    assert done.returncode == 3
    assert "matches no host" not in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
