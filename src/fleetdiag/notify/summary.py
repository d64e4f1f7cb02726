# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to say of a named sweep: its last slots, its last run, what is open."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import references, slots
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.coverage import STATUSES
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from fleetdiag.config import NamedSweep
from fleetdiag.schedule import clock, turn

FINE, FINDINGS, INCOMPLETE, SKIPPED, MISSED = "fine", "findings", "incomplete", "skipped", "missed"
STRIP = 30
MAX_RUNS = 200
"""Runs of a name whose reports are read."""
LOOK_BACK = 3000
HOST_STATES = STATUSES
PROBED = ("probed", "degraded")


@dataclass(frozen=True)
class Mark:
    """One slot or run of a sweep. status: fine, findings, incomplete, skipped or missed; run: its id, "" for none."""

    when: str
    status: str
    run: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Summary:
    """A named sweep. marks: its slots and runs, the oldest first; news: of its last run; last: its report.json.

    following: the next slot; ended: its last end, seconds since 1970.
    """

    name: str
    runs_dir: Path
    marks: list[Mark] = field(default_factory=list)
    news: Mapping[str, Any] = field(default_factory=dict)
    last: Mapping[str, Any] = field(default_factory=dict)
    following: float | None = None
    ended: float = 0.0

    @property
    def runs(self) -> list[str]:
        """Return the ids of the runs, the oldest first."""
        return [mark.run for mark in self.marks if mark.run]

    def counts(self, since: str = "") -> Counter[str]:
        """Return how many slots had each status since a slot's name."""
        return Counter(mark.status for mark in self.marks if mark.when >= since)

    def open(self) -> list[Mapping[str, Any]]:
        """Return the findings that are open, the most severe first."""
        found = self.news.get("open")
        items = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
        shown = [item for item in items if item.get("state") not in ("suspect", "accepted")]
        rank = {"critical": 0, "warning": 1}
        return sorted(
            shown, key=lambda item: (rank.get(str(item.get("severity")), 2), str(item.get("since")))
        )


def of(sweep: NamedSweep, now: float) -> Summary:
    """Return the summary of a sweep from its runs and records; damaged ones are left out."""
    runs_dir = turn.runs_dir_of(sweep)
    marks = [
        Mark(slot.slot, slot.status, reason=slot.reason)
        for slot in slots.read(runs_dir)
        if slot.name == sweep.name
    ]
    last: dict[str, Any] = {}
    news: dict[str, Any] = {}
    ended = 0.0
    for run, slot in _runs(runs_dir, sweep.name)[-MAX_RUNS:]:
        report = _json(runs_dir / run, "report.json")
        marks.append(Mark(slot or _iso(run), status_of(report), run))
        last = report
        news = _json(runs_dir / run, "news.json") or news
        ended = _ended(runs_dir / run)
    following = None
    if sweep.scheduled:
        try:
            following = clock.following(sweep, now)
        except FleetdiagError:
            following = None
    return Summary(
        sweep.name,
        runs_dir,
        sorted(marks, key=lambda mark: (mark.when, mark.run)),
        news,
        last,
        following,
        ended,
    )


def _runs(runs_dir: Path, name: str) -> list[tuple[str, str]]:
    """Return id and slot of the runs of a name, the oldest first."""
    found = []
    for run in references.ids(runs_dir)[-LOOK_BACK:]:
        with contextlib.suppress(FleetdiagError):
            record = read.request(runs_dir / run)
            if record is not None and record.name == name:
                found.append((run, record.slot))
    return found


def _ended(run_dir: Path) -> float:
    """Return when the report of a run was made, 0 if it has none."""
    try:
        return (run_dir / "report.json").stat().st_mtime
    except OSError:
        return 0.0


def status_of(report: Mapping[str, Any]) -> str:
    """Return how a run ended, by its report.json: fine, findings or incomplete."""
    findings = report.get("findings")
    if isinstance(findings, list) and any(
        isinstance(item, dict) and item.get("severity") in ("critical", "warning") for item in findings
    ):
        return FINDINGS
    hosts = coverage(report)
    return FINE if hosts and all(status in PROBED for status in hosts.values()) else INCOMPLETE


def coverage(report: Mapping[str, Any]) -> dict[str, str]:
    """Return {host: status} of a report.json."""
    rows = report.get("coverage")
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return {str(row.get("host")): str(row.get("status")) for row in found}


def listed(news: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the entries of a list of news.json; what is damaged is left out."""
    found = news.get(key)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def news_of(run_dir: Path) -> dict[str, Any]:
    """Return the news.json of a run, empty if there is none."""
    return _json(run_dir, "news.json")


def _json(run_dir: Path, name: str) -> dict[str, Any]:
    try:
        return read.read_json(run_dir, name) or {}
    except FleetdiagError:
        return {}


def _iso(run: str) -> str:
    return f"{run[:4]}-{run[4:6]}-{run[6:8]}T{run[9:11]}:{run[11:13]}:{run[13:15]}Z"
