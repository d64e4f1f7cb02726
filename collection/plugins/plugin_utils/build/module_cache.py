# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's store of compiled modules and of smoke-test verdicts, kept between sweeps.

Modules are kept once per content (`modules/<sha256>.ko`); an index entry (`index/<sha256 of key>.json`)
leads from what a module was built from (see buildkey) to its content. What does not match its checksum is
dropped, never used, and said. Whoever builds holds the lock of the key, so that a second sweep waits instead of
building the same thing; a lock ends with its holder. Beyond the limit of size, what was not used for the longest time
goes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import MAKER
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.files import cache_dir
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.untrusted import listing

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHA256 = re.compile(r"[0-9a-f]{64}")
_FUNCTION = re.compile(r"[A-Za-z0-9_.]{1,200}")
_VERDICT_KEYS = ("verdict", "reason", "remedy")

DEFAULT_LIMIT_MB = 2048
IN_USE_S = 3600.0
"""A module that was used this recently may belong to a sweep that still runs, and is not removed to make room."""


def origin(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a module came by the kernel's types, of a builder's answer or of what was put with the module.

    {types: "btf", functions, small, of_modules: names as in ModuleBuild, maker} for one that was built with debuginfo
    made of BTF, else {}.
    """
    if facts.get("types") != "btf" or not isinstance(facts.get("functions"), list):
        return {}
    named = {
        key: tuple(str(name) for name in listing(facts, key) if _FUNCTION.fullmatch(str(name)))
        for key in ("functions", "small", "of_modules")
    }
    return {"types": "btf", **named, "maker": str(facts.get("maker", ""))}


class ModuleStore:
    """Modules and verdicts below one directory of the user's own (0700, files 0600).

    Several sweeps may use it at once: files are written whole and renamed into place. dropped: a sentence for each
    module that was damaged and is therefore gone.
    """

    def __init__(self, directory: Path | None = None, *, limit_mb: int = DEFAULT_LIMIT_MB) -> None:
        self.directory = Path(directory) if directory is not None else cache_dir()
        self.limit_bytes = limit_mb << 20
        self.dropped: list[str] = []
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.directory.stat().st_uid != os.geteuid():
                raise FleetdiagError(f"{self.directory}: belongs to another user; name one of your own")
            self.directory.chmod(0o700)
            for name in ("modules", "index", "verdicts", "locks"):
                folder = self.directory / name
                with contextlib.suppress(FileExistsError):
                    folder.mkdir(mode=0o700)
                if not stat.S_ISDIR(folder.lstat().st_mode):
                    raise FleetdiagError(f"{folder}: is not a directory; remove it, modules are kept there")
        except OSError as exc:
            raise FleetdiagError(
                f"{exc.filename or self.directory}: no place for modules ({exc.strerror}); choose another"
            ) from exc

    def get(self, key: str) -> Path | None:
        """Return the module built for `key`, content checked now; None if there is none or it was damaged."""
        entry = self.meta(key)
        if entry is None or origin(entry).get("maker", MAKER) != MAKER:
            return None
        sha256 = str(entry.get("sha256", ""))
        path = self._module(sha256) if _SHA256.fullmatch(sha256) else None
        data = _read(path) if path else None
        if path and data is not None and hashlib.sha256(data).hexdigest() == sha256:
            with contextlib.suppress(OSError):
                os.utime(path)
            return path
        if path and (data is not None or path.is_symlink()):
            self.dropped.append(f"{path}: was damaged, is removed and built again")
            with contextlib.suppress(OSError):
                path.unlink()
        self._drop("index", key)
        return None

    def read(self, sha256: str) -> bytes:
        """Return the module of this content, after `get` or `put`. Raises FleetdiagError if it is damaged or gone."""
        data = _read(self._module(sha256)) if _SHA256.fullmatch(sha256) else None
        if data is None or hashlib.sha256(data).hexdigest() != sha256:
            raise FleetdiagError(f"{self._module(sha256)}: is damaged or gone; sweep again to build it anew")
        return data

    def meta(self, key: str) -> dict[str, Any] | None:
        """Return the data put with the module of `key` (and its `sha256`), unchecked; None if there is no entry."""
        return self._load("index", key)

    def put(self, key: str, data: bytes, meta: Mapping[str, Any]) -> str:
        """Keep a module and what is to be remembered of it (plain JSON data). Returns its sha256."""
        if not data:
            raise FleetdiagError(f"module {key!r} is empty; build it again")
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._module(sha256)
        if _read(path) != data:
            self._make_room(path, data)
        self._save("index", key, {**meta, "sha256": sha256, "bytes": len(data)})
        return sha256

    @contextlib.contextmanager
    def locked(self, keys: Iterable[str], waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Be the only one who builds for `keys`. waiting: called once if another holds one of them and must end first.

        Locks are taken in one order, so that two sweeps cannot wait for each other.
        """
        with contextlib.ExitStack() as held:
            for key in sorted(set(keys)):
                waiting = held.enter_context(_locked(self._entry("locks", key), waiting))
            yield

    def evict(self, limit_bytes: int) -> int:
        """Remove what was not used for the longest time until the modules fit into the limit; how many went."""
        files = []
        for path in (self.directory / "modules").iterdir():
            with contextlib.suppress(OSError):
                status = path.lstat()
                files.append((status.st_mtime, status.st_size, path))
        total, gone = sum(size for _unused, size, _unused2 in files), 0
        for used, size, path in sorted(files):
            if total <= limit_bytes or used > time.time() - IN_USE_S:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                total, gone = total - size, gone + 1
        if gone:
            self._forget_absent()
        return gone

    def _make_room(self, path: Path, data: bytes) -> None:
        """Write a module; where the disk is full, what nobody uses makes room."""
        try:
            write(path, data)
        except FleetdiagError as error:
            full = isinstance(error.__cause__, OSError) and error.__cause__.errno in (
                errno.ENOSPC,
                errno.EDQUOT,
            )
            if not full or not self.evict(0):
                raise
            write(path, data)
        self.evict(self.limit_bytes)

    def _forget_absent(self) -> None:
        """Remove the entries of the index whose module is gone."""
        for entry in (self.directory / "index").glob("*.json"):
            try:
                sha256 = json.loads(_read(entry) or b"{}").get("sha256", "")
            except (ValueError, AttributeError, RecursionError):
                sha256 = ""
            if not (_SHA256.fullmatch(str(sha256)) and self._module(sha256).exists()):
                with contextlib.suppress(OSError):
                    entry.unlink()

    def get_verdict(self, key: str) -> dict[str, str] | None:
        """Return the smoke-test verdict remembered for `key`: `{"verdict", "reason", "remedy"}`, or None."""
        entry = self._load("verdicts", key)
        if entry is None or not all(isinstance(entry.get(name), str) for name in _VERDICT_KEYS):
            return None
        return {name: entry[name] for name in _VERDICT_KEYS}

    def put_verdict(self, key: str, verdict: Mapping[str, str]) -> None:
        """Remember a smoke-test verdict."""
        self._save("verdicts", key, {name: str(verdict.get(name, "")) for name in _VERDICT_KEYS})

    def _module(self, sha256: str) -> Path:
        return self.directory / "modules" / f"{sha256}.ko"

    def _entry(self, kind: str, key: str) -> Path:
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        return self.directory / kind / f"{digest}.json"

    def _load(self, kind: str, key: str) -> dict[str, Any] | None:
        data = _read(self._entry(kind, key))
        try:
            entry = json.loads(data) if data is not None else None
        except (ValueError, RecursionError):
            entry = None
        return entry if isinstance(entry, dict) and entry.get("key") == key else None

    def _save(self, kind: str, key: str, entry: Mapping[str, Any]) -> None:
        text = json.dumps({**entry, "key": key}, indent=1, sort_keys=True) + "\n"
        write(self._entry(kind, key), text.encode())

    def _drop(self, kind: str, key: str) -> None:
        with contextlib.suppress(OSError):
            self._entry(kind, key).unlink()


@contextlib.contextmanager
def _locked(path: Path, waiting: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Hold the lock of one file, which is removed afterwards; yields what to call for the next wait."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            waiting = _said
            fcntl.flock(fd, fcntl.LOCK_EX)
        # Whoever held it has removed it: then this is the lock of a file that is no more.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(fd), os.stat(path)):
                break
        os.close(fd)
    try:
        yield waiting
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(fd)


def _said() -> None:
    """Do nothing: one wait is like another, and it is said once."""


def _read(path: Path) -> bytes | None:
    """Return the bytes of a regular file, or None; links are not followed."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as handle:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        return handle.read()


def write(path: Path, data: bytes) -> None:
    """Write a file of the user's own whole, or raise a FleetdiagError and leave what was there."""
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as exc:
        raise FleetdiagError(f"{path}: cannot write it ({exc.strerror}); free some space") from exc
