# SPDX-License-Identifier: GPL-3.0-or-later
"""A sweep that ends after preflight asks every host once, also those that are known, and does nothing else there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from loopback import PROGRAMS, Fleet, lacking
from loopsweeps import HOSTS, sweep, verbs
from sweeps import newest

pytestmark = pytest.mark.skipif(bool(lacking()), reason=f"needs root and {', '.join(PROGRAMS)}")


def test_each_host_is_asked_and_nothing_is_armed(hosts: Fleet, tmp_path: Path) -> None:
    hosts.forget_commands()
    done = sweep(hosts, tmp_path, "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [[name, "ok,"] for name in hosts.names]
    for number in range(1, HOSTS + 1):
        asked = verbs(hosts, number)
        assert asked.count("preflight") == 1
        assert set(asked) == {"preflight", "date"}  # its clock is read, too
    assert not list(tmp_path.iterdir())


def test_a_playbook_can_end_there_too(hosts: Fleet, tmp_path: Path) -> None:
    done = sweep(hosts, tmp_path, sweep_preflight_only=True)
    assert done.returncode == 3, done.stdout + done.stderr  # not probed
    run = newest(tmp_path)
    facts = json.loads((run / "hosts" / hosts.names[0] / "preflight.json").read_text())
    assert facts["verdict"] == "ok"
    assert not list(run.glob("hosts/*/arm.json"))
    assert not (run / "window.json").exists()
