# SPDX-License-Identifier: GPL-3.0-or-later
"""The earlier runs beside a run: their figures and their news. A damaged run among many is passed over."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import figures_file
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import references
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import history, read

FACTOR = 2
"""So many times the sweeps that count are looked at, because suspected ones among them do not."""


@dataclass
class Past:
    """sweeps: comparable ones, the oldest first. news: of each its news.json, if it has one. previous: the run whose
    news those of this one go on from, and `state` that news.json; empty if there is none."""

    sweeps: list[figures_file.Sweep] = field(default_factory=list)
    news: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    previous: str = ""
    state: Mapping[str, Any] = field(default_factory=dict)


def before(run_path: Path, run_id: str, name: str, hashes: Collection[str], most: int) -> Past:
    """Return what the runs beside `run_path` that are older tell of sweeps of this name."""
    past = Past()
    wanted = set(hashes)
    for found, news, data in _earlier(run_path.absolute().parent, run_id, name):
        if news is not None and not past.previous:
            past.previous, past.state = found, news
        sweep = figures_file.read(found, data) if data is not None else None
        if sweep is not None and wanted.intersection(sweep.hashes.values()):
            past.sweeps.append(sweep)
            past.news[found] = news or {}
        if len(past.sweeps) >= FACTOR * most:
            break
    past.sweeps.reverse()
    return past


def _earlier(
    runs_dir: Path, run_id: str, name: str
) -> Iterator[tuple[str, dict[str, Any] | None, dict[str, Any] | None]]:
    """Yield id, news.json and figures.json of the earlier runs of a name, the latest first."""
    ids = [found for found in references.ids(runs_dir) if found < run_id]
    for found in ids[: -history.MAX_LOOKED_AT - 1 : -1]:
        news, figures = (_read(runs_dir / found, file) for file in (history.NEWS, history.FIGURES))
        if news is None and figures is None:
            continue
        named = (news or figures or {}).get("name", "")
        if named == name:
            yield found, news, figures


def _read(path: Path, file: str) -> dict[str, Any] | None:
    try:
        return read.read_json(path, file)
    except FleetdiagError:
        return None
