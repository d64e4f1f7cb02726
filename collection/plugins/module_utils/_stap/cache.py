# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that a builder keeps: which are whole, where each comes from, and what goes when there is no room."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap import kernel_files
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import MAKER

IN_USE_S = 3600  # a module that was used this recently may belong to a sweep that still runs
MAX_FUNCTIONS = 100  # that are named; a pattern may match thousands


def origin(kept: str) -> dict[str, Any]:
    """Return what a kept module was compiled with, as `keep_origin` notes it; {} for one of the installed headers."""
    try:
        with open(kept + ".origin") as stream:
            found = json.load(stream)
        later = {key: found.get(key, []) for key in ("small", "of_modules")}
        return {**{key: found[key] for key in ("types", "functions", "maker")}, **later}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def keep_origin(kept: str, debuginfo: str, probed: set[tuple[str, str]]) -> None:
    """Note beside a module that it was compiled with debuginfo that was made of BTF, or that it was not.

    debuginfo: the folder that SystemTap was pointed at, "" without. probed: ("kernel" or what else, function).
    """
    if not debuginfo:
        with contextlib.suppress(FileNotFoundError):
            os.remove(kept + ".origin")
        return
    functions = sorted({name for _where, name in probed})[:MAX_FUNCTIONS]
    noted = {
        "types": "btf",
        "functions": functions,
        "small": kernel_files.small_functions(debuginfo, functions),
        "of_modules": sorted({name for where, name in probed if where != "kernel"}.intersection(functions)),
        "maker": MAKER,
    }
    with open(kept + ".origin", "w") as stream:
        json.dump(noted, stream)


def whole(module: AnsibleModule, kept: str, touch: bool = True) -> str:
    """Return the kept module's SHA-256, or "" if it is missing or damaged. A damaged one is removed with a warning."""
    try:
        with open(kept + ".sha256") as stream:
            wanted = stream.read().strip()
        found = sha256(kept)
    except OSError:
        return ""
    if origin(kept).get("maker", MAKER) != MAKER:
        return ""
    if found == wanted:
        if touch:
            os.utime(kept)
        return found
    if touch:
        os.remove(kept)
        module.warn(f"{kept}: was damaged, is removed and built again")
    return ""


@contextlib.contextmanager
def alone(path: str) -> Iterator[None]:
    """Let nobody else build the same module meanwhile; the lock ends with its holder, its file is removed."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(fd), os.stat(path)):
                break
        except FileNotFoundError:
            pass  # whoever held it has just removed it
        os.close(fd)
    try:
        yield
    finally:
        os.unlink(path)
        os.close(fd)


def evict(cache_dir: str, limit: int) -> None:
    """Remove modules and made debuginfo, first what was not used for the longest time, until the rest fits."""
    kept = []
    patterns = (os.path.join("modules", "*.ko"), *kernel_files.PATTERNS)
    found = [path for pattern in patterns for path in glob.glob(os.path.join(cache_dir, "*", pattern))]
    for path in [path for path in found if not path.endswith(".sha256")]:
        with contextlib.suppress(OSError):
            status = os.lstat(path)
            kept.append((status.st_mtime, status.st_size, path))
    total = sum(size for _used, size, _path in kept)
    for used, size, path in sorted(kept):
        if total <= limit or used > time.time() - IN_USE_S:
            return
        for name in (path, path + ".sha256", path + ".origin"):
            with contextlib.suppress(OSError):
                os.remove(name)
        total -= size


def no_room(path: str, min_free_mb: int) -> str:
    """Return why there is too little room after removing what is not in use, "" if there is enough."""
    free = free_mb(path)
    if free < min_free_mb:
        evict(path, 0)
        free = free_mb(path)
    if free >= min_free_mb:
        return ""
    return f"only {free} MB are free under {path} on the builder, {min_free_mb} are needed: free space there"


def free_mb(path: str) -> int:
    return shutil.disk_usage(path).free // (1 << 20)


def sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for piece in iter(lambda: stream.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()
