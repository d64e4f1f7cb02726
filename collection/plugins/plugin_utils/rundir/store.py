# SPDX-License-Identifier: GPL-3.0-or-later
"""The run directory: everything one sweep produced, on the controller; the single source of every report.

Writers are atomic (a temporary file in the same directory, fsync, rename, fsync of the directory), never
follow a symbolic link below the run directory, and leave directories 0700 and files 0600.
Readers take what is there: a missing file is None, an unreadable or half-written one is None and a note.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import json
import math
import os
import re
import secrets
import stat
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError

FORMAT = 1
PHASES = ("preflight", "arm", "go", "collect")

_ID = re.compile(r"\d{8}_\d{6}_[0-9a-f]{4}")
_PLAIN_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_HASHED_HOST = re.compile(r"h_[0-9a-f]{16}")
_HOST_FILE = re.compile(r"[a-z][a-z0-9_]*\.(out\.gz|err)")
_RUN_FILE = re.compile(
    r"((builds|csv|calls|manifests)/)?[A-Za-z0-9][A-Za-z0-9._+~-]{0,150}\.(json|txt|html|md|csv|sqlite|prom)"
)
_MAX_JSON = 32 * 1024 * 1024
_MAX_EVENT = 64 * 1024
MAX_EVENTS_BYTES = 32 * 1024 * 1024
MAX_BUILDS = 256
"""Kernels of one sweep whose builds are read."""
_MAX_DIGITS = 20
_CHUNK = 64 * 1024


def host_dir(name: str) -> str:
    """The directory name of a host: its name where that is a safe file name, else `h_` + 16 hex of sha256.

    Two hosts never share one: a name that looks like a hashed one is hashed too.
    """
    if _PLAIN_HOST.fullmatch(name) and not _HASHED_HOST.fullmatch(name):
        return name
    return "h_" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def is_id(name: str) -> bool:
    """True for the name of a run directory."""
    return _ID.fullmatch(name) is not None


def state_dir() -> Path:
    """`$XDG_STATE_HOME/fleetdiag`, by default `~/.local/state/fleetdiag`."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "fleetdiag"


def default_runs_dir() -> Path:
    """Where run directories go unless told otherwise: `runs` in the state directory."""
    return state_dir() / "runs"


# --- writing ---


