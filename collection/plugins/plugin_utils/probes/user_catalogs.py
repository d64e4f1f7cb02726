# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a person's own catalogs are: said with a command, in the environment, or in a configuration file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import config_file
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable

VARIABLE = "FLEETDIAG_CATALOGS"
"""Environment variable with the directories of catalogs, separated by colons."""

KEYS = ("catalogs", "defaults", "sweeps", "receivers", "heartbeat")
"""What the configuration file may say. All but `catalogs` is for the command, which checks it."""

_ADVICE = "name one that holds probe folders"


def catalogs(given: Iterable[str | Path] = ()) -> list[Path]:
    """Return the directories of one's own probes: those given, then the environment's, then the configuration's.

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
        yield _absolute(str(name)), f"catalog {printable(str(name))}"


def _from_environment() -> Iterator[tuple[Path, str]]:
    for name in os.environ.get(VARIABLE, "").split(":"):
        if name:
            yield _absolute(name), f"{VARIABLE}: catalog {printable(name)}"


def _from_file() -> Iterator[tuple[Path, str]]:
    file = config_file.read()
    for key in file.data:
        if key not in KEYS:
            raise FleetdiagError(f"{file.where((key,))}: is not known here; it can be {', '.join(KEYS)}")
    names = file.data.get("catalogs", [])
    where = file.where(("catalogs",))
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise FleetdiagError(f'{where}: is not a list of directories; write catalogs = ["~/probes"]')
    for name in names:
        yield file.absolute(name), f"{where}: {printable(name)}"


def _absolute(name: str) -> Path:
    try:
        return config_file.absolute(name, Path.cwd())
    except FleetdiagError as error:
        raise FleetdiagError(f"catalog {error}") from error
