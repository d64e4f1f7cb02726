# SPDX-License-Identifier: GPL-3.0-or-later
"""Each host against its own past: the figures a sweep leaves for later ones, and what became of them since.

figures.json (of one sweep)   {format, hosts: [name], probes: [{probe, parameters, sampled_s: [one per host],
                              tables: {table: {measure: {value: [...], rest: [...]}}}}]}
baseline.json (for one sweep) {format, sweeps: [id, the oldest first], probes: [{probe, tables: {table: {measure:
                              {host: [[number of the sweep, value, rest, seconds]]}}}}]}
Both are small, hold no text of a probed host but its inventory name, and are read as carefully as anything else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import figures, limits
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.candidates import (
    Signal,
    corrected,
    severity,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.comparisons import (
    clipped,
    spread,
    top_rows,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.figures import Figure
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import (
    Evidence,
    Past,
    PastFigure,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.outliers import Judge, Opinion
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.results import MergedTable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column

FORMAT = 1
_NOW = ""
_NORMAL = 0.05
"""An earlier figure that is no less likely than this, by itself, was normal."""


# --- what a sweep leaves ---


def figures_of(evidence: Sequence[Evidence], among: Collection[str] | None = None) -> dict[str, Any]:
    """figures.json of a sweep: every measure that may be compared, of every host (among these) that gave data."""
    sampled = {host for probe in evidence for host in probe.sampled_s}
    hosts = sorted(sampled if among is None else sampled.intersection(among))
    return {
        "format": FORMAT,
        "hosts": hosts,
        "probes": [_left(probe, hosts) for probe in evidence if probe.tables],
    }


def _left(probe: Evidence, hosts: Sequence[str]) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for merged in probe.tables:
        for column in _comparable(merged):
            found = figures.of_table(merged, column, probe.sampled_s)
            value = [_short(found[host].value) if host in found else None for host in hosts]
            rest = [_short(found[host].rest) if host in found else None for host in hosts]
            tables.setdefault(merged.table.name, {})[column.name] = {"value": value, "rest": rest}
    return {
        "probe": probe.name,
        "parameters": dict(probe.parameters),
        "sampled_s": [_short(probe.sampled_s.get(host)) for host in hosts],
        "tables": tables,
    }


def _comparable(merged: MergedTable) -> Iterator[Column]:
    for column in merged.table.measures:
        if column.compare is not None and figures.is_figure(column):
            yield column


def _short(value: float | None) -> float | None:
    """Six digits are enough to compare by."""
    return None if value is None else float(f"{value:.6g}")


# --- what a sweep finds of earlier ones ---


def has(data: Mapping[str, Any], probe: str, parameters: Mapping[str, Any]) -> bool:
    """True if a figures.json is of this probe with these parameters, among others."""
    return any(
        entry.get("probe") == probe and entry.get("parameters") == parameters
        for entry in _mappings(data.get("probes"))
    )


def baseline_of(
    earlier: Iterable[tuple[str, Mapping[str, Any]]],
    probes: Mapping[str, Mapping[str, Any]],
    hosts: Sequence[str],
    most: int,
) -> dict[str, Any]:
    """baseline.json from (id, figures.json) of earlier sweeps, the oldest first; the latest `most` of each figure.

    probes: {name: parameters} of this sweep; of others, or of the same with other parameters, nothing is taken.
    """
    wanted = set(hosts)
    sweeps: list[str] = []
    kept: dict[str, dict[str, Any]] = {}
    for sweep, data in earlier:
        number = len(sweeps)
        sweeps.append(sweep)
        for entry in _mappings(data.get("probes")):
            name = entry.get("probe")
            if isinstance(name, str) and name in probes and entry.get("parameters") == probes[name]:
                for table, measure, host, figure in _figures(data, entry):
                    if host in wanted:
                        measures = kept.setdefault(name, {}).setdefault(table, {})
                        listed = measures.setdefault(measure, {}).setdefault(host, [])
                        listed.append([number, *figure])
                        del listed[:-most]
    return {
        "format": FORMAT,
        "sweeps": sweeps,
        "probes": [{"probe": name, "tables": kept[name]} for name in sorted(kept)],
    }


def _figures(
    data: Mapping[str, Any], entry: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, tuple[float, float | None, float | None]]]:
    """Table, measure, host, (value, rest, seconds) of one probe in a figures.json."""
    hosts, seconds = _list(data.get("hosts")), _list(entry.get("sampled_s"))
    for table, measures in _items(entry.get("tables")):
        for measure, columns in _items(measures):
            values, rests = _list(columns.get("value")), _list(columns.get("rest"))
            if not len(hosts) == len(seconds) == len(values) == len(rests):
                continue
            for host, value, rest, time in zip(hosts, values, rests, seconds, strict=True):
                number = _number(value)
                if isinstance(host, str) and number is not None:
                    yield table, measure, host, (number, _number(rest), _number(time))


def read(data: Mapping[str, Any]) -> dict[tuple[str, str, str], dict[str, list[PastFigure]]]:
    """The earlier figures of a baseline.json; what is not as it should be is left out."""
    sweeps = [name if isinstance(name, str) else "" for name in _list(data.get("sweeps"))]
    past: dict[tuple[str, str, str], dict[str, list[PastFigure]]] = {}
    for entry in _mappings(data.get("probes")):
        for table, measures in _items(entry.get("tables")):
            for measure, hosts in _items(measures):
                of_measure = past.setdefault((str(entry.get("probe")), table, measure), {})
                for host, listed in hosts.items():
                    known = [figure for item in _list(listed) if (figure := _past(item, sweeps)) is not None]
                    of_measure[str(host)] = known
    return past


def _past(item: Any, sweeps: Sequence[str]) -> PastFigure | None:
    if not isinstance(item, list) or len(item) != 4:
        return None
    number, value = item[0], _number(item[1])
    if value is None or not isinstance(number, int) or not 0 <= number < len(sweeps) or not sweeps[number]:
        return None
    return PastFigure(sweeps[number], value, _number(item[2]), _number(item[3]))


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in _list(value) if isinstance(item, Mapping)]


def _items(value: Any) -> list[tuple[str, Mapping[str, Any]]]:
    if not isinstance(value, Mapping):
        return []
    return [(str(name), item) for name, item in value.items() if isinstance(item, Mapping)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    """A number that figures can be compared with."""
    known = figures.number(value)
    return known if known is not None and known >= 0 else None


# --- what changed ---


@dataclass(frozen=True)
class _History:
    """A measure of one host, now and before."""

    probe: Evidence
    merged: MergedTable
    column: Column
    host: str
    now: Figure
    known: Sequence[PastFigure]


def compare_past(evidence: Sequence[Evidence], past: Past) -> list[Signal]:
    """Of every host and measure with enough of a past, whether it is still as it was."""
    histories = list(_histories(evidence, past))
    return [signal for item in histories if (signal := _changed(item, len(histories))) is not None]


def _histories(evidence: Sequence[Evidence], past: Past) -> Iterator[_History]:
    for probe in evidence:
        for merged in probe.tables:
            for column in _comparable(merged):
                earlier = past.get((probe.name, merged.table.name, column.name), {})
                if not earlier:
                    continue
                for host, now in figures.of_table(merged, column, probe.sampled_s).items():
                    known = earlier.get(host, ())
                    if len(known) >= limits.PAST:
                        yield _History(probe, merged, column, host, now, known)


def _changed(item: _History, tests: int) -> Signal | None:
    column, probe, now = item.column, item.probe, item.now
    if column.compare is None:
        raise AssertionError
    found = {_NOW: now, **{earlier.sweep: _figure(earlier) for earlier in item.known}}
    seconds = {_NOW: probe.sampled_s.get(item.host), **{then.sweep: then.seconds for then in item.known}}
    judge = Judge(column, column.compare, found, seconds)
    if not judge.worth(_NOW):
        return None
    opinions = judge.opinions()
    opinion = opinions[_NOW]
    up = opinion.score > 0
    chance = None if opinion.unlikely is None else corrected(opinion.unlikely, "baseline", tests)
    if chance is None or (not up and probe.marks.get(item.host) and figures.adds(column)):
        return None
    scaled = judge.times[_NOW] / judge.usual_time
    before = [value * scaled for sweep, value in judge.values.items() if sweep != _NOW]
    normal = [earlier.sweep for earlier in item.known if _is_normal(opinions[earlier.sweep])]
    return Signal(
        kind="baseline",
        severity="info" if severity(column, up, 1.0, len(found)) == "info" else "warning",
        host=item.host,
        evidence=probe,
        merged=item.merged,
        column=column,
        value=now.value,
        up=up,
        peers=len(before),
        others=before,
        expected=median(before),
        spread=spread(before),
        score=clipped(opinion.score),
        chance=chance,
        seconds=probe.sampled_s.get(item.host) if len(set(judge.times.values())) > 1 else None,
        last_normal=normal[-1] if normal else "",
        rows=top_rows(item.merged, column, item.host),
    )


def _is_normal(opinion: Opinion) -> bool:
    return opinion.unlikely is None or opinion.unlikely >= _NORMAL


def _figure(item: PastFigure) -> Figure:
    top = None if item.rest is None else max(0.0, item.value - item.rest)
    return Figure(item.value, item.rest, top)
