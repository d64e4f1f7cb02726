# SPDX-License-Identifier: GPL-3.0-or-later
"""A systemd of one's own: a user manager with real timers, on a machine that may have been booted without systemd.

It lives in a mount namespace with an own /run, and in cgroups of its own; the machine's are as before when it has ended.
Needs root, unshare, nsenter and systemd.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sweeps import wait_until

SYSTEMD = "/lib/systemd/systemd"
PROGRAMS = ("unshare", "nsenter", "systemctl", "systemd-analyze")
_HIERARCHIES = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")
_START = """
set -e
for group in {groups}; do mkdir "$group"; echo $$ >"$group/cgroup.procs"; done
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system "$XDG_RUNTIME_DIR"
exec {systemd} --user
"""


def lacking() -> list[str]:
    """Return what this machine has not that a manager needs."""
    return [
        *(["root"] if os.geteuid() else []),
        *(name for name in PROGRAMS if shutil.which(name) is None),
        *([] if Path(SYSTEMD).exists() else [SYSTEMD]),
    ]


@dataclass(frozen=True)
class Manager:
    """A running manager. environment: of it, and so of its services."""

    pid: int
    environment: Mapping[str, str]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program as a user of this manager does."""
        return subprocess.run(
            ["nsenter", f"--mount=/proc/{self.pid}/ns/mnt", "--", *words],
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def systemctl(self, *words: str) -> str:
        """Return what `systemctl --user` prints."""
        return self.run("systemctl", "--user", *words).stdout


@contextlib.contextmanager
def manager(folder: Path, environment: Mapping[str, str]) -> Iterator[Manager]:
    """Start a manager whose units are in `folder`, and end it with all its services."""
    groups = [
        str(Path(place, f"fleetdiag-{uuid.uuid4().hex[:8]}"))
        for place in _HIERARCHIES
        if Path(place, "cgroup.procs").exists()
    ]
    own = {
        **environment,
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_RUNTIME_DIR": "/run/user/0",
        "SYSTEMD_LOG_TARGET": "console",
    }
    log = folder / "manager.log"
    with log.open("w", encoding="utf-8") as out:
        child = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", _START.format(groups=" ".join(groups), systemd=SYSTEMD)],
            env=own,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    made = Manager(child.pid, own)
    try:
        wait_until(
            lambda: child.poll() is not None or "timers.target" in made.systemctl("list-units"),
            "a user manager of systemd",
            30,
        )
        assert child.poll() is None, log.read_text(encoding="utf-8")
        yield made
    finally:
        _end(child, groups)


def _end(child: subprocess.Popen[bytes], groups: list[str]) -> None:
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(timeout=30)
    child.kill()
    child.wait()
    wait_until(lambda: all(_is_removed(Path(group)) for group in groups), "cgroups that are empty", 15)


def _is_removed(group: Path) -> bool:
    """Kill what is left in a cgroup and those below it, remove what is empty; return whether it is gone."""
    for file in sorted(group.rglob("cgroup.procs"), key=lambda one: -len(one.parts)):
        with contextlib.suppress(OSError):
            for pid in file.read_text(encoding="ascii").split():
                os.kill(int(pid), signal.SIGKILL)
            file.parent.rmdir()
    return not group.exists()
