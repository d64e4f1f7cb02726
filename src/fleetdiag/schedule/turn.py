# SPDX-License-Identifier: GPL-3.0-or-later
"""One turn of a named sweep: it runs for its slot, or a record says why not. Nothing is ever caught up.

systemd alone keeps neither promise: a timer whose slot passed while its service ran fires again at once, and one
that slept over a slot fires on waking up.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import slots
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import names
from fleetdiag import paths
from fleetdiag.config import NamedSweep
from fleetdiag.schedule import clock

EXIT_NOT_STARTED = 2
EXIT_SKIPPED = 5
POLL_S = 1.0
_FLOCK = "hhqqi4x"
"""struct flock of 64-bit Linux: type, whence, start, length, pid."""
_OFF = "no sweep was started: the controller was off or asleep, or the timer was"


class Skip(Exception):  # noqa: N818 - no error: the sweep is left out, and that is recorded
    """Why a slot has no sweep. recorded: whether it is told in the history."""

    def __init__(self, reason: str, recorded: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.recorded = recorded


def run(
    sweep: NamedSweep,
    start: Callable[[str], int],
    hosts: Callable[[], Sequence[str]],
    say: Callable[[str], None],
    now: Callable[[], float] = time.time,
) -> int:
    """Run a sweep for its slot and return its exit code, or 5 after recording why it is skipped.

    start: sweeps, given the slot's name. hosts: those of the sweep. say: prints a sentence.
    """
    moment = now()
    due = clock.slot(sweep, moment)
    if due is None:
        raise FleetdiagError(f"sweep {sweep.name}: its schedule has no time that has come; run it by hand")
    slot, runs_dir = clock.iso(due), runs_dir_of(sweep)
    try:
        with _alone(sweep.name) as fd:
            count_missed(sweep, runs_dir, due, moment)
            _check_slot(sweep, runs_dir, slot, due, moment)
            os.pwrite(fd, f"{slot} {moment:.0f}\n".encode().ljust(64), 0)
            with _hosts(hosts(), due + clock.max_late_s(sweep, moment), now):
                code = start(slot)
        if code == EXIT_NOT_STARTED:
            _record(sweep, slot, "missed", "the sweep could not start", now())
        return code
    except Skip as skip:
        if skip.recorded:
            _record(sweep, slot, "skipped", skip.reason, now())
        say(f"sweep {sweep.name}: slot {slot} is skipped: {skip.reason}")
        return EXIT_SKIPPED


def failed(sweep: NamedSweep, is_faulty: bool, moment: float) -> None:
    """Record why the slot of a sweep whose unit has failed has no run; nothing if it has one.

    is_faulty: the configuration has a fault, so that the sweep never came to its turn.
    """
    if is_faulty:
        due = clock.slot(sweep, moment)
        if due is not None:
            count_missed(sweep, runs_dir_of(sweep), due, moment)
            _record(sweep, clock.iso(due), "missed", "the configuration has a fault", moment)
    else:
        slot = next(iter(_turn_words(locks_dir() / f"{sweep.name}.lock")), "")
        _record(sweep, slot, "missed", "the sweep could not start, or was ended before it began", moment)


def _record(
    sweep: NamedSweep, slot: str, status: Literal["skipped", "missed"], reason: str, moment: float
) -> None:
    """Record why a slot has no run, unless it has one or a record."""
    runs_dir = runs_dir_of(sweep)
    if slot and slot not in slots.known(runs_dir, sweep.name):
        slots.record(runs_dir, sweep.name, slot, status, reason, _utc(moment))


def runs_dir_of(sweep: NamedSweep) -> Path:
    """Return where the runs of a named sweep are."""
    return Path(sweep.text("runs_dir")) if "runs_dir" in sweep.settings else names.default_runs_dir()


def count_missed(sweep: NamedSweep, runs_dir: Path, due: float, moment: float) -> int:
    """Record the slots between the last known one and `due` as missed; return how many they are."""
    before = clock.of_iso(slots.last(runs_dir, sweep.name))
    if before is None or before >= due:
        return 0
    missed = [time for time in clock.after(sweep, before, due) if time < due]
    for time_ in missed:
        slots.record(runs_dir, sweep.name, clock.iso(time_), "missed", _OFF, _utc(moment))
    return len(missed)


def _utc(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


def _check_slot(sweep: NamedSweep, runs_dir: Path, slot: str, due: float, moment: float) -> None:
    known = slots.known(runs_dir, sweep.name)
    if slot in known:
        raise Skip("it has a sweep or a record already", recorded=False)
    later = max(known, default="")
    if later > slot:
        raise Skip(f"a later slot, {later}, has a sweep or a record already: the clock was set back")
    late = moment - due
    if late > clock.max_late_s(sweep, moment):
        raise Skip(f"late by {duration(late)}")


def duration(seconds: float) -> str:
    """Return a length of time as a person says it: 40 s, 62 min, 5 h, 3 d."""
    for length, unit in ((172_800, "d"), (7200, "h"), (120, "min")):
        if seconds >= length:
            return f"{seconds / {'d': 86_400, 'h': 3600, 'min': 60}[unit]:.0f} {unit}"
    return f"{seconds:.0f} s"


def locks_dir() -> Path:
    """Return the directory of the locks, made where it is not."""
    folder = paths.state_dir() / "sweeps"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def running_since(name: str) -> float | None:
    """Return when the sweep of that name that runs now began, None if none runs. Takes no lock itself."""
    path = locks_dir() / f"{name}.lock"
    try:
        with path.open("rb") as file:
            answer = fcntl.fcntl(file, fcntl.F_OFD_GETLK, _request(fcntl.F_RDLCK, 0))
    except FileNotFoundError:
        return None
    return None if struct.unpack(_FLOCK, answer)[0] == fcntl.F_UNLCK else _began(path)


@contextmanager
def _alone(name: str) -> Iterator[int]:
    """Be the only sweep of that name; the lock dies with its holder, however that dies."""
    path = locks_dir() / f"{name}.lock"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if not _lock(fd, 0, fcntl.F_WRLCK):
            began = _began(path)
            since = f" ({duration(time.time() - began)})" if began is not None else ""
            raise Skip(f"the sweep before was still running{since}")
        yield fd
    finally:
        os.close(fd)


def _began(path: Path) -> float | None:
    words = _turn_words(path)
    return float(words[1]) if len(words) > 1 and words[1].isdigit() else None


def _turn_words(path: Path) -> list[str]:
    """Return what the latest turn has written into its lock, [slot, seconds since 1970 as digits]; [] if none has."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").split()
    except FileNotFoundError:
        return []


@contextmanager
def _hosts(names: Sequence[str], until: float, now: Callable[[], float]) -> Iterator[None]:
    """Be the only scheduled sweep of these hosts; wait for others till `until`, then raise Skip.

    Each host is a byte of one file, locked as such: the locks die with their holder, and hosts need no file each.
    """
    fd = os.open(locks_dir() / "hosts.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        while (taken := _take(fd, names)) is not None:
            if now() >= until:
                raise Skip(f"another sweep was still running on {taken}")
            time.sleep(POLL_S)
        yield
    finally:
        os.close(fd)


def _take(fd: int, names: Sequence[str]) -> str | None:
    """Lock all hosts, or none and return the one that another sweep holds."""
    for position, name in enumerate(names):
        if not _lock(fd, _place(name), fcntl.F_WRLCK):
            for other in names[:position]:
                _lock(fd, _place(other), fcntl.F_UNLCK)
            return name
    return None


def _place(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:6], "big")


def _lock(fd: int, place: int, kind: int) -> bool:
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _request(kind, place))
    except (BlockingIOError, PermissionError):
        return False
    return True


def _request(kind: int, place: int) -> bytes:
    return struct.pack(_FLOCK, kind, os.SEEK_SET, place, 1, 0)