def create(runs_dir: Path, sweep: Mapping[str, Any]) -> Path:
    """Make `runs_dir/<id>` with `sweep.json` in it. Errors: an id that is none, or that is there already."""
    sweep_id = str(sweep.get("id", ""))
    if not _ID.fullmatch(sweep_id):
        raise FleetdiagError(f"sweep id {sweep_id!r} is not YYYYMMDD_HHMMSS_xxxx; let fleetdiag make it")
    path = Path(runs_dir) / sweep_id
    try:
        Path(runs_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
        path.chmod(0o700)  # whatever the umask
        for name in ("builds", "hosts"):
            (path / name).mkdir(mode=0o700)
    except FileExistsError as exc:
        raise FleetdiagError(f"{exc.filename}: is there already; name another place for runs") from exc
    except OSError as exc:
        raise FleetdiagError(
            f"{path}: cannot make the run directory ({exc.strerror}); name a directory you may write to"
        ) from exc
    write_json(path, "sweep.json", {"format": FORMAT, **sweep})
    return path


def write_json(run_path: Path, name: str, data: Any) -> None:
    """Write `window.json`, `builds/<kernel>.json`, ... in the order given; NaN and infinities become null."""
    write_text(run_path, name, json.dumps(_finite(data), indent=1) + "\n")


def write_text(run_path: Path, name: str, text: str) -> None:
    """Write a file of the run directory itself (`report.txt`, ...); UTF-8, lone surrogates as `\\udXXX`."""
    folder, file_name = _run_file(name)
    with _folder(run_path, folder, make=True) as fd:
        _replace(fd, run_path / name, file_name, text.encode("utf-8", "backslashreplace"))


@contextlib.contextmanager
def locked(run_path: Path) -> Iterator[None]:
    """Be the only one who changes a file of the run directory that several write to; ends with its holder."""
    with _folder(run_path, []) as fd:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def filled(run_path: Path, name: str) -> Iterator[Path]:
    """A path of a new, empty file to fill; without an exception it becomes `name`, whole, in the end."""
    folder, file_name = _run_file(name)
    with (
        _folder(run_path, folder, make=True) as fd,
        _temporary(fd, run_path / name, file_name) as (new, temporary),
    ):
        os.close(new)
        path = (run_path / name).with_name(temporary)
        yield path
        with path.open("rb") as handle:
            os.fsync(handle.fileno())


def _run_file(name: str) -> tuple[list[str], str]:
    """Folders and file name of a file of the run directory itself."""
    if not _RUN_FILE.fullmatch(name) or ".." in name:
        raise FleetdiagError(f"{name!r} is not the name of a file of a run directory; nothing was read or written")
    folder, _, file_name = name.rpartition("/")
    return ([folder] if folder else []), file_name


def write_host(run_path: Path, host: str, phase: str, data: Mapping[str, Any]) -> None:
    """Write `hosts/<dir>/<phase>.json`; the true name of the host is put into it."""
    _check_phase(phase)
    text = json.dumps(_finite({**data, "host": host}), indent=1) + "\n"
    _write_host_file(run_path, host, f"{phase}.json", text.encode())


def write_host_bytes(run_path: Path, host: str, filename: str, data: bytes) -> None:
    """Write `<probe>.out.gz` or `<probe>.err` of a host; any other name is refused."""
    if not _HOST_FILE.fullmatch(filename):
        raise FleetdiagError(
            f"host {host!r}: refusing to write {filename!r}: it is neither <probe>.out.gz nor <probe>.err"
        )
    _write_host_file(run_path, host, filename, data)


def append_event(run_path: Path, event: Mapping[str, Any], *, sync: bool = True) -> None:
    """Append one line to `events.jsonl`; a half line left by a crash stays a line of its own.

    sync: wait until it is on the disk. All hosts wait meanwhile, so what only says that all went well need not be.
    """
    text = json.dumps(_finite(dict(event)))
    if len(text) > _MAX_EVENT:
        cut = {**event, "message": str(event.get("message", ""))[: _MAX_EVENT // 12] + "…"}
        text = json.dumps(_finite(cut))
    path = run_path / "events.jsonl"
    with _folder(run_path, []) as folder, _refuses_links(path):
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(path.name, flags, 0o600, dir_fd=folder)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            size = os.fstat(fd).st_size
            torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
            _write_all(fd, (b"\n" if torn else b"") + text.encode() + b"\n")
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)


def _write_host_file(run_path: Path, host: str, name: str, data: bytes) -> None:
    directory = host_dir(host)
    with _folder(run_path, ["hosts", directory], make=True) as fd:
        _replace(fd, run_path / "hosts" / directory / name, name, data)


def _check_phase(phase: str) -> None:
    if phase not in PHASES:
        raise FleetdiagError(f"{phase!r} is not a phase of a host; it is one of {', '.join(PHASES)}")


@contextlib.contextmanager
def _folder(run_path: Path, names: list[str], make: bool = False) -> Iterator[int]:
    """A descriptor of a directory below the run directory, reached without following any link."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    path = Path(run_path)
    with _refuses_links(path):
        fd = os.open(path, flags)
    try:
        for name in names:
            path = path / name
            with _refuses_links(path):
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(name, 0o700, dir_fd=fd)
                inner = os.open(name, flags | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = inner
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _refuses_links(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno == errno.ELOOP or (exc.errno == errno.ENOTDIR and path.is_symlink()):
            raise _planted(path) from exc
        raise FleetdiagError(f"{path}: {exc.strerror}; nothing was read or written there") from exc


def _planted(path: Path) -> FleetdiagError:
    return FleetdiagError(f"{path}: is a symbolic link, fleetdiag makes none; look who did and remove it")


def _replace(folder: int, path: Path, name: str, data: bytes) -> None:
    """Put `data` under `name` in the open directory, whole or not at all."""
    with _temporary(folder, path, name) as (fd, _):
        try:
            _write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)


@contextlib.contextmanager
def _temporary(folder: int, path: Path, name: str) -> Iterator[tuple[int, str]]:
    """A new file in the open directory, as descriptor and name; it becomes `name` if nothing goes wrong."""
    temporary = f".{name}.{secrets.token_hex(8)}.tmp"
    with _refuses_links(path):
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise _planted(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(temporary, flags, 0o600, dir_fd=folder)
        try:
            yield fd, temporary
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise
        os.fsync(folder)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _finite(value: Any) -> Any:
    """The same data without what JSON has no word for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


# --- reading ---


@dataclass
class Run:
    """An open run directory.

    sweep: sweep.json. hosts: the inventory names of the pattern, in order. notes: what could not be read so
    far, one sentence each, for the report.
    """

    path: Path
    sweep: dict[str, Any]
    hosts: list[str]
    notes: list[str] = field(default_factory=list)

    def read_host(self, host: str, phase: str) -> dict[str, Any] | None:
        """`hosts/<dir>/<phase>.json`, or None; what is there and unreadable is noted."""
        return read_host(self.path, host, phase, self.notes)

    def read_json(self, name: str) -> dict[str, Any] | None:
        """A file of the run directory itself, for instance `window.json`."""
        return read_json(self.path, name, self.notes)

    def read_events(self) -> list[dict[str, Any]]:
        """All events in the order they were written; unreadable lines are counted in one note."""
        return read_events(self.path, self.notes)

    def read_builds(self) -> dict[str, dict[str, Any]]:
        """`builds/<kernel>.json` by kernel release."""
        return read_builds(self.path, self.notes)

    def read_err(self, host: str, probe: str, limit: int = 1024 * 1024) -> str | None:
        """What staprun said on standard error (at most `limit` bytes), or None."""
        folders = ["hosts", host_dir(host)]
        with _read_only(self.path, folders, _host_file_name(probe, "err"), self.notes) as handle:
            return None if handle is None else handle.read(limit).decode("utf-8", "backslashreplace")

    @contextlib.contextmanager
    def open_output(self, host: str, probe: str, limit: int) -> Iterator[Output | None]:
        """The uncompressed output of a session as a bounded stream, or None when there is none."""
        folders = ["hosts", host_dir(host)]
        with _read_only(self.path, folders, _host_file_name(probe, "out.gz"), self.notes) as handle:
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
    listed = sweep.get("hosts")
    names = listed if isinstance(listed, list) else []
    hosts = list(dict.fromkeys(name for name in names if isinstance(name, str)))
    return Run(path, sweep, hosts)


def read_json(run_path: Path, name: str, notes: list[str] | None = None) -> dict[str, Any] | None:
    """A JSON object of the run directory itself, or None; a note for one that is there and unreadable.

    The name obeys the rule of what is written: a host's words are part of some.
    """
    try:
        folder, file_name = _run_file(name)
    except FleetdiagError as error:
        _note(notes, str(error))
        return None
    return _read_object(run_path, folder, file_name, notes)


def read_host(run_path: Path, host: str, phase: str, notes: list[str] | None = None) -> dict[str, Any] | None:
    """What a phase left about a host, or None. A file that names another host is not taken."""
    _check_phase(phase)
    directory = host_dir(host)
    data = _read_object(run_path, ["hosts", directory], f"{phase}.json", notes)
    if data is not None and data.get("host", host) != host:
        _note(notes, f"hosts/{directory}/{phase}.json: names another host; left out")
        return None
    return data


def armed_hosts(run_path: Path) -> list[str]:
    """The hosts on which sessions were started, in the order of the sweep."""
    hosts = open_run(run_path).hosts
    return [host for host in hosts if (read_host(run_path, host, "arm") or {}).get("verdict") == "ok"]


def armed_sessions(record: Mapping[str, Any]) -> list[str]:
    """The probes of an arm.json whose sessions were started. Errors: it does not hold sessions."""
    sessions = record.get("sessions") or {}
    if not isinstance(sessions, dict) or not all(isinstance(session, dict) for session in sessions.values()):
        raise FleetdiagError(
            f"host {record.get('host')!s}: its arm.json is damaged, so what was started there is not known;"
            " end it: fleetdiag abort"
        )
    return [name for name, session in sessions.items() if session.get("status") != "failed"]


def is_awaited(run_path: Path, host: str) -> bool:
    """Whether sessions were started on a host and their output is not here yet."""
    armed = armed_sessions(read_host(run_path, host, "arm") or {})
    return bool(armed) and read_host(run_path, host, "collect") is None


def read_builds(run_path: Path, notes: list[str] | None = None) -> dict[str, dict[str, Any]]:
    """All `builds/*.json` by the kernel release they name."""
    builds: dict[str, dict[str, Any]] = {}
    try:
        with _folder(run_path, ["builds"]) as fd:
            names = sorted(os.listdir(fd))
    except FleetdiagError:
        return builds
    names = [name for name in names if not name.startswith(".") and name.endswith(".json")]
    if len(names) > MAX_BUILDS:
        _note(notes, f"builds: holds {len(names)} files, only the first {MAX_BUILDS} were read")
    for name in names[:MAX_BUILDS]:
        data = _read_object(run_path, ["builds"], name, notes)
        if data is not None:
            builds[str(data.get("kernel") or name.removesuffix(".json"))] = data
    return builds


def read_events(run_path: Path, notes: list[str] | None = None) -> list[dict[str, Any]]:
    """The lines of `events.jsonl`; a half-written line is left out and noted."""
    events: list[dict[str, Any]] = []
    bad = 0
    with _read_only(run_path, [], "events.jsonl", notes) as handle:
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
                events.append(event)
    if whole > MAX_EVENTS_BYTES:
        _note(notes, f"events.jsonl: is too large, only its first {MAX_EVENTS_BYTES >> 20} MiB were read")
    if bad:
        _note(notes, f"events.jsonl: {bad} unreadable {'line' if bad == 1 else 'lines'} left out")
    return events


def _lines(handle: io.FileIO) -> Iterator[bytes]:
    """The lines of the first MAX_EVENTS_BYTES; of one that is too long only its beginning."""
    reader, left = io.BufferedReader(handle), MAX_EVENTS_BYTES
    while left > 0 and (line := reader.readline(min(left, _MAX_EVENT + 2))):
        left -= len(line)
        yield line
        rest = line
        while left > 0 and rest and not rest.endswith(b"\n"):
            rest = reader.readline(min(left, _CHUNK))
            left -= len(rest)


class Output(io.RawIOBase):
    """The uncompressed bytes of a `.out.gz`, at most `limit` of them, never raising for a damaged file.

    After reading: `cut` is set when the gzip stream ended early or is damaged, `over_limit` when there was
    more than `limit` (what unpacks to gigabytes is read no further); `sha256` and `size` are of what was
    given.
    """

    def __init__(self, handle: io.FileIO, limit: int) -> None:
        super().__init__()
        self._handle = handle
        self._limit = limit
        self._inflate: Any = zlib.decompressobj(wbits=31)
        self._pending = b""
        self._hash = hashlib.sha256()
        self._done = False
        self.size = 0
        self.cut = False
        self.over_limit = False

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes given so far."""
        return self._hash.hexdigest()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self._next(min(len(view), _CHUNK))
        view[: len(data)] = data
        self._hash.update(data)
        self.size += len(data)
        return len(data)

    def _next(self, wanted: int) -> bytes:
        while not self._done:
            if self._inflate.eof:  # end of one gzip member: another may follow
                self._pending = self._inflate.unused_data or self._read()
                if not self._pending:
                    break
                self._inflate = zlib.decompressobj(wbits=31)
            at_end = False
            if not self._pending:
                self._pending = self._read()
                at_end = not self._pending  # zlib itself may still hold some output back: ask it once more
            room = self._limit - self.size
            try:
                data: bytes = self._inflate.decompress(self._pending, max(1, min(wanted, room)))
            except zlib.error:
                self.cut = True
                break
            self._pending = self._inflate.unconsumed_tail
            if data and room <= 0:
                self.over_limit = True
                break
            if data:
                return data
            if at_end and not self._inflate.eof:
                self.cut = self._handle.tell() > 0  # an empty file is no output, not half of one
                break
        self._done = True
        return b""

    def _read(self) -> bytes:
        return self._handle.read(_CHUNK) or b""


def _host_file_name(probe: str, suffix: str) -> str:
    name = f"{probe}.{suffix}"
    if not _HOST_FILE.fullmatch(name):
        raise FleetdiagError(f"{probe!r} is not the name of a probe; nothing was read")
    return name


def _read_object(
    run_path: Path, folders: list[str], name: str, notes: list[str] | None
) -> dict[str, Any] | None:
    with _read_only(run_path, folders, name, notes) as handle:
        if handle is None:
            return None
        data = handle.read(_MAX_JSON + 1)
    value = _parse(data) if len(data) <= _MAX_JSON else None
    if value is None:
        _note(notes, f"{'/'.join([*folders, name])}: half written or damaged; left out")
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
    """The number, or None like NaN if it is too large for one: JSON's `1e400` is infinite."""
    value = float(word)
    return value if math.isfinite(value) else None


def _read_int(word: str) -> int | None:
    """The number, or None if it does not fit 64 bits; one of thousands of digits is not even converted."""
    value = int(word) if len(word) <= _MAX_DIGITS else None
    return value if value is not None and -(2**63) <= value < 2**63 else None


@contextlib.contextmanager
def _read_only(
    run_path: Path, folders: list[str], name: str, notes: list[str] | None
) -> Iterator[io.FileIO | None]:
    """A regular file below the run directory, or None; a link or a device is refused with a note."""
    label = "/".join([*folders, name])
    fd = -1
    try:
        with _folder(run_path, folders) as folder:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            fd = -1
            _note(notes, f"{label}: is not a regular file; left out")
    except FleetdiagError as exc:
        if not isinstance(exc.__cause__, FileNotFoundError):
            _note(notes, f"{label}: {exc}; left out")
    except FileNotFoundError:
        pass
    except OSError as exc:
        what = "is a symbolic link" if exc.errno == errno.ELOOP else str(exc.strerror)
        _note(notes, f"{label}: {what}; left out")
    if fd < 0:
        yield None
        return
    with io.FileIO(fd, "r") as handle:
        yield handle


def _note(notes: list[str] | None, text: str) -> None:
    if notes is not None and text not in notes:
        notes.append(text)
