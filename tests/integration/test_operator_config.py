# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the operator's ansible.cfg says, a sweep keeps its promises; and how a first contact fails (see loopback)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from loopback import PROGRAMS, Fleet, lacking
from loopsweeps import PROBES, how, swept, verbs
from sweeps import SWEPT, ansible, coverage, newest, report_of

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import names

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


def test_a_dry_run_only_asks(hosts: Fleet, tmp_path: Path) -> None:
    hosts.forget_commands()
    done = swept(hosts, tmp_path, "--dry-run")
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert [line.partition(",")[0] for line in said[:3]] == [
        f"{name}  would be probed" for name in hosts.names
    ]
    assert any(
        re.fullmatch(r"for .*: nothing to compile; kept from before: nettop, slow_open", line)
        for line in said
    )
    for number in range(1, len(hosts.names) + 1):
        assert not {"arm", "go", "collect"} & set(verbs(hosts, number))
    assert list(tmp_path.iterdir()) == []


def test_check_mode_of_the_playbook_alone_says_what_a_sweep_would_do(hosts: Fleet, tmp_path: Path) -> None:
    """Without the callback, too; it is no sweep, so that no later one is compared with it."""
    hosts.forget_commands()
    wanted = {"probes": list(PROBES), "window": 2, "sweep_runs_dir": str(tmp_path), "sweep_install": False}
    words = ("-i", str(hosts.inventory), "fleetdiag.systemtap.sweep", "-e", json.dumps(wanted))
    done = ansible("playbook", "--check", *words, **how(hosts)["env"])
    assert done.returncode == 0, done.stdout + done.stderr
    for number, name in enumerate(hosts.names, 1):
        sentence = f"would be probed with {', '.join(PROBES)} on kernel"
        assert re.search(rf"\[{name}\][^\[]*{sentence}", done.stdout, re.DOTALL), done.stdout
        assert not {"arm", "go", "collect"} & set(verbs(hosts, number))
    assert "would compile" in done.stdout or "nothing to compile" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == [names.CHECKED]


def test_check_mode_of_abort_ends_nothing(hosts: Fleet) -> None:
    hosts.forget_commands()
    words = ("-i", str(hosts.inventory), "fleetdiag.systemtap.abort")
    done = ansible("playbook", "--check", *words, **how(hosts)["env"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "would be ended" in done.stdout
    assert hosts.commands(1) == []
