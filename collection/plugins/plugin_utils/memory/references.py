# SPDX-License-Identifier: GPL-3.0-or-later
"""RUN, as every command takes it: an id, a unique prefix of one, a path, `latest`, NAME, or NAME~2."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import names, read

LATEST = "latest"
AHEAD = timedelta(hours=1)
"""A run whose id is further ahead of the clock was made while a clock was wrong; it is not the latest."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_LIKE_ID = re.compile(r"\d{8}(_.*)?")
_BACK = re.compile(r"(?P<name>.+?)~(?P<back>\d{1,6})")
_PREFIX = re.compile(r"\d{4}[0-9_a-f]*")


def check_name(name: str) -> None:
    """Raise FleetdiagError for a name that no sweep can have; empty is no name, and fine."""
    if name and (not _NAME.fullmatch(name) or name == LATEST or _LIKE_ID.fullmatch(name)):
        raise FleetdiagError(
            f"sweep name {name!r}: use up to 63 small letters, digits, '-', '_' and '.', beginning with a letter"
            f" or digit; not '{LATEST}' and nothing like a date"
        )


def ids(runs_dir: Path) -> list[str]:
    """Return the ids of all runs in a directory, the oldest first; an unreadable directory has none."""
    try:
        with os.scandir(runs_dir) as items:
            return sorted(item.name for item in items if names.is_id(item.name))
    except OSError:
        return []


def started(run_id: str) -> datetime:
    """Return when a run began, by its id. FleetdiagError for digits that are no date."""
    try:
        return datetime.strptime(run_id[:15], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise FleetdiagError(f"{run_id!r} is not the id of a run: its digits are no date") from error


def is_ahead(run_id: str, now: datetime) -> bool:
    """Return True for a run that a wrong clock put into the future (or whose digits are no date)."""
    try:
        return started(run_id) > now + AHEAD
    except FleetdiagError:
        return True


def name_of(path: Path) -> str | None:
    """Return the name of a run's sweep, "" for one without; None if its sweep.json cannot be read."""
    sweep = read.request(path)
    return None if sweep is None else sweep.name


def resolve(word: str, runs_dir: Path, now: datetime | None = None) -> Path:
    """Return the run directory that a word names; a path wins only if it has a slash or no run is called so.

    Raises FleetdiagError with what to do if there is none, or more than one.
    """
    path = Path(os.path.expanduser(word))
    if "/" in word or word in (".", ".."):
        return path
    found = ids(runs_dir)
    if word in found:
        return runs_dir / word
    if word == LATEST:
        return _back(runs_dir, _newest(found, now), 0, word)
    if _PREFIX.fullmatch(word):
        return _by_prefix(word, runs_dir, found, path)
    asked = _BACK.fullmatch(word)
    name, back = (asked["name"], int(asked["back"])) if asked else (word, 0)
    newest = _newest(found, now)
    if name != LATEST:
        newest = (run for run in newest if name and name_of(runs_dir / run) == name)
    try:
        return _back(runs_dir, newest, back, word)
    except FleetdiagError:
        if word and path.is_dir():
            return path
        raise


def _newest(found: list[str], now: datetime | None) -> Iterator[str]:
    moment = now or datetime.now(UTC)
    return (run for run in reversed(found) if not is_ahead(run, moment))


def _back(runs_dir: Path, newest: Iterator[str], back: int, word: str) -> Path:
    seen = 0
    for run in newest:
        if seen == back:
            return runs_dir / run
        seen += 1
    have = f"there are only {seen} of it" if seen else "there is none"
    raise FleetdiagError(
        f"{printable(word)}: no such run in {runs_dir} ({have}); 'fleetdiag runs' lists them, --runs-dir names"
        " another place"
    )


def _by_prefix(word: str, runs_dir: Path, found: list[str], path: Path) -> Path:
    matching = [run for run in found if run.startswith(word)]
    if len(matching) == 1:
        return runs_dir / matching[0]
    if matching:
        some = ", ".join(matching[:3]) + (", ..." if len(matching) > 3 else "")
        raise FleetdiagError(f"{word}: is the beginning of {len(matching)} runs ({some}); say more of it")
    if path.is_dir():
        return path
    raise FleetdiagError(f"{word}: no run in {runs_dir} begins so; 'fleetdiag runs' lists them")
