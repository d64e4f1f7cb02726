# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of one host, from its rows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.aggregates import (
    Whens,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.groups import (
    Budget,
    Folded,
    Groups,
    Keys,
    Measures,
    rate,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.keys import Cells, Key
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.limits import (
    INTERVAL_KEYS_PER_KEY,
    MAX_INTERVALS,
    MAX_KEYS,
    MAX_ROWS_PER_HOST,
    MAX_SERIES_PER_HOST,
    MAX_TIMES,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.order import row_order
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.refold import (
    only_folded,
    without_last,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.results import (
    HostTable,
    MergedRow,
    Total,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Batch, Row, batch_of
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Table, Value


def numbering(table: Table, interval_s: float | None = None) -> Callable[[Row], int | None]:
    """Return the function that tells a row's interval of the window, from 1, or None if the table has no intervals."""
    of_time = Intervals(interval_s)

    def number(row: Row) -> int | None:
        if not table.interval:
            return None
        return _possible(row.interval + 1) if row.interval is not None else of_time[row.t_ms]

    return number


def _possible(number: int) -> int | None:
    """Return the number of an interval; None if no window has so many: a course has a place for each before it."""
    return number if number <= MAX_INTERVALS else None


class Intervals(dict[int | None, int | None]):
    """By the time a row was printed, its interval. Many rows have the same time: it is reckoned once."""

    def __init__(self, interval_s: float | None) -> None:
        super().__init__()
        self._step_ms = interval_s * 1000 if interval_s else None

    def __missing__(self, t_ms: int | None) -> int | None:
        if len(self) >= MAX_TIMES:
            self.clear()
        number = None
        if self._step_ms is not None and t_ms is not None:
            # Rows of an interval are printed when it ends, or a little later on a busy machine.
            grace = min(1000.0, self._step_ms / 4)
            number = _possible(max(1, math.ceil((t_ms - grace) / self._step_ms)))
        self[t_ms] = number
        return number


class HostMerger:
    """Folds the rows of one table of one session."""

    def __init__(self, table: Table, interval_s: float | None = None, max_keys: int = MAX_KEYS) -> None:
        self._table = table
        self._intervals = Intervals(interval_s)
        columns = list(enumerate(table.columns))
        self._key_places = [place for place, column in columns if column.is_key]
        self._places = [place for place, column in columns if not column.is_key]
        self._by_key = Groups(Measures(table, weighed=is_compared(table, "key")))
        self._keys = Keys(self._by_key, Budget(max_keys))
        self._whole = Groups(Measures(table, weighed=is_compared(table)))
        plain = Measures(table)
        self._looks_at_time = plain.looks_at_time
        self._by_interval = Groups(plain)
        self._numbers: dict[int, int] = {}
        self._by_interval_key = Groups(plain)
        self._interval_keys: dict[int, Keys] = {}
        self._interval_room = Budget(max_keys * INTERVAL_KEYS_PER_KEY)

    def add(self, row: Row) -> None:
        """Fold one row in."""
        self.add_batch(batch_of([row]))

    def add_batch(self, batch: Batch) -> None:
        """Fold many rows in, in their order."""
        size = len(batch.seq)
        values = [batch.columns[place] for place in self._places]
        named = [batch.columns[place] for place in self._key_places]
        keys: list[Key] = list(zip(*named, strict=True)) if named else [()] * size
        whens = _whens(batch) if self._looks_at_time else batch.seq
        self._by_key.add(self._keys.numbers(keys), values, whens)
        if not self._whole.rows:
            self._whole.new()
        self._whole.add_all(0, values, whens, size)
        if self._table.interval:
            self._add_intervals(batch, keys, values, whens)

    def _add_intervals(
        self, batch: Batch, keys: Sequence[Key], values: Sequence[Sequence[Value]], whens: Whens
    ) -> None:
        """Fold rows into their intervals, a run of one interval at a time: they follow each other, mostly."""
        start = 0
        for number, run in itertools.groupby(self._interval_numbers(batch)):
            end = start + len(list(run))
            if number is not None:
                if number not in self._numbers:
                    (self._numbers[number],) = self._by_interval.new()
                    self._interval_keys[number] = Keys(self._by_interval_key, self._interval_room)
                part, times = [column[start:end] for column in values], whens[start:end]
                self._by_interval.add_all(self._numbers[number], part, times, end - start)
                groups = self._interval_keys[number].numbers(keys[start:end])
                self._by_interval_key.add(groups, part, times)
            start = end

    def _interval_numbers(self, batch: Batch) -> Iterable[int | None]:
        if batch.interval is None:
            return map(self._intervals.__getitem__, batch.t_ms)
        pairs = zip(batch.t_ms, batch.interval, strict=True)
        return [
            self._intervals[t_ms] if interval is None else _possible(interval + 1) for t_ms, interval in pairs
        ]

    def folded(self, sampled_s: float | None) -> Folded:
        """Return all keys, as the fleet's table takes them. sampled_s: as in `finish`."""
        numbers = list(self._keys.values())
        values = self._by_key.values(numbers)
        rates = [[rate(cells[place], sampled_s) for cells in values] for place in self._by_key.rated]
        return Folded(list(self._keys), self._by_key.states(numbers), self._by_key.rows_of(numbers), rates)

    def finish(
        self,
        host: str,
        sampled_s: float | None,
        max_rows: int = MAX_ROWS_PER_HOST,
        max_series: int = MAX_SERIES_PER_HOST,
    ) -> HostTable:
        """Return the host's table, rows sorted and cut to `max_rows`, of which `max_series` have their intervals.

        sampled_s: seconds really sampled, if known.
        """
        rank, groups = row_order(self._table), self._by_key
        numbers = list(self._keys.values())
        triples = zip(self._keys, numbers, groups.values(numbers), strict=True)
        named = [(key, number, values) for key, number, values in triples if key is not None]
        named.sort(key=lambda item: rank(host, item[0], item[2]))
        shown, rest = named[:max_rows], [number for _unused, number, _unused2 in named[max_rows:]]
        parts = groups.parts([number for _unused3, number, _unused4 in shown])
        rows = [
            MergedRow(
                host,
                key,
                values,
                groups.rates(values, sampled_s),
                groups.rows[number],
                self._series(key) if place < max_series else (),
                parts[place],
            )
            for place, (key, number, values) in enumerate(shown)
        ]
        late = self._keys.get(None)
        beyond = rest if late is None else [*rest, late]
        intervals = sorted(self._numbers.items())
        totals = self._by_interval.values([group for _unused5, group in intervals])
        several = len(named) > 1 or late is not None
        total = total_of(self._whole, sampled_s, len(named), late is not None)
        other = total_of(groups.together(beyond), sampled_s, len(rest), late is not None) if beyond else None
        return HostTable(
            host=host,
            rows=rows,
            total=only_folded(self._table, total) if several else total,
            other=only_folded(self._table, other) if other else None,
            intervals=tuple(
                (number, without_last(self._table, cells) if several else cells)
                for (number, _unused6), cells in zip(intervals, totals, strict=True)
            ),
        )

    def _series(self, key: Key) -> tuple[tuple[int, Cells], ...]:
        known = [(number, keys[key]) for number, keys in sorted(self._interval_keys.items()) if key in keys]
        values = self._by_interval_key.values([group for _unused, group in known])
        return tuple(zip((number for number, _unused2 in known), values, strict=True))


def is_compared(table: Table, scope: str = "") -> bool:
    """Return whether a measure is compared between hosts: at all, or with this scope."""
    compared = [column.compare for column in table.measures if column.compare is not None]
    return any(not scope or compare.scope == scope for compare in compared)


def _whens(batch: Batch) -> list[tuple[int, int]]:
    times: Iterable[int] = (t_ms or 0 for t_ms in batch.t_ms)
    if batch.interval is not None:
        pairs = zip(batch.t_ms, batch.interval, strict=True)
        times = (number if t_ms is None and number is not None else t_ms or 0 for t_ms, number in pairs)
    return list(zip(times, batch.seq, strict=True))


def total_of(groups: Groups, sampled_s: float | None, keys: int, more: bool) -> Total:
    """Return the total of the only group; an empty one if there is no group."""
    if not groups.rows:
        empty = (None,) * groups.width
        return Total(empty, empty, 0, 0)
    (values,), (parts,) = groups.values([0]), groups.parts([0])
    return Total(values, groups.rates(values, sampled_s), groups.rows[0], keys, more, parts)
