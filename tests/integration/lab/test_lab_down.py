# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab beside the lab: its own state directory, the shared cache, and only the builder, which starts in a second."""

from __future__ import annotations

import subprocess
import time
import uuid
from pathlib import Path

import pytest

from fleetdiag.lab import boot, paths, processes
from fleetdiag.lab.model import Lab

pytestmark = pytest.mark.lab


@pytest.fixture
def second(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state directory of another, not yet running lab; `lab` made sure of the cache."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return paths.state_dir()


def test_down_ends_the_builder_and_all_its_children(second: Path) -> None:
    builder = boot.up(["builder"]).machines["builder"]
    # A child of the builder's sshd that would outlive its connection.
    script = "setsid sh -c 'echo ready; exec sleep 1000' 2>/dev/null & sleep 1000"
    connection = subprocess.Popen(
        boot.running().ssh_command("builder", [script]), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    assert connection.stdout is not None
    assert connection.stdout.readline() == b"ready\n"
    assert boot.down() == ["builder"]
    assert not processes.alive(builder)
    # ssh ends because the other side of its connection is gone.
    connection.communicate(timeout=30)
    assert str(second) not in Path("/proc/mounts").read_text()
    assert not (second / "builder").exists()
    assert boot.down() == []


def test_a_builder_that_died_is_started_again(second: Path) -> None:
    try:
        first = boot.up(["builder"]).machines["builder"]
        assert processes.end(first)
        lab = boot.up(["builder"])
        assert lab.machines["builder"].pid != first.pid
        assert lab.ssh("builder", "echo here").stdout == "here\n"
    finally:
        boot.down()


def test_what_the_builder_has_compiled_outlives_the_lab(second: Path) -> None:
    """Modules are kept by content: a second run of the tests, or of the demo, compiles only what has changed."""
    kept = f"/var/cache/fleetdiag/{uuid.uuid4()}"
    try:
        assert boot.up(["builder"]).ssh("builder", f"touch {kept}").returncode == 0
        assert boot.down() == ["builder"]
        assert boot.up(["builder"]).ssh("builder", f"rm {kept}").returncode == 0
    finally:
        boot.down()


@pytest.mark.long("a minute; every test of a machine needs it restored")
def test_a_restored_machine_has_the_time_of_now_and_a_boot_of_its_own(second: Path) -> None:
    asked = "cat /proc/sys/kernel/random/boot_id; date +%s.%N"
    boots = []
    try:
        for _ in range(2):
            lab = boot.up(["web1"], fresh=True)
            before = time.time()
            boot_id, there = lab.ssh("web1", asked).stdout.split()
            assert before - 1 <= float(there) <= time.time() + 1
            boots.append(boot_id)
    finally:
        boot.down()
    assert len(set(boots)) == 2
