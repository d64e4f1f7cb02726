# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration file: where it is looked for, who may write to it, and on which line a value stands."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.bounded_text import read_text
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.yaml_lines import Place

VARIABLE = "FLEETDIAG_CONFIG"
"""Environment variable that names the file; the command sets it for `--config`."""
LOCAL = "fleetdiag.toml"
SYSTEM = Path("/etc/fleetdiag/config.toml")
MAX_BYTES = 1024 * 1024

_HEADER = re.compile(r"\s*(\[\[?[^\[\]]+\]\]?)\s*(#.*)?")
_KEY = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)


@dataclass(frozen=True)
class File:
    """A configuration file that was read. `path` is None and `data` empty where there is none."""

    path: Path | None
    data: dict[str, Any] = field(default_factory=dict)
    lines: Mapping[Place, int] = field(default_factory=dict)

    def line(self, place: Place) -> int:
        """Return the line of a value, or of the nearest table around it that has one."""
        return next((self.lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in self.lines), 1)

    def where(self, place: Place) -> str:
        """Return `FILE:LINE: key.of.the.value`, to begin a sentence with."""
        name = printable(".".join(map(str, place)))
        return f"{self.path}:{self.line(place)}" + (f": {name}" if name else "")

    def absolute(self, name: str) -> Path:
        """Return a path of the file, taken from the file's own directory."""
        return absolute(name, self.path.parent if self.path else Path.cwd())


def user_file() -> Path:
    """Return `$XDG_CONFIG_HOME/fleetdiag/config.toml`, by default `~/.config/fleetdiag/config.toml`."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".config") / "fleetdiag" / "config.toml"


def find() -> Path | None:
    """Return the file to read: the one FLEETDIAG_CONFIG names, else the first there is; None if there is none."""
    named = os.environ.get(VARIABLE, "")
    if named:
        return absolute(named, Path.cwd())
    return next((path for path in (Path.cwd() / LOCAL, user_file(), SYSTEM) if os.path.lexists(path)), None)


def read(path: Path | None = None) -> File:
    """Return the file at `path`, by default the one that `find` finds.

    Raises FleetdiagError with file and line if it cannot be read, is no TOML, or others may write to it.
    """
    path = path or find()
    if path is None:
        return File(None)
    text = _text(path)
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        said = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "is nested too deeply"
        found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", said)
        line = found[1] if found and found[1] else text.count("\n") or 1
        what = printable(said[: found.start()] if found else said)
        raise FleetdiagError(f"{path}:{line}: TOML: {what}; correct the line") from error
    return File(path, data, dict(_lines(text, data)))


def absolute(name: str, base: Path) -> Path:
    """Return a path with `~` expanded, relative ones taken from `base`."""
    try:
        return Path(os.path.normpath(base / Path(name).expanduser()))
    except RuntimeError as error:  # a user that does not exist
        raise FleetdiagError(f"{printable(name)}: {error}; write the whole path") from error


def check_owner(path: Path, info: os.stat_result) -> None:
    """Raise FleetdiagError if somebody else may change the file. It names commands that are run."""
    if info.st_uid not in (0, os.geteuid()):
        raise FleetdiagError(
            f"{path}: belongs to another user (uid {info.st_uid}), so it is not read: it names commands; make it"
            f" yours: chown {os.geteuid()} {path}"
        )
    if info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise FleetdiagError(
            f"{path}: others may write to it, so it is not read: it names commands; chmod go-w {path}"
        )
    folder = path.resolve().parent
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise FleetdiagError(
            f"{path}: others may replace it, because its directory is open to all, so it is not read: it names"
            f" commands; chmod o-w {folder}"
        )


def _text(path: Path) -> str:
    return read_text(path, MAX_BYTES, check=lambda descriptor: check_owner(path, os.fstat(descriptor)))


def _lines(text: str, data: Mapping[str, Any]) -> Iterator[tuple[Place, int]]:
    """Yield the place of each key and table with its line. Lines of long strings are passed over."""
    table: Place = ()
    seen: set[Place] = set()
    inside = ""
    for number, line in enumerate(text.split("\n"), 1):
        quotes = next((q for q in (inside or '"""', inside or "'''") if line.count(q) % 2), "")
        if inside:
            inside = "" if quotes else inside
            continue
        inside = quotes
        header, key = _HEADER.fullmatch(line.rstrip("\r")), _KEY.match(line)
        if header:
            place = table = _path(header[1])
        elif key:
            place = (*table, *_path(f"{key[1]}=0"))
        else:
            continue
        for length in range(1, len(place) + 1):
            part = place[:length]
            if part not in seen and _holds(data, part):
                seen.add(part)
                yield part, number


def _path(text: str) -> Place:
    """Return the keys of `[a.b]` or `a.b=0`, as TOML itself reads them."""
    try:
        data: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return ()
    place: list[str] = []
    while isinstance(data, dict) and data:
        key, data = next(iter(data.items()))
        place.append(key)
    return tuple(place)


def _holds(data: Any, place: Place) -> bool:
    for key in place:
        if not isinstance(data, Mapping) or key not in data:
            return False
        data = data[key]
    return True
