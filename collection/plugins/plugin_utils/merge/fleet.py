# SPDX-License-Identifier: GPL-3.0-or-later
"""Many rows of many hosts -> one table with the host in front, with totals per host, per key and of the
fleet.

Rows are folded as they come, so memory grows with the number of distinct keys and not with the rows; keys
beyond a cap are folded into one explicit `other` (key None, so that no process called "(other)" can pass for
it). Hosts are folded one after the other in the order of their names: the result does not depend on the
order they are given in.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.aggregates import (
    Last,
    Parts,
    Whens,
    fold_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Batch,
    CallNode,
    CallTree,
    Column,
    Row,
    Table,
    Value,
    batch_of,
)

MAX_KEYS = 50_000
"""Distinct keys kept per host and table, and per table of the fleet."""
MAX_ROWS_PER_HOST = 5_000
MAX_SERIES_PER_HOST = 50
"""Rows of a host, from the top, whose values per interval are kept."""
MAX_INTERVAL_KEYS = 4 * MAX_KEYS
MAX_INTERVALS = 100_000
"""The longest window has 86,400, of a second each."""
MAX_CALL_NODES = 5_000
_MAX_TIMES = 10_000

Key = tuple[Value, ...]
Cells = tuple[Value | None, ...]
Rates = tuple[float | None, ...]


# --- groups of rows ---


class _Measures:
    """How the measures of a table fold, and what is computed from them afterwards.

    weighed: where hosts are compared, a sum keeps what its records are like.
    """

    def __init__(self, table: Table, *, weighed: bool = False) -> None:
        self.columns = table.printed
        self.weighed = weighed
        self.folds = [fold_of(column, weighed) for column in self.columns]
        self.looks_at_time = any(fold.begin is Last for fold in self.folds)
        self._derived = table.derived
        self._places = {column.name: place for place, column in enumerate(self.columns)}
        measures = table.measures
        self.nothing: Cells = (None,) * len(measures)
        self.rated = [place for place, column in enumerate(measures) if column.rate]

    def ended(self, place: int, states: Sequence[Any]) -> Sequence[Value | None]:
        """The values that the states of one printed measure are."""
        end, column = self.folds[place].end, self.columns[place]
        return states if end is None else [_whole(column, end(state)) for state in states]

    def derive(self, printed: Cells, records: int) -> Cells:
        """The printed measures, and behind them those that follow from them."""
        if not self._derived:
            return printed
        return (*printed, *(self._derive(column, printed, records) for column in self._derived))

    def _derive(self, column: Column, printed: Cells, records: int) -> Value | None:
        if column.ratio is None:
            return records
        top, bottom = (printed[self._places[name]] for name in column.ratio)
        if not isinstance(top, (int, float)) or not isinstance(bottom, (int, float)) or not bottom:
            return None
        return _whole(column, top / bottom * (100 if column.unit == "%" else 1))

    def rates(self, values: Cells, sampled_s: float | None) -> Rates:
        """Per sampled second, for the measures that want it."""
        return self.in_rows([_rate(values[place], sampled_s) for place in self.rated])

    def in_rows(self, rated: Sequence[float | None]) -> Rates:
        """A rate or None for every measure, from those of the rated ones."""
        if not rated:
            return self.nothing  # type: ignore[return-value] # there is nothing but None in it
        rates: list[float | None] = [None] * len(self.nothing)
        for place, rate in zip(self.rated, rated, strict=True):
            rates[place] = rate
        return tuple(rates)


def _whole(column: Column, value: Value | None) -> Value | None:
    return round(value) if column.type in ("int", "bytes") and isinstance(value, float) else value


def _rate(value: Value | None, sampled_s: float | None) -> float | None:
    return value / sampled_s if sampled_s and isinstance(value, (int, float)) else None


def _plus(first: float | None, second: float | None) -> float | None:
    """The sum of two rates; unknown when one of them is."""
    return None if first is None or second is None else first + second


@dataclass(frozen=True)
class Folded:
    """Groups as plain data, to be joined with others. states: of each printed measure those of all groups.

    keys: None is that of what came after the cap. rates: of each rated measure those of all groups.
    """

    keys: Sequence[Key | None]
    states: Sequence[Sequence[Any]]
    rows: Sequence[int]
    rates: Sequence[Sequence[float | None]]


class _Groups:
    """The states of many groups, numbered from 0, and how many rows each has."""

    def __init__(self, measures: _Measures) -> None:
        self._measures = measures
        self._states = [fold.begin() for fold in measures.folds]
        self.rows: list[int] = []

    def new(self, count: int = 1) -> range:
        """The numbers of so many groups more."""
        for states in self._states:
            states.grow(count)
        first = len(self.rows)
        self.rows.extend([0] * count)
        return range(first, first + count)

    def add(self, groups: Sequence[int], columns: Sequence[Sequence[Any]], whens: Whens) -> None:
        """Each row into its group. columns: the values of each measure."""
        for states, values in zip(self._states, columns, strict=True):
            states.add(groups, values, whens)
        rows = self.rows
        for group in groups:
            rows[group] += 1

    def add_all(self, group: int, columns: Sequence[Sequence[Any]], whens: Whens, rows: int) -> None:
        """All rows into one group."""
        for states, values in zip(self._states, columns, strict=True):
            states.add_all(group, values, whens)
        self.rows[group] += rows

    def join(self, groups: Sequence[int], states: Sequence[Sequence[Any]], rows: Sequence[int]) -> None:
        """Each of other groups, as `states` gives them, into its group."""
        for mine, others in zip(self._states, states, strict=True):
            mine.join(groups, others)
        for group, count in zip(groups, rows, strict=True):
            self.rows[group] += count

    def states(self, groups: Sequence[int]) -> list[list[Any]]:
        """Of each printed measure the states of these groups."""
        rows = self.rows_of(groups)
        return [states.states(groups, rows) for states in self._states]

    def rows_of(self, groups: Sequence[int]) -> list[int]:
        return list(map(self.rows.__getitem__, groups))

    def values(self, groups: Sequence[int]) -> list[Cells]:
        """Of each of these groups one value per measure of the table: printed, then derived."""
        rows, derive = self.rows_of(groups), self._measures.derive
        ended = [self._measures.ended(place, states) for place, states in enumerate(self.states(groups))]
        printed: Iterable[Cells] = zip(*ended, strict=True) if ended else [()] * len(rows)
        return [derive(cells, count) for cells, count in zip(printed, rows, strict=True)]

    def parts(self, groups: Sequence[int]) -> list[tuple[Parts | None, ...]]:
        """Of each of these groups, what the records of each printed measure are like; empty if that is not kept."""
        if not self._measures.weighed:
            return [()] * len(groups)
        columns = [
            [None if fold.parts is None else fold.parts(state) for state in states]
            for fold, states in zip(self._measures.folds, self.states(groups), strict=True)
        ]
        return list(zip(*columns, strict=True)) if columns else [()] * len(groups)

    @property
    def width(self) -> int:
        """How many measures the table has."""
        return len(self._measures.nothing)

    @property
    def rated(self) -> Sequence[int]:
        """Positions of the measures that are shown per second too."""
        return self._measures.rated

    def rates(self, values: Cells, sampled_s: float | None) -> Rates:
        return self._measures.rates(values, sampled_s)

    def in_rows(self, rated: Sequence[float | None]) -> Rates:
        return self._measures.in_rows(rated)

    def together(self, groups: Sequence[int]) -> _Groups:
        """These groups as the only one, number 0, of new ones."""
        whole = _Groups(self._measures)
        whole.join([*whole.new()] * len(groups), self.states(groups), self.rows_of(groups))
        return whole


class _Room:
    """How many keys more are kept."""

    def __init__(self, keys: int) -> None:
        self.left = keys


class _Keys(dict[Key | None, int]):
    """The number of each key's group. Those for which there is no room are one group, that of None."""

    def __init__(self, groups: _Groups, room: _Room) -> None:
        super().__init__()
        self._groups = groups
        self._room = room

    def numbers(self, keys: Sequence[Key | None]) -> Sequence[int]:
        """Of each row its group."""
        found = list(map(self.get, keys))
        if None not in found:
            return found  # type: ignore[return-value] # as just said
        missing = dict.fromkeys(key for key, group in zip(keys, found, strict=True) if group is None)
        missing.pop(None, None)
        fresh = list(missing)[: self._room.left]
        self._room.left -= len(fresh)
        numbers = self._groups.new(len(fresh))
        self.update(zip(fresh, numbers, strict=True))
        if len(fresh) == len(keys):
            return numbers
        found = list(map(self.get, keys))
        if None in found:
            if None not in self:
                (self[None],) = self._groups.new()
            found = [self[None] if group is None else group for group in found]
        return found  # type: ignore[return-value]


