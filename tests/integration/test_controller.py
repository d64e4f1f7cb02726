# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong on the controller while hosts are swept: its disk, its callback, a signal, a time limit.

Over real ssh to hosts that are this machine (see loopback): what was collected is kept, and the rest can be brought.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import Fleet
from loopsweeps import HOSTS, PROBES, bring, command, how, sweep
from sweeps import SWEPT, coverage, fleetdiag, newest, report_of, wait_until, window_of


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system for run directories that holds what hosts send, and not the report of it."""
    place = tmp_path / "disk"
    place.mkdir()
    mount("-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", str(place))
    yield place
    subprocess.run(["umount", str(place)], check=True)


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def sentences(text: str) -> list[str]:
    """What the command itself said, progress left out."""
    said = [line for line in text.splitlines() if line.startswith("fleetdiag: ")]
    assert "Traceback" not in text
    return said


def kept(run: Path) -> list[str]:
    return sorted(str(path.relative_to(run)) for path in run.glob("hosts/*/*.out.gz"))


def test_a8_a_report_that_has_no_room_is_shown_and_made_later(
    hosts: Fleet, disk: Path, tmp_path: Path
) -> None:
    done = sweep(hosts, disk)
    assert done.returncode == 3, done.stdout + done.stderr
    run = newest(disk)
    (said,) = sentences(done.stderr)
    assert "No space left on device" in said
    assert f"fleetdiag report {run} -o" in said
    assert all(name in done.stdout for name in hosts.names)  # the report is shown all the same
    assert len(kept(run)) == len(hosts.names) * len(PROBES)
    assert not list(run.glob(".*.tmp"))
    later = fleetdiag("report", str(run), "-o", str(tmp_path / "later"))
    assert later.returncode == 0, later.stderr
    assert {row["status"] for row in coverage(report_of(tmp_path / "later")).values()} <= SWEPT


def test_a8_a_report_that_has_no_room_does_not_change_what_the_playbook_ends_with(
    hosts: Fleet, disk: Path, tmp_path: Path
) -> None:
    """Under ansible-playbook alone the callback makes the report."""
    variables = {"probes": PROBES, "window": 2, "sweep_runs_dir": str(disk), "sweep_install": False}
    words = ["playbook", "-i", str(hosts.inventory), "fleetdiag.systemtap.sweep", "-e", json.dumps(variables)]
    settings = how(hosts)
    settings["env"] |= {
        "ANSIBLE_CALLBACKS_ENABLED": "fleetdiag.systemtap.report",
        "ANSIBLE_COLLECTIONS_PATH": str(Path(settings["cwd"]) / ".collections"),
        "COLUMNS": "1000",
    }
    done = subprocess.run([sys.executable, "-m", "ansible", *words], **settings, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    run = newest(disk)
    said = " ".join((done.stdout + done.stderr).split())
    assert said.count("No space left on device") == 1
    assert f"fleetdiag report {run} -o" in said
    assert "Traceback" not in said
    assert len(kept(run)) == len(hosts.names) * len(PROBES)


def test_a8_what_cannot_be_stored_stays_on_the_hosts_and_is_brought_later(hosts: Fleet, disk: Path) -> None:
    """The disk is taken for reading only once all are armed: an error of its file system does that."""
    with started(hosts, disk) as running:
        wait_until(lambda: len(list(disk.glob("*/hosts/*/arm.json"))) == HOSTS, "all are armed", 120)
        mount("-o", "remount,ro", str(disk))
        shown, said = running.communicate()
    mount("-o", "remount,rw,size=16m", str(disk))
    run = newest(disk)
    assert running.returncode == 3, shown + said
    assert "Traceback" not in shown + said
    assert not kept(run)
    assert [
        line for line in sentences(said) if "Read-only file system" in line and "fleetdiag report" in line
    ]
    assert "Read-only file system" in shown + said
    wait_until(lambda: time.time() > window_of(run)["end"] + 1, "its window is over", 60)
    assert bring(hosts, run).returncode == 0
    assert {row["status"] for row in coverage(report_of(run)).values()} <= SWEPT
    assert not list(hosts.folder.glob("hosts/*/lib/sweeps/*"))


def started(hosts: Fleet, runs: Path) -> subprocess.Popen[str]:
    """Return a sweep that has just begun; what it prints can be read from it."""
    settings = how(hosts)
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command(hosts, runs),
        cwd=settings["cwd"],
        env=settings["env"],
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe,
    )


def kill_playbook(command: subprocess.Popen[str]) -> None:
    """End ansible-playbook and its workers as ansible-runner does at its time limit."""
    children = Path(f"/proc/{command.pid}/task/{command.pid}/children").read_text().split()
    (playbook,) = [
        pid for pid in children if b"ansible-playbook" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.killpg(os.getpgid(int(playbook)), signal.SIGKILL)


@pytest.mark.parametrize("ending", ["SIGINT", "SIGHUP", "SIGTERM", "time limit"])
def test_a6_what_an_interrupted_sweep_has_left_on_its_hosts_is_brought(
    hosts: Fleet, tmp_path: Path, ending: str
) -> None:
    before = len(hosts.sessions.sessions)
    with started(hosts, tmp_path) as running:
        wait_until(
            lambda: (
                len([one for one in hosts.sessions.sessions[before:] if one.started_at])
                == len(hosts.names) * len(PROBES)
            ),
            "all sessions sample",
            120,
        )
        if ending == "time limit":
            kill_playbook(running)
        else:
            running.send_signal(signal.Signals[ending])
        shown, said = running.communicate()
    assert running.returncode == (3 if ending == "time limit" else 130), said
    assert "Traceback" not in shown + said
    run = newest(tmp_path)
    assert {row["status"] for row in coverage(report_of(run)).values()} == {"not probed"}
    assert all(name in shown for name in hosts.names)
    wait_until(lambda: time.time() > window_of(run)["end"] + 1, "its window is over", 60)
    assert not any(one.unit.exists() for one in hosts.sessions.sessions[before:])
    done = bring(hosts, run)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {row["status"] for row in coverage(report_of(run)).values()} <= SWEPT
    assert not list(hosts.folder.glob("hosts/*/lib/sweeps/*"))
