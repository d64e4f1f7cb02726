# SPDX-License-Identifier: GPL-3.0-or-later
"""news.json: what is new, worse, gone or unknown since the sweep before; a pure function of a run and its history.

docs/sweeps.md describes the file. It carries the whole state from one sweep to the next, so that nothing but the run
directories and decisions.jsonl is ever needed to go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import (
    compare_past,
    figures_file,
    past_sentences,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.compare_past import (
    SeriesId,
    Suspicion,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import MeasureId
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.limits import MANY_HOSTS
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import (
    decisions,
    fingerprint,
    lifecycle,
    persistence,
    references,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.past import Past
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.settings import Settings
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import history
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read as rundir

FORMAT = 1
SCHEMA = "fleetdiag.news/1"
MAX_RATIO = 50.0


@dataclass(frozen=True)
class Run:
    """This sweep. hosts: of its pattern. findings: of its report. columns: the measures that are compared."""

    figures: figures_file.Sweep
    hosts: Sequence[str]
    findings: Sequence[Finding]
    columns: Mapping[MeasureId, Column]
    settings: Settings
    most: int = history.DEFAULT
    slot: str = ""
    decisions: Sequence[decisions.Decision] = ()


@dataclass
class _State:
    """What the sweep before handed on."""

    open: list[lifecycle.Record] = field(default_factory=list)
    closed: list[lifecycle.Record] = field(default_factory=list)
    watched: dict[SeriesId, persistence.Watched] = field(default_factory=dict)
    accepted: dict[SeriesId, tuple[str, str]] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)


def make(run: Run, past: Past) -> dict[str, Any]:
    """Return news.json of a sweep that has none yet."""
    state = _read_state(past.state)
    memory = compare_past.Memory(
        excluded={sweep: _excluded(data) for sweep, data in past.news.items()},
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
    changed = _changed(run, past, state, judged, watched)
    aliases: dict[str, str] = {}
    seen = _seen(run, past, state, changed, aliases)
    covered = _Coverage(run, state, judged)
    moment = _moment(run.figures.id)
    sweep = lifecycle.Sweep(run.figures.id, moment, run.settings.accept_after_s, run.decisions)
    outcome = lifecycle.step(state.open, state.closed, seen, covered, sweep)
    accepted = _accepted(state, watched, outcome, past, run.figures.id)
    shown = [item.finding for item in changed if not item.doubled]
    return {**_to_json(run, past, judged, watched, accepted, outcome, shown), "aliases": aliases}


# --- series B and C ---


@dataclass(frozen=True)
class _Changed:
    """A finding that something is not as it was. doubled: the hosts compared with each other say the same."""

    finding: Finding
    suspicion: Suspicion
    since: str
    doubled: bool = False


def _changed(
    run: Run,
    past: Past,
    state: _State,
    judged: compare_past.Judgement,
    watched: Mapping[SeriesId, persistence.Watched],
) -> list[_Changed]:
    """Return what was suspected often enough, or is open; of each table of a host the strongest measure."""
    is_open = {
        (record.of, record.who, record.probe, record.table)
        for record in state.open
        if record.told and fingerprint.FAMILIES.get(record.kind, record.kind) in ("differs", "set")
    }
    wanted = run.settings
    strict = persistence.strictness(len(judged.tested), wanted.per_week, wanted.alarms_per_week)
    strongest: dict[tuple[str, str, str, str], Suspicion] = {}
    for item in judged.suspicions:
        series = item.series
        cause = (series.of, series.who, series.probe, series.table)
        if not (watched[series].confirmed(item.up, strict) or cause in is_open):
            continue
        if cause not in strongest or abs(item.score) > abs(strongest[cause].score):
            strongest[cause] = item
    compared = {
        (host, finding.probe, finding.table)
        for finding in run.findings
        if finding.kind == "compare"
        for host in (finding.hosts or (finding.host,))
    }
    made: list[_Changed] = []
    for group in _alike(strongest.values(), state):
        item, series = group[0], group[0].series
        column = run.columns[series.probe, series.table, series.measure]
        hosts = [other.series.who for other in group[1:]]
        if series.of == "set":
            finding = past_sentences.of_set(item, column, (), _kernels(run, past, item, None))
        else:
            finding = past_sentences.of_host(item, column, _kernels(run, past, item, series.who), hosts)
        doubled = all((other.series.who, series.probe, series.table) in compared for other in group)
        made.append(_Changed(finding, item, _first_bad(past, series, item, run.figures.id), doubled))
    return made


def _alike(items: Iterable[Suspicion], state: _State) -> list[list[Suspicion]]:
    """Return the suspicions in groups: one speaks for many hosts of a set that moved alike, the strongest first."""
    together = {
        (record.who, record.probe, record.table, record.measure, record.direction)
        for record in state.open
        if record.kind == "changed" and record.of == "set"
    }
    groups: dict[tuple[str, ...], list[Suspicion]] = {}
    for item in sorted(items, key=lambda item: (-abs(item.score), item.series)):
        series = item.series
        side = "up" if item.up else "down"
        groups.setdefault((series.of, item.peer_set, *series[2:], side), []).append(item)
    result: list[list[Suspicion]] = []
    for name, group in groups.items():
        if len(group) > MANY_HOSTS or name[1:] in together:
            result.append(group)
        else:
            result += [[item] for item in group]
    return result


def _kernels(run: Run, past: Past, item: Suspicion, host: str | None) -> tuple[str, str]:
    """Return the kernels of the last normal sweep and of now; of a set that of its hosts, if they have one alone."""
    then = next((sweep for sweep in past.sweeps if sweep.id == item.usual.last_normal), None)
    if then is None:
        return "", ""
    if host is not None:
        return then.kernels.get(host, ""), run.figures.kernels.get(host, "")
    hosts = [name for name, peer_set in run.figures.peers.items() if peer_set == item.series.who]
    kernels = [{sweep.kernels.get(name, "") for name in hosts} - {""} for sweep in (then, run.figures)]
    one = [next(iter(found)) if len(found) == 1 else "" for found in kernels]
    return (one[0], one[1]) if all(one) else ("", "")


def _first_bad(past: Past, series: SeriesId, item: Suspicion, now: str) -> str:
    later = (sweep.id for sweep in past.sweeps if sweep.id > item.usual.last_normal)
    return next((found for found in later if series in _excluded(past.news.get(found, {}))), now)


# --- what the life cycle is told ---


def _seen(
    run: Run, past: Past, state: _State, changed: Sequence[_Changed], aliases: dict[str, str]
) -> list[lifecycle.Seen]:
    """Return the findings of this sweep by fingerprint. aliases: filled with those that go on under another one."""
    found: dict[str, lifecycle.Seen] = {}
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
    seen: dict[str, lifecycle.Seen] = {}
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


def _of_finding(run: Run, past: Past, finding: Finding) -> lifecycle.Seen:
    of, who = _who(finding)
    return lifecycle.Seen(
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


def _cause(item: lifecycle.Seen | lifecycle.Record) -> tuple[str, str, str, str, str]:
    """Return what findings of one cause share: of several measures of a table, another leads every time."""
    family = fingerprint.FAMILIES.get(item.kind, item.kind)
    return item.of, item.who, item.probe, item.table, family


def _adopted(item: lifecycle.Seen, free: list[lifecycle.Record], state: _State) -> lifecycle.Seen:
    """Return the finding under the fingerprint of an earlier one of the same cause, if that is seen no more."""
    if any(record.fingerprint == item.fingerprint for record in (*state.open, *state.closed)):
        return item
    for record in free:
        if _cause(record) == _cause(item):
            free.remove(record)
            return replace(item, fingerprint=record.fingerprint)
    return item


@dataclass(frozen=True)
class _Coverage:
    """Tells whether this sweep could have seen what a record tells of."""

    run: Run
    state: _State
    judged: compare_past.Judgement

    def __call__(self, record: lifecycle.Record) -> lifecycle.Covered:
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

    def _is_lost(self, record: lifecycle.Record) -> bool:
        """Return True if lost samples may be why the figure is not high any more."""
        levels = self.run.figures.measures.get((record.probe, record.table, record.measure), {})
        level = levels.get(record.who)
        return record.direction == "up" and level is not None and level.marked


def _open_series(records: Iterable[lifecycle.Record]) -> list[SeriesId]:
    """Return the series of open findings about the past: what is usual there stays as it was before."""
    return [
        SeriesId("set" if record.of == "set" else "host", who, record.probe, record.table, record.measure)
        for record in records
        if record.kind in ("compare", "changed", "set") and not record.accepted
        for who in (record.hosts if record.kind == "changed" and record.hosts else (record.who,))
    ]


def _accepted(
    state: _State,
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


# --- the file ---


def _to_json(
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
        "learning": {"have": sweeps, "need": compare_past.LEARN} if sweeps < compare_past.LEARN else None,
        "coverage": {
            "hosts": len(run.hosts),
            "covered": len(data),
            "unknown": [host for host in run.hosts if host not in data],
        },
        "transitions": [
            {
                **lifecycle.to_json(item.record),
                "transition": item.transition,
                "tell": item.tell,
                "why_quiet": item.why_quiet,
            }
            for item in outcome.transitions
        ],
        "open": [lifecycle.to_json(record) for record in outcome.open],
        "closed": [lifecycle.to_json(record) for record in outcome.closed],
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


def remembered(findings: Iterable[Finding], news: Mapping[str, Any]) -> list[Finding]:
    """Return the findings with what a news.json knows of them from sweep to sweep."""
    records = {record.fingerprint: record for record in records_of(news)}
    aliases = news.get("aliases")
    known = aliases if isinstance(aliases, Mapping) else {}
    return [_remembered(finding, str(news.get("name", "")), records, known) for finding in findings]


def _remembered(
    finding: Finding, name: str, records: Mapping[str, lifecycle.Record], aliases: Mapping[str, Any]
) -> Finding:
    own = fingerprint_of(finding, name)
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
    )


def records_of(news: Mapping[str, Any], key: str = "open") -> list[lifecycle.Record]:
    """Return the records of a news.json: `open` or `closed`."""
    listed = news.get(key)
    found = map(lifecycle.from_json, listed if isinstance(listed, list) else [])
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
    worst = min(told, key=lambda item: lifecycle.RANK.get(str(item.get("severity")), 9))
    return ", ".join(f"{many} {word}" for word, many in counts.items()) + f": {worst.get('sentence', '')}"


_DERIVED = ("rows", "key", "symptoms", "fingerprint", "state", "since", "last_normal", "sweeps", "history")
_KEPT = tuple(item.name for item in fields(Finding) if item.name not in _DERIVED)


def _finding_to_json(finding: Finding) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in _KEPT}


def _finding_from_json(item: Mapping[str, Any]) -> Finding:
    values = {name: item[name] for name in _KEPT if name in item}
    if values["kind"] not in ("changed", "set") or values["severity"] not in lifecycle.RANK:
        raise ValueError
    for name in ("host", "probe", "table", "measure", "sentence", "mark"):
        if not isinstance(values.get(name, ""), str):
            raise TypeError
    values["value"] = float(values["value"])
    return Finding(**{**values, "hosts": tuple(map(str, values.get("hosts", ())))})


def _read_state(news: Mapping[str, Any]) -> _State:
    state = _State(records_of(news), records_of(news, "closed"))
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


def _excluded(news: Mapping[str, Any]) -> frozenset[SeriesId]:
    listed = news.get("suspects")
    found = (
        persistence.series_from_json(item)
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, Mapping)
    )
    return frozenset(series for series in found if series is not None)


def _moment(run_id: str) -> datetime:
    try:
        return references.started(run_id)
    except FleetdiagError:
        return datetime.fromtimestamp(0, UTC)
