# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the files of a run directory: whole or not at all, readable by their owner alone.

Each write is a temporary file in the same directory, fsync, rename, fsync of the directory. Links are refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.access import (
    open_folder,
    planted,
    refuses_links,
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
    HOST_FILE,
    check_phase,
    host_dir,
    is_id,
    run_file,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    EventRecord,
    WrittenHostFile,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import FILE as WINDOW
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import WindowFile

_MAX_EVENT = 64 * 1024
MAX_EVENTS_BYTES = 32 * 1024 * 1024


def create(runs_dir: Path, sweep: Mapping[str, Any], folders: Sequence[str] = ("builds", "hosts")) -> Path:
    """Make `runs_dir/<id>` with these folders and `sweep.json`. Errors: an id that is none, or is there already."""
    sweep_id = str(sweep.get("id", ""))
    if not is_id(sweep_id):
        raise FleetdiagError(f"sweep id {sweep_id!r} is not YYYYMMDD_HHMMSS_xxxx; let fleetdiag make it")
    path = Path(runs_dir) / sweep_id
    try:
        Path(runs_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
        path.chmod(0o700)  # whatever the umask
        for name in folders:
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
    write_text(run_path, name, json.dumps(finite(data), indent=1) + "\n")


def write_text(run_path: Path, name: str, text: str) -> None:
    """Write a file of the run directory itself (`report.txt`, ...); UTF-8, lone surrogates as `\\udXXX`."""
    folder, file_name = run_file(name)
    with open_folder(run_path, folder, make=True) as fd:
        _replace(fd, run_path / name, file_name, text.encode("utf-8", "backslashreplace"))


@contextlib.contextmanager
def locked(run_path: Path) -> Iterator[None]:
    """Be the only one who changes a file of the run directory that several write to; ends with its holder."""
    with open_folder(run_path, []) as fd:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def filled(run_path: Path, name: str) -> Iterator[Path]:
    """Yield a path of a new, empty file to fill; without an exception it becomes `name`, whole, in the end."""
    folder, file_name = run_file(name)
    # pylint: disable-next=contextmanager-generator-missing-cleanup # its caller closes it
    with (
        open_folder(run_path, folder, make=True) as fd,
        _temporary(fd, run_path / name, file_name) as (new, temporary),
    ):
        os.close(new)
        path = (run_path / name).with_name(temporary)
        yield path
        with path.open("rb") as handle:
            os.fsync(handle.fileno())


def write_host(run_path: Path, host: str, phase: str, data: Mapping[str, Any]) -> None:
    """Write `hosts/<dir>/<phase>.json`; the true name of the host is put into it."""
    check_phase(phase)
    text = json.dumps(finite({**data, "host": host}), indent=1) + "\n"
    _write_host_file(run_path, host, f"{phase}.json", text.encode())


def host_record(run_path: Path, host: str, record: WrittenHostFile) -> None:
    """Write what a phase says of a host to `hosts/<dir>/<phase>.json`."""
    write_host(run_path, host, record.PHASE, record.to_json())


def window(run_path: Path, record: WindowFile) -> None:
    """Write window.json."""
    write_json(run_path, WINDOW, record.to_json())


def balancers(run_path: Path, record: BalancersRecord) -> None:
    """Write balancers.json."""
    write_json(run_path, BALANCERS, record.to_json())


def module_list(run_path: Path, kernel: str, record: ModuleListRecord) -> None:
    """Write manifests/<kernel>.json."""
    write_json(run_path, module_list_of(kernel), record.to_json())


def build(run_path: Path, record: KernelBuild) -> None:
    """Write `builds/<kernel>.json`."""
    write_json(run_path, file_of(record.kernel), record.to_json())


def write_host_bytes(run_path: Path, host: str, filename: str, data: bytes) -> None:
    """Write `<probe>.out.gz` or `<probe>.err` of a host; any other name is refused."""
    if not HOST_FILE.fullmatch(filename):
        raise FleetdiagError(
            f"host {host!r}: refusing to write {filename!r}: it is neither <probe>.out.gz nor <probe>.err"
        )
    _write_host_file(run_path, host, filename, data)


def append_event(run_path: Path, event: EventRecord, *, sync: bool = True) -> None:
    """Append one line to `events.jsonl`; a half line left by a crash stays a line of its own.

    sync: wait until it is on the disk. All hosts wait meanwhile, so what only says that all went well need not be.
    """
    text = json.dumps(finite(event.to_json()))
    if len(text) > _MAX_EVENT:
        cut = replace(event, message=event.message[: _MAX_EVENT // 12] + "…")
        text = json.dumps(finite(cut.to_json()))
    path = run_path / "events.jsonl"
    with open_folder(run_path, []) as folder, refuses_links(path):
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
    with open_folder(run_path, ["hosts", directory], make=True) as fd:
        _replace(fd, run_path / "hosts" / directory / name, name, data)


def _replace(folder: int, path: Path, name: str, data: bytes) -> None:
    """Put `data` under `name` in the open directory, whole or not at all."""
    with _temporary(folder, path, name) as (fd, _unused):
        try:
            _write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)


@contextlib.contextmanager
def _temporary(folder: int, path: Path, name: str) -> Iterator[tuple[int, str]]:
    """Yield a new file in the open directory, as descriptor and name; it becomes `name` if nothing goes wrong."""
    temporary = f".{name}.{secrets.token_hex(8)}.tmp"
    with refuses_links(path):
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise planted(path)
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


def finite(value: Any) -> Any:
    """Return the same data without what JSON has no word for: NaN and infinities become None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value