# --- results ---


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
        """The rows of all hosts in one order."""
        return self.ordered(row for host in self.hosts for row in host.rows)

    def ordered(self, rows: Iterable[MergedRow]) -> list[MergedRow]:
        """These rows in the table's order, the worst first."""
        rank = _rank(self.table)
        return sorted(rows, key=lambda row: rank(row.host, row.key, row.values))

    def top(self, most: int) -> list[MergedRow]:
        """The worst rows of the fleet; of each host's rows, which are in order, no more are looked at."""
        rank = _rank(self.table)
        merged = heapq.merge(
            *(host.rows for host in self.hosts), key=lambda row: rank(row.host, row.key, row.values)
        )
        return list(itertools.islice(merged, most))

    @property
    def sort_measure(self) -> int | None:
        """Position, among the measures, of the sort column; see the function of that name."""
        return sort_measure(self.table)


def sort_measure(table: Table) -> int | None:
    """Position, among the measures, of the sort column; the first measure if it is a key or not named."""
    names = [column.name for column in table.measures]
    if table.sort in names:
        return names.index(table.sort)
    return 0 if names else None


def numbering(table: Table, interval_s: float | None = None) -> Callable[[Row], int | None]:
    """What says in which interval of the window, from 1, a row belongs; None if the table has none."""
    of_time = _Intervals(interval_s)

    def number(row: Row) -> int | None:
        if not table.interval:
            return None
        return _possible(row.interval + 1) if row.interval is not None else of_time[row.t_ms]

    return number


