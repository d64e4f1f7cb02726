# SPDX-License-Identifier: GPL-3.0-or-later
"""Fold totals once more: of several hosts, or of several keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.groups import Measures, whole
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.keys import Cells, Rates
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.results import Total
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Table, Value


def foldable(table: Table) -> bool:
    """Return whether the merged values of several keys make one value for each measure."""
    return all(column.merge not in ("last", "p50", "p95", "p99") for column in table.printed)


def fold(table: Table, parts: Iterable[tuple[Cells, Rates, int]]) -> Total:
    """Return the total of several keys. parts: of each values, rates and records. What can no longer be told is None."""
    items = [part for part in parts if part[2]]
    measures = Measures(table)
    joined = [
        _fold_again(column, [(values[place], records) for values, _unused, records in items])
        for place, column in enumerate(measures.columns)
    ]
    records = sum(part[2] for part in items)
    rates = [
        sum_known([rates[place] for _unused2, rates, _unused3 in items])
        for place, _unused4 in enumerate(table.measures)
    ]
    return Total(measures.derive(tuple(joined), records), tuple(rates), records, len(items))


def _fold_again(column: Column, values: Sequence[tuple[Value | None, int]]) -> Value | None:
    """Fold the merged values of one measure, each with the records behind it; None if that cannot be told any more."""
    known = [(value, records) for value, records in values if isinstance(value, (int, float))]
    if not values or len(known) < len(values):
        return None
    figures = [value for value, _unused in known]
    how = column.merge or ("sum" if column.type in ("int", "float", "bytes", "duration") else "last")
    if how in ("sum", "count"):
        return sum(figures)
    if how in ("max", "min"):
        return max(figures) if how == "max" else min(figures)
    if how == "mean":
        mean = sum(value * records for value, records in known) / sum(records for _unused2, records in known)
        return whole(column, mean)
    return figures[0] if len(figures) == 1 else None


def sum_known(rates: Sequence[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known and len(known) == len(rates) else None


def without_last(table: Table, values: Cells) -> Cells:
    """Return the values of several keys or hosts: of a measure that is shown as it was last, there is none."""
    return tuple(
        None if column.merge == "last" else value
        for column, value in zip(table.measures, values, strict=True)
    )


def only_folded(table: Table, total: Total) -> Total:
    """Return the total of several keys or hosts (see without_last)."""
    return replace(total, values=without_last(table, total.values))
