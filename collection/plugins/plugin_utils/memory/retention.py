# SPDX-License-Identifier: GPL-3.0-or-later
"""Which runs stay: the last, one a day, one a week; raw data for a shorter time than figures; never the evidence."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import (
    news_file,
    references,
    settings,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write

KEEP = "keep.json"
"""In a run directory: nobody but a person removes it."""
_SIZE = re.compile(r"(\d{1,6})\s*([KMGT]i?B)?")
_FACTORS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True)
class Keep:
    """last, daily, weekly: runs of each name. raw_s: age of what hosts sent, 0 for ever. size: bytes, 0 for any."""

    last: int = 50
    daily: int = 30
    weekly: int = 26
    raw_s: float = 7.0 * 86_400
    size: int = 0


def parse(data: Mapping[str, Any], where: str = "keep") -> Keep:
    """Return what is to be kept. FleetdiagError for what is not known or makes no sense."""
    known = ("last", "daily", "weekly", "raw", "size")
    unknown = [key for key in data if key not in known]
    if unknown:
        raise FleetdiagError(f"{where}: {unknown[0]!r} is not known; there are {', '.join(known)}")
    counts = {}
    for key in ("last", "daily", "weekly"):
        value = data.get(key, getattr(Keep, key))
        if (
            isinstance(value, bool)
            or not isinstance(value, int)
            or not (1 if key == "last" else 0) <= value <= 100_000
        ):
            raise FleetdiagError(
                f"{where}: {key} {value!r} is no number of runs; say for instance {getattr(Keep, key)}"
            )
        counts[key] = value
    return Keep(
        **counts,
        raw_s=settings.age_s(data.get("raw", "7d"), f"{where}: raw"),
        size=_size(data.get("size", 0), where),
    )


def _size(value: Any, where: str) -> int:
    found = _SIZE.fullmatch(str(value)) if not isinstance(value, bool) else None
    if found is None:
        raise FleetdiagError(f"{where}: size {value!r} is no size; say for instance 20 GiB")
    return int(found[1]) * _FACTORS[found[2][0]] if found[2] else int(found[1])


# --- pins ---


def pin(path: Path, why: str = "") -> None:
    """Keep a run until a person says otherwise."""
    read.open_run(path)
    write.write_json(path, KEEP, {"why": why})


def unpin(path: Path) -> None:
    """Let retention remove a run again."""
    read.open_run(path)
    (path / KEEP).unlink(missing_ok=True)


def is_pinned(path: Path) -> bool:
    """Return True for a run that is kept by hand."""
    return os.path.lexists(path / KEEP)


def evidence(runs_dir: Path) -> dict[str, str]:
    """Return the runs that open findings need, with the reason: the first that had it, and the last normal one."""
    needed: dict[str, str] = {}
    seen: set[str] = set()
    for run_id in reversed(references.ids(runs_dir)):
        told = news_file.read(runs_dir / run_id)
        if told is None or told.get("name") in seen:
            continue
        seen.add(str(told.get("name")))
        for record in news_file.records_of(told):
            if record.told:
                needed.setdefault(record.since, f"the first run of finding {record.fingerprint}")
                needed.setdefault(record.last_normal, f"the last run before finding {record.fingerprint}")
    return needed


def why_not(path: Path, needed: Mapping[str, str]) -> str:
    """Return why a run must not be removed, or nothing."""
    if is_pinned(path):
        return "it is kept by hand (fleetdiag runs keep --release)"
    if path.name in needed:
        return f"it is {needed[path.name]}, which is open"
    with contextlib.suppress(FleetdiagError):
        waiting = sum(map(_waiting, read.parts(path)))
        if waiting:
            return f"what {waiting} hosts have of it is not collected yet (fleetdiag collect {path.name})"
    return ""


def _waiting(path: Path) -> int:
    """Return on how many hosts output was left; a damaged run is not waited for."""
    hosts = read.open_run(path).hosts
    try:
        return sum(read.is_awaited(path, host) for host in hosts)
    except FleetdiagError:
        return 0


# --- what goes ---


def delete(path: Path) -> None:
    """Remove a run directory; it is renamed first, so that half of one is never taken for a run."""
    going = path.with_name(f".{path.name}.going")
    try:
        os.rename(path, going)
        shutil.rmtree(going)
    except OSError as error:
        raise FleetdiagError(f"{path}: {error.strerror}; it could not be removed") from error


def prune(
    runs_dir: Path,
    keep: Keep,
    now: datetime,
    size_of: Callable[[Path], int] | None = None,
    dry: bool = False,
    names: Container[str | None] | None = None,
) -> list[str]:
    """Remove what is not to be kept, raw data before figures; returns one line for each run that was touched.

    names: sweeps whose runs are looked at; by default all.
    """
    lines: list[str] = []
    ids = [run for run in references.ids(runs_dir) if not references.is_ahead(run, now)]
    ids = [run for run in ids if names is None or references.name_of(runs_dir / run) in names]
    needed = evidence(runs_dir)
    stays = _wanted(runs_dir, ids, keep)
    left = []
    for run in ids:
        path = runs_dir / run
        if run in stays or why_not(path, needed):
            left.append(run)
        else:
            lines.append(f"{run}: removed")
            if not dry:
                delete(path)
    for run in left:
        old = keep.raw_s > 0 and (now - references.started(run)).total_seconds() > keep.raw_s
        if old and read.has_raw(runs_dir / run) and not why_not(runs_dir / run, needed):
            lines.append(f"{run}: raw data removed")
            if not dry:
                _thin(runs_dir / run)
    if keep.size and not dry:
        lines += _shrink(runs_dir, left, keep.size, needed, size_of or _size_of)
    return lines


def _wanted(runs_dir: Path, ids: Iterable[str], keep: Keep) -> set[str]:
    """Return the runs that are among the last, or the last of their day or week, of their name."""
    by_name: dict[str, list[str]] = {}
    for run in ids:
        by_name.setdefault(references.name_of(runs_dir / run) or "", []).append(run)
    wanted: set[str] = set()
    for runs in by_name.values():
        runs.reverse()
        wanted.update(runs[: keep.last])
        for many, form in ((keep.daily, "%Y%m%d"), (keep.weekly, "%G%V")):
            periods: dict[str, str] = {}
            for run in runs:
                periods.setdefault(references.started(run).strftime(form), run)
            wanted.update(list(periods.values())[:many])
    return wanted


def _thin(path: Path) -> None:
    """Remove what the hosts sent; sweep, reports, figures and news stay."""
    for part in read.parts(path):
        if not (part / "hosts").is_dir():
            continue
        going = part / ".hosts.going"
        try:
            os.rename(part / "hosts", going)
            shutil.rmtree(going)
        except OSError as error:
            raise FleetdiagError(f"{part}/hosts: {error.strerror}; it could not be removed") from error


def _shrink(
    runs_dir: Path, runs: Iterable[str], size: int, needed: Mapping[str, str], size_of: Callable[[Path], int]
) -> list[str]:
    """Remove the oldest runs until the rest is small enough; the latest stays."""
    sizes = {run: size_of(runs_dir / run) for run in runs}
    lines = []
    for run in list(sizes)[:-1]:
        if sum(sizes.values()) <= size:
            break
        if not why_not(runs_dir / run, needed):
            delete(runs_dir / run)
            del sizes[run]
            lines.append(f"{run}: removed, the runs took more than they may")
    return lines


def _size_of(path: Path) -> int:
    return sum(
        os.lstat(os.path.join(folder, name)).st_size
        for folder, _unused, names in os.walk(path)
        for name in names
    )