def _possible(number: int) -> int | None:
    """The number of an interval; None if no window has so many: a course has a place for each before it."""
    return number if number <= MAX_INTERVALS else None


class _Intervals(dict[int | None, int | None]):
    """By the time a row was printed, its interval. Many rows have the same time: it is reckoned once."""

    def __init__(self, interval_s: float | None) -> None:
        super().__init__()
        self._step_ms = interval_s * 1000 if interval_s else None

    def __missing__(self, t_ms: int | None) -> int | None:
        if len(self) >= _MAX_TIMES:
            self.clear()
        number = None
        if self._step_ms is not None and t_ms is not None:
            # Rows of an interval are printed when it ends, or a little later on a busy machine.
            grace = min(1000.0, self._step_ms / 4)
            number = _possible(max(1, math.ceil((t_ms - grace) / self._step_ms)))
        self[t_ms] = number
        return number


# --- folding ---


class HostMerger:
    """Folds the rows of one table of one session."""

    def __init__(self, table: Table, interval_s: float | None = None, max_keys: int = MAX_KEYS) -> None:
        self._table = table
        self._intervals = _Intervals(interval_s)
        columns = list(enumerate(table.columns))
        self._key_places = [place for place, column in columns if column.is_key]
        self._places = [place for place, column in columns if not column.is_key]
        self._by_key = _Groups(_Measures(table, weighed=_compared(table, "key")))
        self._keys = _Keys(self._by_key, _Room(max_keys))
        self._whole = _Groups(_Measures(table, weighed=_compared(table)))
        plain = _Measures(table)
        self._looks_at_time = plain.looks_at_time
        self._by_interval = _Groups(plain)
        self._numbers: dict[int, int] = {}
        self._by_interval_key = _Groups(plain)
        self._interval_keys: dict[int, _Keys] = {}
        self._interval_room = _Room(max_keys * 4)

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
        """Rows of one interval follow each other, mostly."""
        start = 0
        for number, run in itertools.groupby(self._interval_numbers(batch)):
            end = start + len(list(run))
            if number is not None:
                if number not in self._numbers:
                    (self._numbers[number],) = self._by_interval.new()
                    self._interval_keys[number] = _Keys(self._by_interval_key, self._interval_room)
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
        """All keys, as the fleet's table takes them. sampled_s: as in `finish`."""
        numbers = list(self._keys.values())
        values = self._by_key.values(numbers)
        rates = [[_rate(cells[place], sampled_s) for cells in values] for place in self._by_key.rated]
        return Folded(list(self._keys), self._by_key.states(numbers), self._by_key.rows_of(numbers), rates)

    def finish(
        self,
        host: str,
        sampled_s: float | None,
        max_rows: int = MAX_ROWS_PER_HOST,
        max_series: int = MAX_SERIES_PER_HOST,
    ) -> HostTable:
        """The host's table, rows sorted and cut to `max_rows`, of which `max_series` have their intervals.

        sampled_s: seconds really sampled, if known.
        """
        rank, groups = _rank(self._table), self._by_key
        numbers = list(self._keys.values())
        triples = zip(self._keys, numbers, groups.values(numbers), strict=True)
        named = [(key, number, values) for key, number, values in triples if key is not None]
        named.sort(key=lambda item: rank(host, item[0], item[2]))
        shown, rest = named[:max_rows], [number for _, number, _ in named[max_rows:]]
        parts = groups.parts([number for _, number, _ in shown])
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
        totals = self._by_interval.values([group for _, group in intervals])
        several = len(named) > 1 or late is not None
        total = _total(self._whole, sampled_s, len(named), late is not None)
        other = _total(groups.together(beyond), sampled_s, len(rest), late is not None) if beyond else None
        return HostTable(
            host=host,
            rows=rows,
            total=_only_folded(self._table, total) if several else total,
            other=_only_folded(self._table, other) if other else None,
            intervals=tuple(
                (number, _without_last(self._table, cells) if several else cells)
                for (number, _), cells in zip(intervals, totals, strict=True)
            ),
        )

    def _series(self, key: Key) -> tuple[tuple[int, Cells], ...]:
        known = [(number, keys[key]) for number, keys in sorted(self._interval_keys.items()) if key in keys]
        values = self._by_interval_key.values([group for _, group in known])
        return tuple(zip((number for number, _ in known), values, strict=True))


