# SPDX-License-Identifier: GPL-3.0-or-later
"""Open files and folders of a run directory without following links."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError


@contextlib.contextmanager
def open_folder(run_path: Path, names: list[str], make: bool = False) -> Iterator[int]:
    """Yield a descriptor of a directory below the run directory, reached without following any link."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    path = Path(run_path)
    with refuses_links(path):
        fd = os.open(path, flags)
    try:
        for name in names:
            path = path / name
            with refuses_links(path):
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
def refuses_links(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno == errno.ELOOP or (exc.errno == errno.ENOTDIR and path.is_symlink()):
            raise planted(path) from exc
        raise FleetdiagError(f"{path}: {exc.strerror}; nothing was read or written there") from exc


def planted(path: Path) -> FleetdiagError:
    return FleetdiagError(f"{path}: is a symbolic link, fleetdiag makes none; look who did and remove it")


CHUNK = 64 * 1024


@contextlib.contextmanager
def read_only(
    run_path: Path, folders: list[str], name: str, notes: list[str] | None
) -> Iterator[io.FileIO | None]:
    """Yield a regular file below the run directory, or None; a link or a device is refused with a note."""
    label = "/".join([*folders, name])
    fd = -1
    try:
        with open_folder(run_path, folders) as folder:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            fd = -1
            note(notes, f"{label}: is not a regular file; left out")
    except FleetdiagError as exc:
        if not isinstance(exc.__cause__, FileNotFoundError):
            note(notes, f"{label}: {exc}; left out")
    except FileNotFoundError:
        pass
    except OSError as exc:
        what = "is a symbolic link" if exc.errno == errno.ELOOP else str(exc.strerror)
        note(notes, f"{label}: {what}; left out")
    if fd < 0:
        yield None
        return
    with io.FileIO(fd, "r") as handle:
        yield handle


def note(notes: list[str] | None, text: str) -> None:
    if notes is not None and text not in notes:
        notes.append(text)
