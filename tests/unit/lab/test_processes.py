# SPDX-License-Identifier: GPL-3.0-or-later
"""The state file with real processes: children that wait for the end of a pipe."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.lab import processes
from fleetdiag.lab.processes import State

# Tells that it runs by opening the fifo, then waits until nobody holds its other end.
WAITS = "import sys; open(sys.argv[1]).read()"
STUBBORN = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); open(sys.argv[1]).read()"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[State]:
    lab = State(tmp_path)
    yield lab
    for name in lab.processes():
        lab.stop(name)


def spawn(lab: State, name: str, program: str = WAITS) -> tuple[processes.Process, int]:
    """A recorded process that certainly runs its program, and the descriptor that keeps it waiting."""
    fifo = lab.folder / f"{name}.fifo"
    os.mkfifo(fifo)
    log = lab.folder / f"{name}.log"
    process = lab.spawn(name, {"kind": "workload"}, [sys.executable, "-c", program, str(fifo)], log)
    return process, os.open(fifo, os.O_WRONLY)


def test_spawned_process_is_recorded_and_alive(lab: State) -> None:
    process, _ = spawn(lab, "web1")
    assert lab.processes() == lab.running() == {"web1": process}
    assert process.started == processes.start_ticks(process.pid)


def test_stop_ends_exactly_the_recorded_one(lab: State) -> None:
    one, _ = spawn(lab, "one")
    other, _ = spawn(lab, "other")
    assert lab.stop("one")
    assert not processes.alive(one)
    assert processes.alive(other)
    assert list(lab.processes()) == ["other"]
    assert not lab.stop("one")


def test_a_process_that_ignores_the_request_is_killed(lab: State) -> None:
    process, _ = spawn(lab, "web1", STUBBORN)
    assert processes.end(process, grace_s=0.2)
    assert not processes.alive(process)


def test_a_number_used_again_is_not_ours(lab: State) -> None:
    process, _ = spawn(lab, "web1")
    assert process.started
    for stranger in (replace(process, started=process.started - 1), replace(process, boot_id="another boot")):
        assert not processes.alive(stranger)
        assert not processes.end(stranger)
    assert processes.alive(process)


def test_a_process_that_died_alone_is_not_running(lab: State) -> None:
    process, descriptor = spawn(lab, "web1")
    pidfd = os.pidfd_open(process.pid)
    os.close(descriptor)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    processes.select.select([pidfd], [], [])
    os.close(pidfd)
    assert lab.running() == {}
    assert list(lab.processes()) == ["web1"]
    assert not lab.stop("web1")


def test_a_command_killed_after_spawning_leaves_what_down_needs(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    program = (
        "import os, signal, sys; from pathlib import Path; from fleetdiag.lab.processes import State\n"
        "command = [sys.executable, '-c', sys.argv[3], sys.argv[2]]\n"
        "State(Path(sys.argv[1])).spawn('web1', {'kind': 'qemu'}, command, Path(sys.argv[1]) / 'log')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    arguments = [str(tmp_path), str(fifo), WAITS]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    killed = subprocess.run([sys.executable, "-c", program, *arguments], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    descriptor = os.open(fifo, os.O_WRONLY)
    lab = State(tmp_path)
    (process,) = lab.running().values()
    assert lab.stop("web1")
    assert not processes.alive(process)
    os.close(descriptor)


def test_the_launcher_does_not_start_a_command_whose_parent_died(tmp_path: Path) -> None:
    marker = tmp_path / "started"
    launcher = ["/bin/sh", "-c", processes._LAUNCHER, "lab", "touch", str(marker)]
    done = subprocess.run(launcher, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 1
    assert not marker.exists()


@pytest.mark.parametrize("text", ["{", json.dumps({"format": 999, "processes": {}})])
def test_a_state_file_that_cannot_be_read_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(FleetdiagError, match=r"state\.json: "):
        State(tmp_path).processes()
