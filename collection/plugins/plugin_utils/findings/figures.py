# SPDX-License-Identifier: GPL-3.0-or-later
"""From a merged table to the one figure that each host is compared by, for each of its measures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import (
    HostTable,
    MergedRow,
    MergedTable,
    Total,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.model import Column, Table, Value

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
    records: how many are behind it.
    """

    value: float
    rest: float | None = None
    top: float | None = None
    records: int = 0


def is_figure(column: Column) -> bool:
    """True if what becomes of the measure is a number."""
    return column.type in _NUMBERS or column.merge in ("count", "records")


def is_count(column: Column) -> bool:
    """True for numbers of events: they scatter by chance alone."""
    return column.merge in ("count", "records") or (column.merge == "sum" and column.type == "int")


def adds(column: Column) -> bool:
    return column.ratio is None and (column.merge in ADDING or (not column.merge and column.type in _NUMBERS))


def is_settled(column: Column, figure: Figure) -> bool:
    """True for a percentile that enough records lie beyond, so that no single one decides it."""
    return _BEYOND.get(column.merge, 0.0) * figure.records >= _FEW_BEYOND


def place_of(table: Table, measure: str) -> int:
    """Position of a measure in the values of a merged row."""
    return [column.name for column in table.measures].index(measure)


def of_host(table: Table, column: Column, host: HostTable) -> Figure | None:
    """The host's figure, or None if it has none: the longest of no times is not zero."""
    if not adds(column):
        return _figure(table, column, host.total)
    place = place_of(table, column.name)
    value = number(host.total.values[place]) or 0.0
    largest = _largest(table, column, host.total)
    if largest is None:  # of numbers of records no single one is the largest, but what one key has
        largest = max((number(row.values[place]) or 0.0 for row in host.rows), default=0.0)
    return None if value < 0 else Figure(value, max(0.0, value - largest), max(0.0, largest), host.total.rows)


def of_row(table: Table, column: Column, row: MergedRow) -> Figure | None:
    """The figure of one key on one host."""
    if not adds(column):
        return _figure(table, column, row)
    value = number(row.values[place_of(table, column.name)])
    if value is None or value < 0:
        return None
    largest = _largest(table, column, row) or 0.0
    return Figure(value, max(0.0, value - largest), max(0.0, largest), row.rows)


def _figure(table: Table, column: Column, group: Total | MergedRow) -> Figure | None:
    """Of a measure that does not add up."""
    value = number(group.values[place_of(table, column.name)])
    if value is None or value < 0:
        return None
    rest = None
    largest = _largest(table, column, group)
    if column.merge == "mean" and largest is not None and group.rows > 1:
        rest = (value * group.rows - largest) / (group.rows - 1)
    elif column.ratio is not None:
        rest = _ratio_of_rest(table, column, group)
    return Figure(value, None if rest is None else max(0.0, rest), None, group.rows)


def _ratio_of_rest(table: Table, column: Column, group: Total | MergedRow) -> float | None:
    """The quotient without the largest record; None if that leaves too little to speak for the whole."""
    assert column.ratio is not None
    above, below = (table.measures[place_of(table, name)] for name in column.ratio)
    over, under = (number(group.values[place_of(table, part.name)]) for part in (above, below))
    most, of = _largest(table, above, group), _largest(table, below, group)
    if (
        over is None
        or under is None
        or most is None
        or of is None
        or under - of < _REST_SHARE * under
        or not under
    ):
        return None
    return (over - most) / (under - of) * (100 if column.unit == "%" else 1)


def _largest(table: Table, column: Column, group: Total | MergedRow) -> float | None:
    """The largest value of one record, of measures that the script prints."""
    place = place_of(table, column.name)
    return number(group.largest[place]) if place < len(group.largest) else None


def of_table(merged: MergedTable, column: Column, hosts: Iterable[str]) -> dict[str, Figure]:
    """The figure of each of these hosts that has one with enough records behind it."""
    least = column.compare.min_samples if column.compare else 0
    wanted = set(hosts)
    figures: dict[str, Figure] = {}
    for host in merged.hosts:
        figure = of_host(merged.table, column, host) if host.host in wanted else None
        if figure is not None and figure.records >= least:
            figures[host.host] = figure
    return figures


def number(value: Value | None) -> float | None:
    """A number that can be reckoned with, or None for everything else."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < _HUGE else None