def _compared(table: Table, scope: str = "") -> bool:
    """True if a measure is compared between hosts: at all, or with this scope."""
    compared = [column.compare for column in table.measures if column.compare is not None]
    return any(not scope or compare.scope == scope for compare in compared)


def _whens(batch: Batch) -> list[tuple[int, int]]:
    times: Iterable[int] = (t_ms or 0 for t_ms in batch.t_ms)
    if batch.interval is not None:
        pairs = zip(batch.t_ms, batch.interval, strict=True)
        times = (number if t_ms is None and number is not None else t_ms or 0 for t_ms, number in pairs)
    return list(zip(times, batch.seq, strict=True))


def _without_last(table: Table, values: Cells) -> Cells:
    """Return the values of several keys or hosts: of a measure that is shown as it was last, there is none."""
    return tuple(
        None if column.merge == "last" else value
        for column, value in zip(table.measures, values, strict=True)
    )


def _only_folded(table: Table, total: Total) -> Total:
    """Return the total of several keys or hosts (see _without_last)."""
    return replace(total, values=_without_last(table, total.values))


def _total(groups: _Groups, sampled_s: float | None, keys: int, more: bool) -> Total:
    """What the only group has come to; there may be none."""
    if not groups.rows:
        empty = (None,) * groups.width
        return Total(empty, empty, 0, 0)
    (values,), (parts,) = groups.values([0]), groups.parts([0])
    return Total(values, groups.rates(values, sampled_s), groups.rows[0], keys, more, parts)


