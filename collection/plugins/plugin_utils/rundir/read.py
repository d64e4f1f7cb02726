# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the files of a run directory, which is not trusted: it may be cut, altered, or copied from elsewhere."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.access import (
    CHUNK,
    note,
    open_folder,
    read_only,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.balancers import FILE as BALANCERS
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.balancers import BalancersRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import (
    KernelBuild,
    ModuleListRecord,
    file_of,
    module_list_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.names import (
    FORMAT,
    SHARDS,
    check_phase,
    host_dir,
    host_file_name,
    is_id,
    run_file,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.output import Output
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    ArmRecord,
    EventRecord,
    HostFile,
    SweepRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import FILE as WINDOW
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import WindowFile
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.write import (
    _MAX_EVENT,
    MAX_EVENTS_BYTES,
)

_MAX_JSON = 32 * 1024 * 1024
MAX_BUILDS = 256
"""Kernels of one sweep whose builds are read."""
_MAX_DIGITS = 20
Record = TypeVar("Record", bound=HostFile)


@dataclass
class Run:
    """An open run directory. request: its sweep.json. notes: what could not be read so far, one sentence each."""

    path: Path
    request: SweepRecord
    notes: list[str] = field(default_factory=list)

    def read_host(self, host: str, phase: str) -> dict[str, Any] | None:
        """Return `hosts/<dir>/<phase>.json`, or None; what is there and unreadable is noted."""
        return read_host(self.path, host, phase, self.notes)

    @property
    def hosts(self) -> list[str]:
        """Return the inventory names of the pattern, in order."""
        return list(self.request.hosts)

    def of_host(self, host: str, kind: type[Record]) -> Record | None:
        """Return what `hosts/<dir>/` has of one kind, or None; what is there and unreadable is noted."""
        return of_host(self.path, host, kind, self.notes)

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Return a JSON object of the run directory itself, for instance `window.json`, or None."""
        return read_json(self.path, name, self.notes)

    def window(self) -> WindowFile | None:
        """Return window.json, or None."""
        return window(self.path, self.notes)

    def balancers(self) -> BalancersRecord | None:
        """Return balancers.json, or None."""
        return balancers(self.path, self.notes)

    def read_events(self) -> list[EventRecord]:
        """Return all events in the order they were written; unreadable lines are counted in one note."""
        return read_events(self.path, self.notes)

    def builds(self) -> dict[str, KernelBuild]:
        """Return `builds/<kernel>.json` by kernel release."""
        found = read_builds(self.path, self.notes)
        return {kernel: KernelBuild.from_json(data) for kernel, data in found.items()}

    def read_err(self, host: str, probe: str, limit: int = 1024 * 1024) -> str | None:
        """Return the standard error of staprun (at most `limit` bytes), or None."""
        folders = ["hosts", host_dir(host)]
        with read_only(self.path, folders, host_file_name(probe, "err"), self.notes) as handle:
            return None if handle is None else handle.read(limit).decode("utf-8", "backslashreplace")

    @contextlib.contextmanager
    def open_output(self, host: str, probe: str, limit: int) -> Iterator[Output | None]:
        """Yield the uncompressed output of a session as a bounded stream, or None when there is none."""
        folders = ["hosts", host_dir(host)]
        # pylint: disable-next=contextmanager-generator-missing-cleanup # its caller closes it
        with read_only(self.path, folders, host_file_name(probe, "out.gz"), self.notes) as handle:
            yield None if handle is None else Output(handle, limit)


def open_run(path: Path) -> Run:
    """Open a run directory for reading. Errors: none there, no readable sweep.json, or a newer format."""
    path = Path(path)
    if not path.is_dir():
        what = "is not a directory" if path.exists() else "there is no such run directory"
        raise FleetdiagError(f"{path}: {what}; name one that a sweep has left")
    notes: list[str] = []
    sweep = read_json(path, "sweep.json", notes)
    if sweep is None:
        why = "its sweep.json cannot be read" if notes else "there is no sweep.json in it"
        raise FleetdiagError(f"{path}: is not a run directory ({why}); name one that a sweep has left")
    version = sweep.get("format")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise FleetdiagError(f"{path}/sweep.json: format {version!r} is unknown; name a run directory")
    if version > FORMAT:
        raise FleetdiagError(
            f"{path}: was written by a newer fleetdiag (format {version}, known here: {FORMAT}); use that one"
        )
    return Run(path, SweepRecord.from_json(sweep), notes)


def request(path: Path, notes: list[str] | None = None) -> SweepRecord | None:
    """Return sweep.json of a run directory, or None; a note for one that is there and unreadable."""
    data = read_json(path, "sweep.json", notes)
    return None if data is None else SweepRecord.from_json(data)


def read_json(run_path: Path, name: str, notes: list[str] | None = None) -> dict[str, Any] | None:
    """Return a JSON object of the run directory itself, or None; a note for one that is there and unreadable.

    The name obeys the rule of what is written: a host's words are part of some.
    """
    try:
        folder, file_name = run_file(name)
    except FleetdiagError as error:
        note(notes, str(error))
        return None
    return _read_object(run_path, folder, file_name, notes)


def read_host(run_path: Path, host: str, phase: str, notes: list[str] | None = None) -> dict[str, Any] | None:
    """Return the record of a phase about a host, or None. A file that names another host is noted, not taken."""
    check_phase(phase)
    directory = host_dir(host)
    data = _read_object(run_path, ["hosts", directory], f"{phase}.json", notes)
    if data is not None and data.get("host", host) != host:
        note(notes, f"hosts/{directory}/{phase}.json: names another host; left out")
        return None
    return data


def of_host(run_path: Path, host: str, kind: type[Record], notes: list[str] | None = None) -> Record | None:
    """Return what a phase left about a host as a record, or None. See read_host()."""
    data = read_host(run_path, host, kind.PHASE, notes)
    return None if data is None else kind.from_json(data)


def parts(run_path: Path) -> list[Path]:
    """Return the run directories that hold what hosts sent: those of a run's shards, else the run's own.

    A link is none of them: a run directory may have been altered.
    """
    place = run_path / SHARDS
    try:
        if place.is_symlink():
            return [run_path]
        found = sorted(item for item in place.iterdir() if is_id(item.name) and not item.is_symlink())
    except OSError:
        found = []
    return found or [run_path]


def has_raw(run_path: Path) -> bool:
    """Return whether what the hosts of a run sent is still kept."""
    return any((part / "hosts").is_dir() for part in parts(run_path))


def armed_hosts(run_path: Path) -> list[str]:
    """Return the hosts on which sessions were started, in the order of the sweep."""
    hosts = open_run(run_path).hosts
    return [host for host in hosts if (of_host(run_path, host, ArmRecord) or ArmRecord()).verdict == "ok"]


def armed_sessions(record: Mapping[str, Any]) -> list[str]:
    """Return the probes of an arm.json whose sessions were started. Raises FleetdiagError if it is damaged."""
    sessions = record.get("sessions") or {}
    if not isinstance(sessions, dict) or not all(isinstance(session, dict) for session in sessions.values()):
        raise FleetdiagError(
            f"host {record.get('host')!s}: its arm.json is damaged, so what was started there is not known;"
            " end it: fleetdiag abort"
        )
    return [name for name, session in sessions.items() if session.get("status") != "failed"]


def is_awaited(run_path: Path, host: str) -> bool:
    """Return whether sessions were started on a host and their output is not here yet."""
    armed = armed_sessions(read_host(run_path, host, "arm") or {})
    return bool(armed) and read_host(run_path, host, "collect") is None


def read_builds(run_path: Path, notes: list[str] | None = None) -> dict[str, dict[str, Any]]:
    """Return all `builds/*.json` by the kernel release they name."""
    builds: dict[str, dict[str, Any]] = {}
    try:
        with open_folder(run_path, ["builds"]) as fd:
            names = sorted(os.listdir(fd))
    except FleetdiagError:
        return builds
    names = [name for name in names if not name.startswith(".") and name.endswith(".json")]
    if len(names) > MAX_BUILDS:
        note(notes, f"builds: holds {len(names)} files, only the first {MAX_BUILDS} were read")
    for name in names[:MAX_BUILDS]:
        data = _read_object(run_path, ["builds"], name, notes)
        if data is not None:
            builds[str(data.get("kernel") or name.removesuffix(".json"))] = data
    return builds


def window(run_path: Path, notes: list[str] | None = None) -> WindowFile | None:
    """Return window.json, or None."""
    data = read_json(run_path, WINDOW, notes)
    return None if data is None else WindowFile.from_json(data)


def balancers(run_path: Path, notes: list[str] | None = None) -> BalancersRecord | None:
    """Return balancers.json, or None."""
    data = read_json(run_path, BALANCERS, notes)
    return None if data is None else BalancersRecord.from_json(data)


def module_list(run_path: Path, kernel: str) -> ModuleListRecord | None:
    """Return manifests/<kernel>.json, or None."""
    data = read_json(run_path, module_list_of(kernel))
    return None if data is None else ModuleListRecord.from_json(data)


def build_of(run_path: Path, kernel: str) -> KernelBuild | None:
    """Return builds/<kernel>.json, or None."""
    data = read_json(run_path, file_of(kernel))
    return None if data is None else KernelBuild.from_json(data)


def read_events(run_path: Path, notes: list[str] | None = None) -> list[EventRecord]:
    """Return the events of `events.jsonl`; unreadable lines are left out and counted in one note."""
    events: list[EventRecord] = []
    bad = 0
    with read_only(run_path, [], "events.jsonl", notes) as handle:
        if handle is None:
            return events
        whole = os.fstat(handle.fileno()).st_size
        for line in _lines(handle):
            if not line.strip():
                continue
            event = _parse(line) if len(line) <= _MAX_EVENT + 1 else None
            if event is None:
                bad += 1
            else:
                events.append(EventRecord.from_json(event))
    if whole > MAX_EVENTS_BYTES:
        note(notes, f"events.jsonl: is too large, only its first {MAX_EVENTS_BYTES >> 20} MiB were read")
    if bad:
        note(notes, f"events.jsonl: {bad} unreadable {'line' if bad == 1 else 'lines'} left out")
    return events


def _lines(handle: io.FileIO) -> Iterator[bytes]:
    """Yield the lines of the first MAX_EVENTS_BYTES; of one that is too long only its beginning."""
    reader, left = io.BufferedReader(handle), MAX_EVENTS_BYTES
    while left > 0 and (line := reader.readline(min(left, _MAX_EVENT + 2))):
        left -= len(line)
        yield line
        rest = line
        while left > 0 and rest and not rest.endswith(b"\n"):
            rest = reader.readline(min(left, CHUNK))
            left -= len(rest)


def _read_object(
    run_path: Path, folders: list[str], name: str, notes: list[str] | None
) -> dict[str, Any] | None:
    with read_only(run_path, folders, name, notes) as handle:
        if handle is None:
            return None
        data = handle.read(_MAX_JSON + 1)
    value = _parse(data) if len(data) <= _MAX_JSON else None
    if value is None:
        note(notes, f"{'/'.join([*folders, name])}: half written or damaged; left out")
    return value


def _parse(data: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(
            data, parse_constant=lambda _word: None, parse_float=_read_float, parse_int=_read_int
        )
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _read_float(word: str) -> float | None:
    """Return the number, or None like NaN if it is too large for one: JSON's `1e400` is infinite."""
    value = float(word)
    return value if math.isfinite(value) else None


def _read_int(word: str) -> int | None:
    """Return the number, or None if it does not fit 64 bits; one of thousands of digits is not even converted."""
    value = int(word) if len(word) <= _MAX_DIGITS else None
    return value if value is not None and -(2**63) <= value < 2**63 else None
