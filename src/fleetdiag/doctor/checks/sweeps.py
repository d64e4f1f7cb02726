# SPDX-License-Identifier: GPL-3.0-or-later
"""The last slots of each sweep: silent, skipped, incomplete."""

from __future__ import annotations

from collections.abc import Iterator

from fleetdiag.doctor.model import FAIL, OK, WARN, Case, Line
from fleetdiag.notify import summary
from fleetdiag.schedule import clock

ORDER = 100
SILENT = 2
"""Intervals without a sweep that are a failure."""


def look(case: Case) -> Iterator[Line]:
    """Yield a line for each named sweep."""
    for sweep in case.sweeps:
        found = summary.of(sweep, case.now)
        runs = [mark for mark in found.marks if mark.run]
        if not runs:
            yield Line(
                WARN if sweep.scheduled else OK, "sweep", f"{sweep.name}: has never run", _by_hand(sweep.name)
            )
            continue
        last = clock.of_iso(runs[-1].when) or 0.0
        lost = len(clock.after(sweep, last, case.now)) if sweep.scheduled else 0
        reasons = [mark.reason for mark in found.marks if not mark.run and mark.when > runs[-1].when]
        why = f" ({reasons[-1]})" if reasons else ""
        text = f"{sweep.name}: last {runs[-1].when}, {runs[-1].status}"
        if lost >= SILENT:
            remedy = f"journalctl -u fleetdiag-{sweep.name}.service"
            yield Line(FAIL, "sweep", f"{text}, {lost} intervals ago{why}", remedy)
        elif runs[-1].status == summary.INCOMPLETE:
            yield Line(WARN, "sweep", text, f"fleetdiag report {sweep.name}")
        else:
            yield Line(OK, "sweep", text)


def _by_hand(name: str) -> str:
    return f"fleetdiag sweep {name}"
