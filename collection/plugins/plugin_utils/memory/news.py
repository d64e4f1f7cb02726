# SPDX-License-Identifier: GPL-3.0-or-later
"""news.json: what is new, worse, gone or unknown since the sweep before; a pure function of a run and its history.

docs/sweeps.md describes the file. It carries the whole state from one sweep to the next, so that nothing but the run
directories and decisions.jsonl is ever needed to go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import compare_past
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.compare_past import SeriesId
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import (
    changes,
    courses,
    finding_records,
    lifecycle,
    persistence,
    references,
    sightings,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.news_file import (
    State,
    excluded,
    read_state,
    records_of,
    to_json,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.past import Past
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.this_run import Run


def make(run: Run, past: Past) -> dict[str, Any]:
    """Return news.json of a sweep that has none yet."""
    state = read_state(past.state)
    memory = compare_past.Memory(
        excluded={sweep: excluded(data) for sweep, data in past.news.items()},
        frozen={
            series: item.usual
            for series, item in state.watched.items()
            if run.figures.hashes.get(series.probe) == state.hashes.get(series.probe)
        },
        accepted=state.accepted,
    )
    judged = compare_past.judge(
        run.figures,
        run.columns,
        past.sweeps,
        memory,
        most=run.most,
        season=run.settings.season,
    )
    known = {series: item for series, item in state.watched.items() if series in memory.frozen}
    watched = persistence.step(known, judged, _open_series(state.open))
    changed = changes.of_sweep(run, past, state, judged, watched)
    aliases: dict[str, str] = {}
    seen = sightings.of_sweep(run, past, state, changed, aliases)
    covered = sightings.Coverage(run, state, judged)
    moment = _moment(run.figures.id)
    sweep = lifecycle.Sweep(run.figures.id, moment, run.settings.accept_after_s, run.decisions)
    outcome = lifecycle.step(state.open, state.closed, seen, covered, sweep)
    accepted = _accepted(state, watched, outcome, past, run.figures.id)
    shown = [item.finding for item in changed if not item.doubled]
    sweeps = [*past.sweeps, run.figures]
    strips = {record.fingerprint: courses.of(record, sweeps) for record in outcome.open if not record.frozen}
    return {
        **to_json(run, past, judged, watched, accepted, outcome, shown),
        "aliases": aliases,
        "courses": {fingerprint: list(strip) for fingerprint, strip in strips.items() if strip},
    }


def _open_series(records: Iterable[finding_records.Record]) -> list[SeriesId]:
    """Return the series of open findings about the past: what is usual there stays as it was before."""
    return [
        SeriesId("set" if record.of == "set" else "host", who, record.probe, record.table, record.measure)
        for record in records
        if record.kind in ("compare", "changed", "set") and not record.accepted
        for who in (record.hosts if record.kind == "changed" and record.hosts else (record.who,))
    ]


def _accepted(
    state: State,
    watched: dict[SeriesId, persistence.Watched],
    outcome: lifecycle.Outcome,
    past: Past,
    now: str,
) -> dict[SeriesId, tuple[str, str]]:
    """Return the series whose past begins anew, and take them off the watch."""
    oldest = past.sweeps[0].id if past.sweeps else now
    accepted = {series: span for series, span in state.accepted.items() if span[1] >= oldest}
    for record in outcome.accepted:
        for who in record.hosts or (record.who,):
            for series in [one for one in watched if one[1:4] == (who, record.probe, record.table)]:
                accepted[series] = (watched.pop(series).usual.last_normal, now)
    return accepted


def remembered(findings: Iterable[Finding], news: Mapping[str, Any]) -> list[Finding]:
    """Return the findings with what a news.json knows of them from sweep to sweep."""
    records = {record.fingerprint: record for record in records_of(news)}
    aliases = news.get("aliases")
    known = aliases if isinstance(aliases, Mapping) else {}
    return [_remembered(finding, news, records, known) for finding in findings]


def _remembered(
    finding: Finding,
    news: Mapping[str, Any],
    records: Mapping[str, finding_records.Record],
    aliases: Mapping[str, Any],
) -> Finding:
    own = sightings.fingerprint_of(finding, str(news.get("name", "")))
    record = records.get(str(aliases.get(own, own)))
    if record is None:
        return finding
    return replace(
        finding,
        fingerprint=record.fingerprint,
        state=record.state,
        since=record.since,
        last_normal=record.last_normal,
        sweeps=record.sweeps,
        history=record.history,
        course=() if finding.key else courses.read(news, record.fingerprint),
    )


def _moment(run_id: str) -> datetime:
    try:
        return references.started(run_id)
    except FleetdiagError:
        return datetime.fromtimestamp(0, UTC)
