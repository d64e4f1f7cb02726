# SPDX-License-Identifier: GPL-3.0-or-later
"""news.json: written from what a sweep has found, and read by the next one and by people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import compare_past
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.compare_past import SeriesId
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.limits import LEARN
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import (
    finding_records,
    lifecycle,
    persistence,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.past import Past
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.this_run import Run
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import history
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read as rundir

FORMAT = 1
SCHEMA = "fleetdiag.news/1"


@dataclass
class State:
    """What the sweep before handed on."""

    open: list[finding_records.Record] = field(default_factory=list)
    closed: list[finding_records.Record] = field(default_factory=list)
    watched: dict[SeriesId, persistence.Watched] = field(default_factory=dict)
    accepted: dict[SeriesId, tuple[str, str]] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)


def to_json(
    run: Run,
    past: Past,
    judged: compare_past.Judgement,
    watched: Mapping[SeriesId, persistence.Watched],
    accepted: Mapping[SeriesId, tuple[str, str]],
    outcome: lifecycle.Outcome,
    shown: Sequence[Finding],
) -> dict[str, Any]:
    figures = run.figures
    data = {host for hosts in figures.sampled.values() for host in hosts}
    sweeps = len(
        [sweep for sweep in past.sweeps if set(sweep.hashes.values()) & set(figures.hashes.values())]
    )
    told = {record.fingerprint for record in outcome.open if record.told}
    return {
        "format": FORMAT,
        "schema": SCHEMA,
        "sweep": figures.id,
        "name": figures.name,
        "slot": run.slot,
        "previous": past.previous,
        "probes": dict(figures.hashes),
        "learning": {"have": sweeps, "need": LEARN} if sweeps < LEARN else None,
        "coverage": {
            "hosts": len(run.hosts),
            "covered": len(data),
            "unknown": [host for host in run.hosts if host not in data],
        },
        "transitions": [
            {
                **finding_records.to_json(item.record),
                "transition": item.transition,
                "tell": item.tell,
                "why_quiet": item.why_quiet,
            }
            for item in outcome.transitions
        ],
        "open": [finding_records.to_json(record) for record in outcome.open],
        "closed": [finding_records.to_json(record) for record in outcome.closed],
        "watched": [persistence.to_json(item) for item in watched.values()],
        "suspects": [
            {**item.series._asdict(), "direction": "up" if item.up else "down", "ratio": round(item.ratio, 3)}
            for item in judged.suspicions
        ],
        "accepted": [
            {**series._asdict(), "after": span[0], "until": span[1]} for series, span in accepted.items()
        ],
        "told": len(told),
        "findings": [_finding_to_json(finding) for finding in shown],
    }


def read(run_dir: Path) -> dict[str, Any] | None:
    """Return the news.json of a run, or None if it has none that can be read."""
    try:
        data = rundir.read_json(run_dir, history.NEWS)
    except FleetdiagError:
        return None
    return data if data is not None and data.get("format") == FORMAT else None


def findings_of(news: Mapping[str, Any]) -> list[Finding]:
    """Return the findings about the past that a news.json holds; damaged ones are left out."""
    found = []
    for item in news.get("findings") or []:
        try:
            found.append(_finding_from_json(item))
        except (TypeError, ValueError, KeyError, AttributeError):
            continue
    return found


def records_of(news: Mapping[str, Any], key: str = "open") -> list[finding_records.Record]:
    """Return the records of a news.json: `open` or `closed`."""
    listed = news.get(key)
    found = map(finding_records.from_json, listed if isinstance(listed, list) else [])
    return [record for record in found if record is not None]


def headline(news: Mapping[str, Any]) -> str:
    """Return what a news.json has to tell in one line: `1 new, 1 gone: web3: 14 files ...`; empty if nothing."""
    told = [item for item in news.get("transitions") or [] if isinstance(item, dict) and item.get("tell")]
    if not told:
        return ""
    counts: dict[str, int] = {}
    for item in told:
        word = str(item.get("transition")).replace("_", " ")
        counts[word] = counts.get(word, 0) + 1
    worst = min(told, key=lambda item: finding_records.RANK.get(str(item.get("severity")), 9))
    return ", ".join(f"{many} {word}" for word, many in counts.items()) + f": {worst.get('sentence', '')}"


_DERIVED = (
    *(
        "rows",
        "key",
        "symptoms",
        "fingerprint",
        "state",
        "since",
        "last_normal",
        "sweeps",
        "history",
        "course",
    ),
)
_KEPT = tuple(item.name for item in fields(Finding) if item.name not in _DERIVED)


def _finding_to_json(finding: Finding) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in _KEPT}


def _finding_from_json(item: Mapping[str, Any]) -> Finding:
    values = {name: item[name] for name in _KEPT if name in item}
    if values["kind"] not in ("changed", "set") or values["severity"] not in finding_records.RANK:
        raise ValueError
    for name in ("host", "probe", "table", "measure", "sentence", "mark"):
        if not isinstance(values.get(name, ""), str):
            raise TypeError
    values["value"] = float(values["value"])
    return Finding(**{**values, "hosts": tuple(map(str, values.get("hosts", ())))})


def read_state(news: Mapping[str, Any]) -> State:
    state = State(records_of(news), records_of(news, "closed"))
    for item in news.get("watched") or []:
        watched = persistence.from_json(item)
        if watched is not None:
            state.watched[watched.series] = watched
    for item in news.get("accepted") or []:
        series = persistence.series_from_json(item) if isinstance(item, Mapping) else None
        if series is not None:
            state.accepted[series] = (str(item.get("after", "")), str(item.get("until", "")))
    probes = news.get("probes")
    state.hashes = probes if isinstance(probes, Mapping) else {}
    return state


def excluded(news: Mapping[str, Any]) -> frozenset[SeriesId]:
    listed = news.get("suspects")
    found = (
        persistence.series_from_json(item)
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, Mapping)
    )
    return frozenset(series for series in found if series is not None)
