# SPDX-License-Identifier: GPL-3.0-or-later
"""A cache by content: an entry is a directory named after the hash of the recipe that made it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from fleetdiag.lab import rights
from fleetdiag.lab.log import say

# What key() makes; the cache holds other directories too.
KEY = re.compile(r"[a-z-]+-[0-9a-f]{16}")


def key(kind: str, recipe: dict[str, object]) -> str:
    """Return `kind`-xxxxxxxxxxxxxxxx: the same for the same recipe (JSON data), whatever the order of its keys."""
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"))
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def entry(folder: Path, name: str, make: Callable[[Path], None]) -> Path:
    """Return the entry `name` of the cache `folder`; when missing, `make(path)` fills a new directory for it.

    The directory gets its name only when it is complete, so an interrupted build is simply done again.
    """
    path = folder / name
    if path.is_dir():
        return path
    unfinished = folder / f"tmp-{os.getpid()}-{name}"
    remove(unfinished)
    unfinished.mkdir(parents=True, mode=0o755)
    make(unfinished)
    unfinished.rename(path)
    return path


def drop_unfinished(folder: Path) -> None:
    """Remove what interrupted builds left. The caller holds the lock of the cache."""
    for path in folder.glob("tmp-*"):
        say(f"removing {path.name}, which an interrupted build left")
        remove(path)


def prune(folder: Path, keep: set[str], kind: str, newest: int = 0) -> None:
    """Remove the entries of `kind` but for `keep` and the `newest` ones. The caller holds the lock."""
    entries = [path for path in folder.glob(f"{kind}-*") if path.is_dir() and KEY.fullmatch(path.name)]
    entries.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in entries[newest:]:
        if path.name not in keep:
            say(f"removing {path.name}, which no recipe makes any more")
            remove(path)


def remove(path: Path) -> None:
    """Remove a tree that may hold files of other users of the build's user namespace."""
    if not path.exists():
        return
    if rights.is_root():
        shutil.rmtree(path)
    else:
        subprocess.run([*rights.prefix(), "rm", "-rf", "--one-file-system", str(path)], check=True)
