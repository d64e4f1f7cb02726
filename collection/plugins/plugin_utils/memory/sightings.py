# SPDX-License-Identifier: GPL-3.0-or-later
"""What the life cycle is told: the findings of a sweep by fingerprint, and what the sweep could have seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import compare_past
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.compare_past import SeriesId
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import (
    finding_records,
    fingerprint,
    lifecycle,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.changes import Change
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.news_file import State
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.past import Past
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.this_run import Run

MAX_RATIO = 50.0


def of_sweep(
    run: Run, past: Past, state: State, changed: Sequence[Change], aliases: dict[str, str]
) -> list[finding_records.Seen]:
    """Return the findings of this sweep by fingerprint. aliases: filled with those that go on under another one."""
    found: dict[str, finding_records.Seen] = {}
    for finding in run.findings:
        if finding.kind != "events":  # what was asked for is named whether or not it is unusual
            item = _of_finding(run, past, finding)
            found.setdefault(item.fingerprint, item)
    known = {record.fingerprint for record in state.open}
    for symptom in (one for finding in run.findings for one in finding.symptoms):
        item = _of_finding(run, past, symptom)
        if item.fingerprint in known:  # told by itself before it was seen to be of another's incident
            found.setdefault(item.fingerprint, item)
    free = [record for record in (*state.open, *state.closed) if record.fingerprint not in found]
    seen: dict[str, finding_records.Seen] = {}
    for own, item in found.items():
        item = _adopted(item, free, state)
        aliases[own] = item.fingerprint
        seen[item.fingerprint] = item
    for change in changed:
        item = replace(
            _of_finding(run, past, change.finding),
            since=change.since,
            last_normal=change.suspicion.usual.last_normal,
            at_once=True,
        )
        own = item.fingerprint
        item = _adopted(item, [record for record in free if record.fingerprint not in seen], state)
        same = seen.get(item.fingerprint) or next(
            (one for one in seen.values() if _cause(one) == _cause(item)), None
        )
        if same is None:
            seen[item.fingerprint] = item
            aliases.setdefault(own, item.fingerprint)
        else:  # the hosts compared with each other say it better; the past knows since when
            seen[same.fingerprint] = replace(
                same, since=item.since, last_normal=item.last_normal, at_once=True
            )
            aliases.setdefault(own, same.fingerprint)
    return list(seen.values())


def _of_finding(run: Run, past: Past, finding: Finding) -> finding_records.Seen:
    of, who = _who(finding)
    return finding_records.Seen(
        fingerprint=fingerprint_of(finding, run.figures.name),
        kind=finding.kind,
        severity=finding.severity,
        who=who,
        of=of,
        probe=finding.probe,
        table=finding.table,
        measure=finding.measure,
        direction=fingerprint.direction_of(finding),
        sentence=finding.sentence,
        value=finding.value,
        ratio=_ratio(finding),
        hosts=finding.hosts,
        last_normal=_last_covered(past, finding),
        at_once=finding.kind == "check" or finding.severity == "critical" or run.settings.at_once,
    )


def _who(finding: Finding) -> tuple[str, str]:
    """Return `set` and its name for a finding that speaks for many hosts, else `host` and its name."""
    if len(finding.hosts) > 1 or finding.kind == "set":
        return "set", finding.peer_set
    return "host", finding.host


def fingerprint_of(finding: Finding, name: str) -> str:
    """Return the fingerprint of a finding of a sweep of this name."""
    measure = (finding.probe, finding.table, finding.measure)
    key = fingerprint.stable_key(finding)
    return fingerprint.of(
        name, finding.kind, ":".join(_who(finding)), measure, fingerprint.direction_of(finding), key
    )


def _ratio(finding: Finding) -> float:
    """Return how far the figure lies from what was expected, 1 or more; 0 where that cannot be said."""
    if finding.kind not in ("compare", "changed", "set") or not finding.expected or finding.value <= 0:
        return 0.0
    more, less = max(finding.value, finding.expected), min(finding.value, finding.expected)
    return min(MAX_RATIO, more / less) if less > 0 else 0.0


def _last_covered(past: Past, finding: Finding) -> str:
    """Return the latest earlier sweep that looked at the host with this probe."""
    for sweep in reversed(past.sweeps):
        if finding.host in sweep.sampled.get(finding.probe, ()):
            return sweep.id
    return ""


def _cause(item: finding_records.Seen | finding_records.Record) -> tuple[str, str, str, str, str]:
    """Return what findings of one cause share: of several measures of a table, another leads every time."""
    family = fingerprint.FAMILIES.get(item.kind, item.kind)
    return item.of, item.who, item.probe, item.table, family


def _adopted(
    item: finding_records.Seen, free: list[finding_records.Record], state: State
) -> finding_records.Seen:
    """Return the finding under the fingerprint of an earlier one of the same cause, if that is seen no more."""
    if any(record.fingerprint == item.fingerprint for record in (*state.open, *state.closed)):
        return item
    for record in free:
        if _cause(record) == _cause(item):
            free.remove(record)
            return replace(item, fingerprint=record.fingerprint)
    return item


@dataclass(frozen=True)
class Coverage:
    """Tells whether this sweep could have seen what a record tells of."""

    run: Run
    state: State
    judged: compare_past.Judgement

    def __call__(self, record: finding_records.Record) -> lifecycle.Covered:
        figures, probe = self.run.figures, record.probe
        if record.of == "host" and figures.name and record.who not in self.run.hosts:
            return "left"
        if probe not in figures.hashes:
            return "no"
        if record.kind in ("changed", "set"):
            if figures.hashes[probe] != self.state.hashes.get(probe):
                return "superseded"
            if record.of == "host" or record.kind == "set":
                series = SeriesId(
                    "set" if record.of == "set" else "host", record.who, probe, record.table, record.measure
                )
                return "yes" if series in self.judged.tested else "no"
        if record.of == "host":
            return (
                "yes" if record.who in figures.sampled.get(probe, ()) and not self._is_lost(record) else "no"
            )
        members = record.hosts or [host for host, name in figures.peers.items() if name == record.who]
        there = [host for host in members if host in figures.sampled.get(probe, ())]
        return "yes" if there and 2 * len(there) >= len(members) else "no"

    def _is_lost(self, record: finding_records.Record) -> bool:
        """Return True if lost samples may be why the figure is not high any more."""
        levels = self.run.figures.measures.get((record.probe, record.table, record.measure), {})
        level = levels.get(record.who)
        return record.direction == "up" and level is not None and level.marked
