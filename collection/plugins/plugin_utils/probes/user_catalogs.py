# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a person's own catalogs are: said with a command, in the environment, or in a configuration file."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable

VARIABLE = "FLEETDIAG_CATALOGS"
"""Environment variable with the directories of catalogs, separated by colons."""

KEYS = ("catalogs",)
"""What the configuration file may say."""

_ADVICE = "name one that holds probe folders"


def config_file() -> Path:
    """`$XDG_CONFIG_HOME/fleetdiag/config.toml`, by default `~/.config/fleetdiag/config.toml`."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".config") / "fleetdiag" / "config.toml"


def catalogs(given: Iterable[str | Path] = ()) -> list[Path]:
    """The directories of one's own probes: those given, then the environment's, then the configuration's.

    Each once, absolute. Raises FleetdiagError for one that is no directory, saying who named it.
    """
    found: dict[Path, Path] = {}
    for path, label in (*_given(given), *_from_environment(), *_from_file()):
        if not path.is_dir():
            raise FleetdiagError(f"{label}: there is no such directory; {_ADVICE}")
        found.setdefault(path.resolve(), path)
    return list(found.values())


def _given(given: Iterable[str | Path]) -> Iterator[tuple[Path, str]]:
    for name in given:
        yield _absolute(str(name), Path.cwd()), f"catalog {printable(str(name))}"


def _from_environment() -> Iterator[tuple[Path, str]]:
    for name in os.environ.get(VARIABLE, "").split(":"):
        if name:
            yield _absolute(name, Path.cwd()), f"{VARIABLE}: catalog {printable(name)}"


def _from_file() -> Iterator[tuple[Path, str]]:
    path = config_file()
    text, data = _read(path)
    for key in data:
        if key not in KEYS:
            where = f"{path}:{_line(text, key)}"
            raise FleetdiagError(f"{where}: {printable(key)}: is not known here; it can be {', '.join(KEYS)}")
    names = data.get("catalogs", [])
    where = f"{path}:{_line(text, 'catalogs')}: catalogs"
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise FleetdiagError(f'{where}: is not a list of directories; write catalogs = ["~/probes"]')
    for name in names:
        yield _absolute(name, path.parent), f"{where}: {printable(name)}"


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except FileNotFoundError:
        return "", {}
    except OSError as error:
        raise FleetdiagError(f"{path}: {error.strerror}; make it readable") from error
    except UnicodeDecodeError as error:
        raise FleetdiagError(f"{path}:1: is not UTF-8 text; save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        said = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "is nested too deeply"
        found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", said)
        line = found[1] if found and found[1] else text.count("\n") or 1
        what = printable(said[: found.start()] if found else said)
        raise FleetdiagError(f"{path}:{line}: TOML: {what}; correct the line") from error


def _line(text: str, key: str) -> int:
    """Where a key or a table of that name begins; the first line if that cannot be told."""
    named = re.compile(rf"""\s*\[*\s*["']?{re.escape(key)}["']?\s*(=|\.|\])""")
    for number, line in enumerate(text.split("\n"), 1):
        if named.match(line):
            return number
    return 1


def _absolute(name: str, base: Path) -> Path:
    try:
        path = Path(name).expanduser()
    except RuntimeError as error:  # a user that does not exist
        raise FleetdiagError(f"catalog {printable(name)}: {error}; write the whole path") from error
    return Path(os.path.normpath(base / path))