class FleetMerger:
    """Takes the hosts of one table one after the other; nothing but the result is kept of a host.

    The result is independent of the order in which hosts were asked if they come sorted by name, each once.
    """

    def __init__(
        self,
        probe: str,
        table: Table,
        interval_s: float | None = None,
        max_keys: int = MAX_KEYS,
        max_rows: int = MAX_ROWS_PER_HOST,
        max_series: int = MAX_SERIES_PER_HOST,
    ) -> None:
        self._table = table
        self._max_rows = max_rows
        self._groups = _Groups(_Measures(table, weighed=_compared(table, "key")))
        self._keys = _Keys(self._groups, _Room(max_keys))
        self._hosts: list[int] = []
        self._rates: list[list[float | None]] = [[] for _ in self._groups.rated]
        self._merged = MergedTable(
            probe, table, interval_s if table.interval else None, max_series=max_series
        )

    def add(self, host: str, merger: HostMerger, sampled_s: float | None) -> None:
        """Fold a host in. sampled_s: seconds it really sampled, or None if that is not known."""
        self.take(
            merger.finish(host, sampled_s, self._max_rows, self._merged.max_series), merger.folded(sampled_s)
        )

    def take(self, table: HostTable, folded: Folded) -> None:
        """The same of a host whose table was made elsewhere."""
        self._merged.hosts.append(table)
        groups = self._keys.numbers(folded.keys)
        new = len(self._groups.rows) - len(self._hosts)
        self._hosts.extend([0] * new)
        self._groups.join(groups, folded.states, folded.rows)
        for group in groups:
            self._hosts[group] += 1
        for mine, rates in zip(self._rates, folded.rates, strict=True):
            mine.extend([0.0] * new)
            for group, rate in zip(groups, rates, strict=True):
                mine[group] = _plus(mine[group], rate)

    def finish(self) -> MergedTable:
        """The table of the fleet."""
        merged, rank, groups = self._merged, _rank(self._table), self._groups
        numbers = list(self._keys.values())
        triples = zip(self._keys, numbers, groups.values(numbers), strict=True)
        named = [(key, number, values) for key, number, values in triples if key is not None]
        named.sort(key=lambda item: rank("", item[0], item[2]))
        merged.keys = [
            KeyTotal(
                key,
                values if self._hosts[number] == 1 else _without_last(self._table, values),
                self._rates_of(number),
                self._hosts[number],
                groups.rows[number],
            )
            for key, number, values in named
        ]
        late = self._keys.get(None)
        if late is not None:
            (values,) = groups.values([late])
            merged.other_keys = Total(values, self._rates_of(late), groups.rows[late], 0, True)
        everything = [number for _, number, _ in named] + ([] if late is None else [late])
        total = self._sum_up(everything, len(named)) if everything else None
        several = len(everything) > 1 or len(merged.hosts) > 1
        merged.total = _only_folded(self._table, total) if total and several else total
        merged.hosts.sort(key=lambda item: rank(item.host, (), item.total.values))
        return merged

    def _rates_of(self, group: int) -> Rates:
        return self._groups.in_rows([rates[group] for rates in self._rates])

    def _sum_up(self, everything: Sequence[int], keys: int) -> Total:
        whole = self._groups.together(everything)
        (values,), (parts,) = whole.values([0]), whole.parts([0])
        sums = [functools.reduce(_plus, (rates[group] for group in everything)) for rates in self._rates]
        more = None in self._keys
        return Total(values, whole.in_rows(sums), whole.rows[0], keys, more, parts)


def _rank(table: Table) -> Callable[[str, Key, Cells], tuple[Any, ...]]:
    """A total order of rows: by the sort column, then by host and key. Rows without the value come last."""
    keys = [column.name for column in table.keys]
    by_key = keys.index(table.sort) if table.sort in keys else None
    measure = sort_measure(table)
    descending = table.descending or not table.sort

    def rank(host: str, key: Key, values: Cells) -> tuple[Any, ...]:
        names = tuple(_comparable(value) for value in key)
        if by_key is not None and by_key < len(key):
            first = _comparable(key[by_key])
            if descending:
                first = (first[0], -first[1], (*(-ord(c) for c in first[2]), 1))
            return (first, host, names)
        value = values[measure] if measure is not None else None
        if not isinstance(value, (int, float)):
            return ((1, 0), host, names)
        return ((0, -value if descending else value), host, names)

    return rank


def _comparable(value: Value) -> tuple[Any, ...]:
    """Numbers before texts, each among themselves."""
    return (0, value, "") if isinstance(value, (int, float)) else (1, 0, value)


# --- folding what is folded already ---


def foldable(table: Table) -> bool:
    """True if the merged values of several keys make one value for each measure."""
    return all(column.merge not in ("last", "p50", "p95", "p99") for column in table.printed)


def fold(table: Table, parts: Iterable[tuple[Cells, Rates, int]]) -> Total:
    """One line for several keys, of each its values, rates and records. What cannot be told any more is None."""
    items = [part for part in parts if part[2]]
    measures = _Measures(table)
    joined = [
        _fold_again(column, [(values[place], records) for values, _, records in items])
        for place, column in enumerate(measures.columns)
    ]
    records = sum(part[2] for part in items)
    rates = [_sum_known([rates[place] for _, rates, _ in items]) for place, _ in enumerate(table.measures)]
    return Total(measures.derive(tuple(joined), records), tuple(rates), records, len(items))


def _fold_again(column: Column, values: Sequence[tuple[Value | None, int]]) -> Value | None:
    """The merged values of one measure, with the records behind each."""
    known = [(value, records) for value, records in values if isinstance(value, (int, float))]
    if not values or len(known) < len(values):
        return None
    figures = [value for value, _ in known]
    how = column.merge or ("sum" if column.type in ("int", "float", "bytes", "duration") else "last")
    if how in ("sum", "count"):
        return sum(figures)
    if how in ("max", "min"):
        return max(figures) if how == "max" else min(figures)
    if how == "mean":
        mean = sum(value * records for value, records in known) / sum(records for _, records in known)
        return _whole(column, mean)
    return figures[0] if len(figures) == 1 else None


