# SPDX-License-Identifier: GPL-3.0-or-later
"""From a merged table to the one figure that each host is compared by, for each of its measures."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.aggregates import Parts
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.results import (
    HostTable,
    MergedRow,
    MergedTable,
    Total,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Column,
    Events,
    Table,
    Value,
)

ADDING = ("sum", "count", "records")
"""Measures that are zero on a host where nothing of the kind was seen, and grow with the time it was watched."""
_BEYOND = {"p50": 0.5, "p95": 0.05, "p99": 0.01}
_FEW_BEYOND = 3
_NUMBERS = ("int", "float", "bytes", "duration")
_REST_SHARE = 0.5
_HUGE = 1e200


@dataclass(frozen=True)
class Figure:
    """One measure of one host.

    value: as the report's tables say. rest: the same without the record that has the largest share of it (of a
    number of records: without the key that has most); None if that cannot be said. top: what that record has.
    records: how many are behind it. scatter: how far, relatively, the rest would lie from its mean by chance, on a
    host whose records are such as these. clump: of a number of events, how many come at a time (the index of
    dispersion of a sum of such records); None if that is not known.
    """

    value: float
    rest: float | None = None
    top: float | None = None
    records: int = 0
    scatter: float = 0.0
    clump: float | None = None


def is_figure(column: Column) -> bool:
    """Return whether the merged value of the measure is a number."""
    return column.type in _NUMBERS or column.merge in ("count", "records")


def is_count(column: Column) -> bool:
    """Return whether the measure is a number of events: these scatter by chance alone."""
    return column.merge in ("count", "records") or (column.merge == "sum" and column.type == "int")


def adds(column: Column) -> bool:
    return column.ratio is None and (column.merge in ADDING or (not column.merge and column.type in _NUMBERS))


def is_settled(column: Column, figure: Figure) -> bool:
    """Return whether it is a percentile that enough records lie beyond, so that no single one decides it."""
    return _BEYOND.get(column.merge, 0.0) * figure.records >= _FEW_BEYOND


def place_of(table: Table, measure: str) -> int:
    """Return the position of a measure in the values of a merged row."""
    return [column.name for column in table.measures].index(measure)


def of_host(table: Table, column: Column, host: HostTable) -> Figure | None:
    """Return the host's figure, or None if it has none: the longest of no times is not zero."""
    if column.merge in ("records", "count"):
        place = place_of(table, column.name)
        counts = [number(row.values[place]) or 0.0 for row in host.rows]
        # No single record is the largest of a number of records, but the key that has most of them is.
        parts = Parts(max(counts, default=0.0), sum(count * count for count in counts))
        return _sum(number(host.total.values[place]) or 0.0, parts, host.total.rows)
    figure = _figure(table, column, host.total)
    return figure if figure is not None or not adds(column) or host.total.rows else Figure(0.0)


def of_row(table: Table, column: Column, row: MergedRow) -> Figure | None:
    """Return the figure of one key on one host; None if it has none."""
    return _figure(table, column, row)


def _figure(table: Table, column: Column, group: Total | MergedRow) -> Figure | None:
    value = number(group.values[place_of(table, column.name)])
    if value is None or value < 0:
        return None
    if adds(column):
        return _sum(value, _parts(table, column, group), group.rows)
    if column.ratio is not None:
        return _ratio(table, column, group, value)
    if column.merge == "mean":
        return _mean(value, _parts(table, column, group), group.rows)
    beyond = _BEYOND.get(column.merge, 0.0) * group.rows
    return Figure(value, None, None, group.rows, 1 / math.sqrt(beyond) if beyond else 0.0)


def _sum(value: float, parts: Parts | None, records: int) -> Figure:
    if parts is None:
        return Figure(value, value, 0.0, records)
    rest, top = max(0.0, value - parts.largest), max(0.0, parts.largest)
    return Figure(
        value, rest, top, records, _scatter(parts, rest), parts.squares / value if value > 0 else None
    )


def _mean(value: float, parts: Parts | None, records: int) -> Figure:
    if parts is None or records < 2:
        return Figure(value, None, None, records)
    rest = max(0.0, value * records - parts.largest)
    return Figure(value, rest / (records - 1), None, records, _scatter(parts, rest))


def _ratio(table: Table, column: Column, group: Total | MergedRow, value: float) -> Figure:
    """Return the quotient, and as the rest the same without its largest value.

    Where that value is not known, it is the quotient without the largest record, if that leaves enough of it.
    """
    if column.ratio is None:
        raise AssertionError
    above, below = (table.measures[place_of(table, name)] for name in column.ratio)
    over, under = (number(group.values[place_of(table, part.name)]) for part in (above, below))
    most, of = _parts(table, above, group), _parts(table, below, group)
    samples = round(under) if under and is_count(below) else group.rows
    if over is None or not under:
        return Figure(value, None, None, samples)
    if column.largest:
        return _mean_of(value, over, number(group.values[place_of(table, column.largest)]), most, samples)
    if most is None or of is None or under - of.largest < _REST_SHARE * under:
        return Figure(value, None, None, samples)
    left = max(0.0, over - most.largest)
    rest = left / (under - of.largest) * (100 if column.unit == "%" else 1)
    return Figure(value, rest, None, samples, _scatter(most, left))


def _mean_of(value: float, total: float, largest: float | None, parts: Parts | None, samples: int) -> Figure:
    """Return the mean of so many values, of which the largest is known. Each scatters by as much as it is large."""
    if not largest or largest > total or samples < 2:
        return Figure(value, None, None, samples)
    rest = (total - largest) / (samples - 1)
    scatter = max(1 / math.sqrt(samples - 1), _scatter(parts, total - largest) if parts is not None else 0.0)
    return Figure(value, rest, None, samples, scatter)


def _parts(table: Table, column: Column, group: Total | MergedRow) -> Parts | None:
    """Return what the records of a printed measure are like; None if that is not known."""
    place = place_of(table, column.name)
    parts = group.parts[place] if place < len(group.parts) else None
    return parts if parts is not None and number(parts.squares) is not None else None


def _scatter(parts: Parts, rest: float) -> float:
    """Return how far, relatively, a sum of as many records of such sizes lies from its mean by chance."""
    return math.sqrt(max(0.0, parts.squares - parts.largest**2)) / rest if rest > 0 else 0.0


def of_table(
    merged: MergedTable, column: Column, hosts: Iterable[str], least: int | None = None
) -> dict[str, Figure]:
    """Return the figure of each of these hosts that has one with enough records behind it.

    least: how many are enough; as the manifest says if it is None.
    """
    if least is None:
        least = column.compare.min_samples if column.compare else 0
    wanted = set(hosts)
    figures: dict[str, Figure] = {}
    for host in merged.hosts:
        figure = of_host(merged.table, column, host) if host.host in wanted else None
        if figure is not None and figure.records >= least:
            figures[host.host] = figure
    return figures


def worst_events(merged: MergedTable, events: Events, host: str) -> list[MergedRow]:
    """Return the host's rows that have any of the table's events, the worst first."""
    count = place_of(merged.table, events.count)
    worst = place_of(merged.table, events.worst) if events.worst else count
    rows = next((found.rows for found in merged.hosts if found.host == host), [])
    having = [row for row in rows if number(row.values[count])]
    return sorted(having, key=lambda row: -(number(row.values[worst]) or 0.0))


def number(value: Value | None) -> float | None:
    """Return a number that can be reckoned with, or None for everything else."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < _HUGE else None
