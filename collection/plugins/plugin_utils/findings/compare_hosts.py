# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that should be alike, measure by measure: which of them is not."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import figures, limits
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.candidates import (
    EvidenceRow,
    Signal,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.comparisons import (
    Place,
    Series,
    judged,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.figures import Figure
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.limits import Family
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.outliers import Judge, Opinion
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.keys import Key
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.results import (
    HostTable,
    MergedRow,
    MergedTable,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Compare,
    Comparison,
    Events,
)

SHARED = 0.5
"""A key that at least this share of the hosts have is compared with itself on the others."""


@dataclass
class Compared:
    """What came of it.

    uncertain: signals that are only worth a look. possible: there are measures that may be compared, whether or not
    there were hosts.
    """

    signals: list[Signal] = field(default_factory=list)
    uncertain: list[Signal] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    possible: bool = False


def compare(evidence: Sequence[Evidence], peer_of: Mapping[str, str]) -> Compared:
    """Compare all measures of all tables that may be compared, on all sets of hosts."""
    result = Compared()
    series: dict[Family, list[Series]] = {"host": [], "key": [], "events": []}
    for place, merged in _places(evidence, peer_of):
        result.possible = True
        events = merged.table.events
        counted = events is not None and events.count == place.column.name
        scope = place.column.compare.scope if place.column.compare and len(place.hosts) > 1 else None
        if events is not None and counted:
            series["events"].append(_of_events(place, merged, events))
        elif scope == "host":
            series["host"].extend(_of_hosts(place, merged))
        if scope == "key":
            series["key"].extend(_of_keys(place, merged))
    for family, items in series.items():
        conclude(result, items, family)
    return result


def conclude(
    result: Compared,
    series: Sequence[Series],
    family: Family,
    worth: Callable[[Signal], bool] = lambda _signal: True,
) -> None:
    """Add what a family of series says to the result. worth: whether to speak of a signal."""
    tests = sum(item.judge.tests for item in series)
    for item in series:
        told = list(filter(worth, item.signals(family, tests)))
        signals = [signal for signal in told if signal.certain]
        result.signals.extend(signals)
        result.uncertain.extend(signal for signal in told if not signal.certain)
        if signals or item.shown:
            result.comparisons.append(item.comparison([signal.host for signal in signals]))


def _places(evidence: Sequence[Evidence], peer_of: Mapping[str, str]) -> Iterable[tuple[Place, MergedTable]]:
    for probe in evidence:
        sets = probe.peer_sets(peer_of)
        for merged in probe.tables:
            events = merged.table.events.count if merged.table.events else ""
            for column in merged.table.measures:
                if column.name == events or (column.compare is not None and figures.is_figure(column)):
                    for name, hosts in sets.items() or [("", [])]:
                        yield Place(probe, merged, column, hosts, name, len(sets) > 1), merged


def _of_hosts(place: Place, merged: MergedTable) -> Iterable[Series]:
    series = judged(place, figures.of_table(merged, place.column, place.hosts))
    if series is not None:
        yield series


def _of_events(place: Place, merged: MergedTable, events: Events) -> Series:
    """Return the series of every host's number of events, also where there is no other host to compare it with."""
    found = place.evidence.seen(figures.of_table(merged, place.column, place.hosts, least=0))
    judge = Judge(place.column, place.column.compare or Compare(), found, place.evidence.sampled_s)
    opinions = judge.opinions() or {host: Opinion(figure.value, 0.0) for host, figure in found.items()}
    proof = functools.partial(_worst_events, merged, events)
    return Series(place, judge, opinions, shown=len(found) > 1, proof=proof, counts_events=True)


def _worst_events(merged: MergedTable, events: Events, host: str) -> list[EvidenceRow]:
    return [
        (row.host, row.key, row.values) for row in figures.worst_events(merged, events, host)[: limits.ROWS]
    ]


def _of_keys(place: Place, merged: MergedTable) -> Iterable[Series]:
    """Yield each key that most hosts have, against itself; and the largest that each host has of the other keys.

    What only one host has cannot be compared with itself, but it can with what the others have for themselves:
    a process that writes gigabytes among hosts whose own processes write kilobytes.
    """
    mine = set(place.hosts)
    hosts = [host for host in merged.hosts if host.host in mine]
    have: dict[Key, dict[str, MergedRow]] = {}
    for host in hosts:
        for row in host.rows:
            have.setdefault(row.key, {})[host.host] = row
    shared = {key for key, rows in have.items() if len(rows) >= max(2, SHARED * len(hosts))}
    ordered = [total.key for total in merged.keys if total.key in shared]
    for number, key in enumerate(ordered[: limits.KEYS]):
        series = judged(place, _of_key(place, merged, hosts, have[key]))
        if series is not None:
            series.key, series.shown = key, number < limits.SHOWN_KEYS
            yield series
    if figures.adds(place.column):
        yield from _of_own_keys(place, merged, hosts, shared)


def _of_key(
    place: Place, merged: MergedTable, hosts: Sequence[HostTable], rows: Mapping[str, MergedRow]
) -> dict[str, Figure]:
    column = place.column
    least = column.compare.min_samples if column.compare else 0
    found: dict[str, Figure] = {}
    for host in hosts:
        row = rows.get(host.host)
        figure = figures.of_row(merged.table, column, row) if row else None
        if row is None and figures.adds(column) and host.other is None:
            figure = Figure(0.0)  # not among what was folded away for want of room: it is not there
        if figure is not None and figure.records >= least:
            found[host.host] = figure
    return found


def _of_own_keys(
    place: Place, merged: MergedTable, hosts: Sequence[HostTable], shared: set[Key]
) -> Iterable[Series]:
    position = figures.place_of(merged.table, place.column.name)
    keys: dict[str, Key] = {}
    found: dict[str, Figure] = {}
    for host in hosts:
        own = [row for row in host.rows if row.key not in shared]
        largest = max(own, key=lambda row: figures.number(row.values[position]) or 0.0, default=None)
        figure = figures.of_row(merged.table, place.column, largest) if largest else None
        found[host.host] = figure or Figure(0.0)
        if largest is not None and figure is not None:
            keys[host.host] = largest.key
    series = judged(place, found, single=True) if keys else None
    if series is not None:
        series.keys, series.elsewhere, series.shown = keys, True, False
        yield series