def _sum_known(rates: Sequence[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known and len(known) == len(rates) else None


# --- call trees ---


@dataclass(frozen=True)
class FleetNode:
    """A function with its chain of callers, over all hosts."""

    node: CallNode
    hosts: int


@dataclass(frozen=True)
class FleetTree:
    """The calls of one process name over all hosts, parents first, slowest first. more: nodes left out."""

    process: str
    nodes: tuple[FleetNode, ...]
    hosts: int
    unfinished: int = 0
    orphan_returns: int = 0
    more: int = 0

    @property
    def total_us(self) -> int:
        return sum(item.node.total_us for item in self.nodes if len(item.node.path) == 1)


def merge_calltrees(
    hosts: Iterable[tuple[str, Sequence[CallTree]]], max_nodes: int = MAX_CALL_NODES
) -> list[FleetTree]:
    """The trees of all hosts folded by process name and path; the slowest `max_nodes` per process are
    kept."""
    sums: dict[str, dict[tuple[str, ...], list[int]]] = {}
    seen: dict[str, list[int]] = {}
    for _host, trees in hosts:
        for tree in trees:
            account = seen.setdefault(tree.process, [0, 0, 0])
            account[0] += 1
            account[1] += tree.unfinished
            account[2] += tree.orphan_returns
            nodes = sums.setdefault(tree.process, {})
            for node in tree.nodes:
                into = nodes.setdefault(node.path, [0, 0, 0, 0, 0])
                figures = (node.count, node.total_us, node.self_us, node.unfinished, 1)
                for place, figure in enumerate(figures):
                    into[place] += figure
    merged = [_fleet_tree(process, nodes, seen[process], max_nodes) for process, nodes in sums.items()]
    return sorted(merged, key=lambda tree: (-tree.total_us, tree.process))


def _fleet_tree(
    process: str, nodes: dict[tuple[str, ...], list[int]], account: list[int], max_nodes: int
) -> FleetTree:
    kept = keep_slowest({path: figures[1] for path, figures in nodes.items()}, max_nodes)
    ordered = _depth_first({path: nodes[path] for path in kept})
    fleet = tuple(FleetNode(CallNode(path, f[0], f[1], f[2], f[3]), f[4]) for path, f in ordered)
    hosts, unfinished, orphan_returns = account
    return FleetTree(process, fleet, hosts, unfinished, orphan_returns, len(nodes) - len(kept))


def cut_tree(tree: CallTree, max_nodes: int) -> tuple[CallTree, int]:
    """The slowest `max_nodes` nodes of the tree, each with its callers, and how many were left out."""
    if len(tree.nodes) <= max_nodes:
        return tree, 0
    kept = keep_slowest({node.path: node.total_us for node in tree.nodes}, max_nodes)
    nodes = tuple(node for node in tree.nodes if node.path in kept)
    return CallTree(tree.process, nodes, tree.unfinished, tree.orphan_returns), len(tree.nodes) - len(nodes)


def keep_slowest(times: Mapping[tuple[str, ...], int], most: int) -> set[tuple[str, ...]]:
    """Paths of the slowest functions, each with all of its callers, `most` at the most."""
    if len(times) <= most:
        return set(times)
    kept: set[tuple[str, ...]] = set()
    for path in sorted(times, key=lambda path: (-times[path], len(path), path)):
        chain = {path[:depth] for depth in range(1, len(path) + 1) if path[:depth] in times} - kept
        if len(kept) + len(chain) <= most:
            kept |= chain
    return kept


def _depth_first(nodes: Mapping[tuple[str, ...], list[int]]) -> list[tuple[tuple[str, ...], list[int]]]:
    """Parents before children, slowest sibling first; without recursion, traces may be deep."""
    children: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for path in nodes:
        children.setdefault(path[:-1], []).append(path)

    def slowest_last(parent: tuple[str, ...]) -> list[tuple[str, ...]]:
        return sorted(children.get(parent, ()), key=lambda p: (nodes[p][1], nodes[p][0], p[-1]))

    ordered: list[tuple[tuple[str, ...], list[int]]] = []
    pending = slowest_last(())
    while pending:
        path = pending.pop()
        ordered.append((path, nodes[path]))
        pending.extend(slowest_last(path))
    return ordered
