# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs now: process ids with their start times, in one file, so that exactly those can be ended."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import RLock

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError

FORMAT = 1
# Waits for its parent's word before it becomes the command: the state file names the process before it does
# anything, and when the parent dies first it never starts.
_LAUNCHER = 'read -r word || exit 1; exec "$@" </dev/null'


@dataclass(frozen=True)
class Process:
    """One process of the lab. `started` (clock ticks since boot) tells it from a later one of its number."""

    pid: int
    started: int
    boot_id: str
    #: "qemu", "builder" or "workload"
    kind: str
    #: Forwarded ports on 127.0.0.1 by name ("ssh", "http").
    ports: dict[str, int] = field(default_factory=dict)
    #: Cache entry it runs from.
    image: str = ""
    #: True once its sshd answered.
    ready: bool = False


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_ticks(pid: int) -> int | None:
    """Return the start time of a live process (field 22 of its stat); None when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name may hold spaces and parentheses; what follows the last one does not.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def alive(process: Process) -> bool:
    return process.boot_id == boot_id() and start_ticks(process.pid) == process.started


def end(process: Process, grace_s: float = 5.0) -> bool:
    """End one recorded process: SIGTERM, after `grace_s` SIGKILL. False when it was not running any more."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        # Checked while the descriptor pins the process: from here the number cannot mean another one.
        if not alive(process):
            return False
        # `unshare` waits for its child and blocks SIGTERM.
        signals = [signal.SIGKILL] if process.kind == "builder" else [signal.SIGTERM, signal.SIGKILL]
        for number in signals:
            try:
                signal.pidfd_send_signal(descriptor, number)
            except ProcessLookupError:
                return True
            if select.select([descriptor], [], [], grace_s)[0]:
                return True
        raise FleetdiagError(
            f"process {process.pid} ({process.kind}) does not end; see /proc/{process.pid}/stack"
        )
    finally:
        os.close(descriptor)


class State:
    """The state file of one lab. Methods may be called from several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "state.json"
        self._lock = RLock()
        self._children: list[subprocess.Popen[bytes]] = []

    def processes(self) -> dict[str, Process]:
        """Return everything recorded, alive or not, by name."""
        try:
            data = json.loads(self.file.read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise FleetdiagError(
                f"{self.file}: not readable ({error}); remove it when no lab runs"
            ) from error
        if data.get("format") != FORMAT:
            raise FleetdiagError(
                f"{self.file}: written by another version of fleetdiag; run `lab down` with that one"
            )
        return {name: Process(**fields) for name, fields in data["processes"].items()}

    def running(self) -> dict[str, Process]:
        return {name: process for name, process in self.processes().items() if alive(process)}

    def record(self, name: str, process: Process | None) -> None:
        """Write (or, with None, forget) one process."""
        with self._lock:
            processes: dict[str, Process] = self.processes()
            processes.pop(name, None)
            if process is not None:
                processes[name] = process
            self._write({key: asdict(value) for key, value in processes.items()})

    def spawn(self, name: str, process: Mapping[str, object], command: list[str], log: Path) -> Process:
        """Start `command` in a session of its own, recorded under `name` before it runs.

        `process` gives the fields of Process that are known before: kind, ports, image.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            child = subprocess.Popen(
                ["/bin/sh", "-c", _LAUNCHER, "lab", *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert child.stdin is not None
        started = start_ticks(child.pid)
        recorded = Process(child.pid, started or 0, boot_id(), **process)  # type: ignore[arg-type]
        with self._lock:
            self.record(name, recorded)
            self._children.append(child)
        child.stdin.write(b"go\n")
        child.stdin.close()
        return recorded

    def stop(self, name: str) -> bool:
        """End the process recorded under `name` and forget it. False when it was not running."""
        process = self.processes().get(name)
        if process is None:
            return False
        was_running = end(process)
        self._reap()
        self.record(name, None)
        return was_running

    def _reap(self) -> None:
        # Only those that have ended; the others outlive this command on purpose.
        self._children = [child for child in self._children if child.poll() is None]

    def _write(self, processes: dict[str, dict[str, object]]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished = self.file.with_suffix(".new")
        with unfinished.open("w") as file:
            json.dump({"format": FORMAT, "written": time.time(), "processes": processes}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.file)
