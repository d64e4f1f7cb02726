# SPDX-License-Identifier: GPL-3.0-or-later
"""Merged tables: what the host and fleet mergers return."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.aggregates import (
    Parts,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.keys import Cells, Key, Rates
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.limits import MAX_SERIES_PER_HOST
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.order import row_order, sort_measure
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Table


@dataclass(frozen=True)
class Total:
    """Folded values in the order of the table's measures, and rates per sampled second (None: none, or
    unknown).

    rows: records folded. keys: distinct keys folded; more_keys: there were more than could be counted.
    parts: what the records of each printed measure are like; empty if nothing is compared.
    """

    values: Cells
    rates: Rates
    rows: int
    keys: int
    more_keys: bool = False
    parts: tuple[Parts | None, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class MergedRow:
    """One key on one host over the window. series: (interval from 1, values), for the top rows only.

    parts: as in Total.
    """

    host: str
    key: Key
    values: Cells
    rates: Rates
    rows: int
    series: tuple[tuple[int, Cells], ...] = ()
    parts: tuple[Parts | None, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class KeyTotal:
    """One key over all hosts. rows: records folded."""

    key: Key
    values: Cells
    rates: Rates
    hosts: int
    rows: int = 0


@dataclass
class HostTable:
    """The table of one host. other: the keys without a row of their own, or None. intervals: its totals."""

    host: str
    rows: list[MergedRow]
    total: Total
    other: Total | None = None
    intervals: tuple[tuple[int, Cells], ...] = ()


@dataclass
class MergedTable:
    """The table of the fleet. hosts and rows are sorted by the table's sort column, the rows' worst first.

    joined: made of the tables of two probes (see findings.sides), no session printed its rows.
    max_series: so many rows of a host have the values of each interval.
    """

    probe: str
    table: Table
    interval_s: float | None
    hosts: list[HostTable] = field(default_factory=list)
    keys: list[KeyTotal] = field(default_factory=list)
    other_keys: Total | None = None
    total: Total | None = None
    joined: bool = False
    max_series: int = MAX_SERIES_PER_HOST

    def rows(self) -> list[MergedRow]:
        """Return the rows of all hosts in one order."""
        return self.ordered(row for host in self.hosts for row in host.rows)

    def ordered(self, rows: Iterable[MergedRow]) -> list[MergedRow]:
        """Return these rows in the table's order, the worst first."""
        rank = row_order(self.table)
        return sorted(rows, key=lambda row: rank(row.host, row.key, row.values))

    def top(self, most: int) -> list[MergedRow]:
        """Return the worst `most` rows of the fleet; of each host's rows, which are in order, no more are looked at."""
        rank = row_order(self.table)
        merged = heapq.merge(
            *(host.rows for host in self.hosts), key=lambda row: rank(row.host, row.key, row.values)
        )
        return list(itertools.islice(merged, most))

    @property
    def sort_measure(self) -> int | None:
        """Return the sort column's position among the measures; see the function of that name."""
        return sort_measure(self.table)
