# SPDX-License-Identifier: GPL-3.0-or-later
"""Disk: how long the runs still fit, by what those of the last week take."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.quantities import size
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import references
from fleetdiag.config import DAY_S
from fleetdiag.doctor.model import FAIL, OK, WARN, Case, Line

ORDER = 40
FEW_WEEKS = 8
LEAST = 256 * 1024**2


def look(case: Case) -> Iterator[Line]:
    """Yield one line for each place of runs that is there."""
    for place in case.runs_dirs:
        there = next((path for path in (place, *place.parents) if path.is_dir()), Path("/"))
        left = shutil.disk_usage(there).free
        weekly = sum(_size(place / run) for run in _last_week(place, case.now))
        text = f"{place}: {size(left)} left, the runs take {size(weekly)} a week"
        weeks = left / weekly if weekly else float("inf")
        if left < LEAST:
            yield Line(FAIL, "space", text, "make room, or lower keep")
        elif weeks < FEW_WEEKS:
            yield Line(
                WARN,
                "space",
                f"{text}: full in {weeks:.0f} weeks",
                "lower keep, or: fleetdiag runs prune",
            )
        else:
            yield Line(OK, "space", text)


def _last_week(place: Path, now: float) -> Iterator[str]:
    for run in references.ids(place):
        try:
            if now - references.started(run).timestamp() < 7 * DAY_S:
                yield run
        except FleetdiagError:
            continue


def _size(folder: Path) -> int:
    files = (os.path.join(root, name) for root, _, names in os.walk(folder) for name in names)
    return sum(os.lstat(name).st_blocks * 512 for name in files if os.path.lexists(name))
