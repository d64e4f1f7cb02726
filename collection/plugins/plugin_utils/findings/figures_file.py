# SPDX-License-Identifier: GPL-3.0-or-later
"""figures.json: the figures that a sweep leaves for later ones to be compared with.

{format, name, hosts, kernels, peers: [one per host], of: {set: hosts of the pattern}, probes:
[{probe, hash, parameters, sampled_s, marked: [one per host], tables: {table: {measure: {value: [...], rest: [...]}}}}]}
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import figures
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence, MeasureId
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.results import MergedTable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column

FORMAT = 2


def figures_of(
    evidence: Sequence[Evidence],
    among: Collection[str] | None = None,
    *,
    name: str = "",
    peers: Mapping[str, str] | None = None,
    kernels: Mapping[str, str] | None = None,
    hashes: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return figures.json of a sweep: every measure that may be compared, of every host (among these) with data.

    peers: {host: its set} of all hosts of the sweep. hashes: {probe: what makes it comparable}.
    """
    sampled = {host for probe in evidence for host in probe.sampled_s}
    hosts = sorted(sampled if among is None else sampled.intersection(among))
    sets = peers or {}
    counted: dict[str, int] = {}
    for host in sets if among is None else [host for host in sets if host in among]:
        counted[sets[host]] = counted.get(sets[host], 0) + 1
    return {
        "format": FORMAT,
        "name": name,
        "hosts": hosts,
        "kernels": [(kernels or {}).get(host, "") for host in hosts],
        "peers": [sets.get(host, "") for host in hosts],
        "of": counted,
        "probes": [
            _left(probe, hosts, (hashes or {}).get(probe.name, "")) for probe in evidence if probe.tables
        ],
    }


def _left(probe: Evidence, hosts: Sequence[str], series_hash: str) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for merged in probe.tables:
        for column in comparable(merged):
            found = probe.seen(figures.of_table(merged, column, probe.sampled_s))
            value = [_short(found[host].value) if host in found else None for host in hosts]
            rest = [_short(found[host].rest) if host in found else None for host in hosts]
            tables.setdefault(merged.table.name, {})[column.name] = {"value": value, "rest": rest}
    return {
        "probe": probe.name,
        "hash": series_hash,
        "parameters": dict(probe.parameters),
        "sampled_s": [_short(probe.sampled_s.get(host)) for host in hosts],
        "marked": [1 if probe.marks.get(host) else 0 for host in hosts],
        "tables": tables,
    }


def comparable(merged: MergedTable) -> Iterator[Column]:
    """Yield the measures of a table that hosts are compared by."""
    for column in merged.table.measures:
        if column.compare is not None and figures.is_figure(column):
            yield column


def columns_of(evidence: Sequence[Evidence]) -> dict[MeasureId, Column]:
    """Return the compared measures of a sweep by their names."""
    return {
        (probe.name, merged.table.name, column.name): column
        for probe in evidence
        for merged in probe.tables
        for column in comparable(merged)
    }


def _short(value: float | None) -> float | None:
    """Round to six significant digits, which are enough to compare by."""
    return None if value is None else float(f"{value:.6g}")


class Level(NamedTuple):
    """value: as the report's tables say. rest: without its largest record, else the value. seconds: sampled."""

    value: float
    rest: float
    seconds: float | None
    marked: bool


@dataclass(frozen=True)
class Sweep:
    """One figures.json that was read. peers: {host: set} of hosts with data; of: {set: hosts it should have had}."""

    id: str
    name: str
    peers: Mapping[str, str]
    kernels: Mapping[str, str]
    of: Mapping[str, int]
    hashes: Mapping[str, str]
    sampled: Mapping[str, frozenset[str]]
    measures: Mapping[MeasureId, Mapping[str, Level]]


def read(run_id: str, data: Mapping[str, Any]) -> Sweep:
    """Return what a figures.json holds; what is not as it should be is left out. Older formats hold nothing."""
    hosts = [host if isinstance(host, str) else "" for host in _list(data.get("hosts"))]
    measures: dict[MeasureId, dict[str, Level]] = {}
    hashes: dict[str, str] = {}
    sampled: dict[str, frozenset[str]] = {}
    for entry in _list(data.get("probes")):
        probe, series_hash = _text(entry, "probe"), _text(entry, "hash")
        if not probe or not series_hash:
            continue
        hashes[probe] = series_hash
        seconds, marked = (_per_host(entry.get(key), hosts) for key in ("sampled_s", "marked"))
        for table, columns in _items(entry.get("tables")):
            for measure, lists in _items(columns):
                values, rests = (_per_host(lists.get(key), hosts) for key in ("value", "rest"))
                measures[probe, table, measure] = dict(_levels(values, rests, seconds, marked))
        held = {host for id_, levels in measures.items() if id_[0] == probe for host in levels}
        sampled[probe] = frozenset(held | {host for host, value in seconds.items() if value is not None})
    return Sweep(
        id=run_id,
        name=_text(data, "name"),
        peers={host: str(name) for host, name in _per_host(data.get("peers"), hosts).items()},
        kernels={host: str(name) for host, name in _per_host(data.get("kernels"), hosts).items()},
        of=dict(_counts(data.get("of"))),
        hashes=hashes,
        sampled=sampled,
        measures=measures,
    )


def _levels(
    values: Mapping[str, Any], rests: Mapping[str, Any], seconds: Mapping[str, Any], marked: Mapping[str, Any]
) -> Iterator[tuple[str, Level]]:
    for host, said in values.items():
        value, rest, time = _number(said), _number(rests.get(host)), _number(seconds.get(host))
        if value is not None:
            yield host, Level(value, value if rest is None else rest, time, bool(marked.get(host)))


def _per_host(listed: Any, hosts: Sequence[str]) -> dict[str, Any]:
    items = _list(listed)
    return dict(zip(hosts, items, strict=True)) if len(items) == len(hosts) else {}


def _counts(data: Any) -> Iterator[tuple[str, int]]:
    for name, many in data.items() if isinstance(data, Mapping) else ():
        if isinstance(many, int) and not isinstance(many, bool):
            yield str(name), many


def _text(data: Any, key: str) -> str:
    value = data.get(key) if isinstance(data, Mapping) else None
    return value if isinstance(value, str) else ""


def _items(value: Any) -> list[tuple[str, Mapping[str, Any]]]:
    if not isinstance(value, Mapping):
        return []
    return [(str(name), item) for name, item in value.items() if isinstance(item, Mapping)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    """Return a number that figures can be compared with, else None."""
    known = figures.number(value)
    return known if known is not None and known >= 0 else None
