# SPDX-License-Identifier: GPL-3.0-or-later
"""Many rows of many hosts -> one table with the host in front, with totals per host, per key and of the
fleet.

Rows are folded as they come, so memory grows with the number of distinct keys and not with the rows; keys
beyond a cap are folded into one explicit `other` (key None, so that no process called "(other)" can pass for
it). Hosts are folded one after the other in the order of their names: the result does not depend on the
order they are given in.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.model import (
    CallNode,
    CallTree,
    Column,
    Row,
    Table,
    Value,
)

MAX_KEYS = 50_000
"""Distinct keys kept per host and table, and per table of the fleet."""
MAX_ROWS_PER_HOST = 5_000
MAX_SERIES_PER_HOST = 50
"""Rows of a host, from the top, whose values per interval are kept."""
MAX_INTERVAL_KEYS = 4 * MAX_KEYS
MAX_CALL_NODES = 5_000

Key = tuple[Value, ...]
Cells = tuple[Value | None, ...]
Rates = tuple[float | None, ...]


# --- how one measure is folded ---


class Parts(NamedTuple):
    """What the records of a sum or a mean are like: the largest of their values, and the sum of their squares."""

    largest: float
    squares: float


@dataclass(frozen=True)
class _Fold:
    """begin: value -> state; add: state, value -> state; join: two states -> state; end: state -> value.

    parts: state -> what its records are like, where a total must be told from what one record made of it.
    """

    begin: Callable[[Any, Any], Any]
    add: Callable[[Any, Any, Any], Any]
    join: Callable[[Any, Any], Any]
    end: Callable[[Any], Value | None]
    parts: Callable[[Any], Parts] | None = None


def _same(state: Any) -> Any:
    return state


_FOLDS: dict[str, _Fold] = {
    "sum": _Fold(lambda v, _: v + 0, lambda s, v, _: s + v, lambda a, b: a + b, _same),
    "max": _Fold(lambda v, _: v, lambda s, v, _: max(v, s), max, _same),
    "min": _Fold(lambda v, _: v, lambda s, v, _: min(v, s), min, _same),
    "mean": _Fold(
        lambda v, _: (v, 1),
        lambda s, v, _: (s[0] + v, s[1] + 1),
        lambda a, b: (a[0] + b[0], a[1] + b[1]),
        lambda s: s[0] / s[1],
    ),
    "count": _Fold(lambda _v, _: 1, lambda s, _v, _: s + 1, lambda a, b: a + b, _same),
    # A state of `last` is (when, value); of two at the same time the later in order stays.
    "last": _Fold(
        lambda v, when: (when, v),
        lambda s, v, when: (when, v) if when >= s[0] else s,
        lambda a, b: b if b[0] >= a[0] else a,
        lambda s: s[1],
    ),
}


# Where hosts are compared, a sum keeps what its records are like: (sum, values, the largest, sum of squares).
def _first(value: Any, _when: Any) -> tuple[Any, int, Any, float]:
    return value + 0, 1, value, float(value) * value


def _further(state: tuple[Any, int, Any, float], value: Any, _when: Any) -> tuple[Any, int, Any, float]:
    total, count, largest, squares = state
    return total + value, count + 1, max(largest, value), squares + float(value) * value


def _both(a: tuple[Any, int, Any, float], b: tuple[Any, int, Any, float]) -> tuple[Any, int, Any, float]:
    return a[0] + b[0], a[1] + b[1], max(a[2], b[2]), a[3] + b[3]


def _parts(state: tuple[Any, int, Any, float]) -> Parts:
    return Parts(state[2], state[3])


_COMPARED_FOLDS = {
    "sum": _Fold(_first, _further, _both, lambda s: s[0], _parts),
    "mean": _Fold(_first, _further, _both, lambda s: s[0] / s[1], _parts),
}


# A state of a percentile is {bucket: values}, the buckets 2 % wide: it merges without error, in any order.
_BUCKET = math.log(1.02)


def _bucket(value: float) -> int | None:
    """None holds what has no logarithm: zero and less."""
    return math.floor(math.log(value) / _BUCKET) if value > 0 else None


def _count_in(state: dict[int | None, int], value: float) -> dict[int | None, int]:
    bucket = _bucket(value)
    state[bucket] = state.get(bucket, 0) + 1
    return state


def _joined(first: Mapping[int | None, int], second: Mapping[int | None, int]) -> dict[int | None, int]:
    return {bucket: first.get(bucket, 0) + second.get(bucket, 0) for bucket in {**first, **second}}


def _percentile(share: float) -> _Fold:
    def end(state: Mapping[int | None, int]) -> float:
        wanted, seen = share * sum(state.values()), state.get(None, 0)
        if seen >= wanted:
            return 0.0
        ordered = sorted(bucket for bucket in state if bucket is not None)
        for bucket in ordered:
            seen += state[bucket]
            if seen >= wanted:
                return math.exp((bucket + 0.5) * _BUCKET)
        return math.exp((ordered[-1] + 0.5) * _BUCKET)

    return _Fold(lambda v, _: _count_in({}, v), lambda s, v, _: _count_in(s, v), _joined, end)


_FOLDS.update({"p50": _percentile(0.50), "p95": _percentile(0.95), "p99": _percentile(0.99)})


def _fold_of(column: Column, compared: bool = False) -> _Fold:
    """compared: measures of its table are compared between hosts."""
    how = column.merge or ("last" if column.type in ("string", "path", "bool", "timestamp") else "sum")
    return _COMPARED_FOLDS[how] if compared and how in _COMPARED_FOLDS else _FOLDS[how]


class _Measures:
    """How the measures of a table fold, and what is computed from them afterwards."""

    def __init__(self, table: Table) -> None:
        self.columns = table.printed
        self._compared = any(column.compare is not None for column in table.measures)
        self.folds = [_fold_of(column, self._compared) for column in self.columns]
        self._derived = table.derived
        self._places = {column.name: place for place, column in enumerate(self.columns)}

    def values(self, group: _Group) -> Cells:
        """One value per measure of the table: printed, then derived."""
        printed = tuple(
            _whole(column, fold.end(state))
            for column, fold, state in zip(self.columns, self.folds, group.states, strict=True)
        )
        return self.derive(printed, group.rows)

    def parts(self, group: _Group) -> tuple[Parts | None, ...]:
        """What the records of each printed measure are like; empty where none is compared."""
        if not self._compared:
            return ()
        pairs = zip(self.folds, group.states, strict=True)
        return tuple(fold.parts(state) if fold.parts is not None else None for fold, state in pairs)

    def derive(self, printed: Cells, records: int) -> Cells:
        """The printed measures, and behind them those that follow from them."""
        return (*printed, *(self._derive(column, printed, records) for column in self._derived))

    def _derive(self, column: Column, printed: Cells, records: int) -> Value | None:
        if column.ratio is None:
            return records
        top, bottom = (printed[self._places[name]] for name in column.ratio)
        if not isinstance(top, (int, float)) or not isinstance(bottom, (int, float)) or not bottom:
            return None
        return _whole(column, top / bottom * (100 if column.unit == "%" else 1))


def _whole(column: Column, value: Value | None) -> Value | None:
    return round(value) if column.type in ("int", "bytes") and isinstance(value, float) else value


@dataclass
class _Group:
    """The folded rows of one key: one state per printed measure, and how many rows and hosts there were."""

    states: list[Any]
    rows: int = 1
    hosts: int = 0
    rates: list[float | None] = field(default_factory=list)


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


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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
    """

    probe: str
    table: Table
    interval_s: float | None
    hosts: list[HostTable] = field(default_factory=list)
    keys: list[KeyTotal] = field(default_factory=list)
    other_keys: Total | None = None
    total: Total | None = None
    joined: bool = False

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
    step_ms = interval_s * 1000 if interval_s else None

    def number(row: Row) -> int | None:
        if not table.interval:
            return None
        if row.interval is not None:
            return row.interval + 1
        if step_ms is None or row.t_ms is None:
            return None
        # Rows of an interval are printed when it ends, or a little later on a busy machine.
        grace = min(1000.0, step_ms / 4)
        return max(1, math.ceil((row.t_ms - grace) / step_ms))

    return number


# --- folding ---


class HostMerger:
    """Folds the rows of one table of one session."""

    def __init__(self, table: Table, interval_s: float | None = None, max_keys: int = MAX_KEYS) -> None:
        self._table = table
        self._number = numbering(table, interval_s)
        self._max_keys = max_keys
        self._max_interval_keys = max_keys * 4
        columns = list(enumerate(table.columns))
        self._key_places = [place for place, column in columns if column.is_key]
        self._fold = _Measures(table)
        places = [place for place, column in columns if not column.is_key]
        self._measures = list(zip(places, self._fold.folds, strict=True))
        self._groups: dict[Key | None, _Group] = {}
        self._intervals: dict[int, dict[Key | None, _Group]] = {}
        self._interval_keys = 0
        self._interval_totals: dict[int, _Group] = {}
        self._total: _Group | None = None

    def add(self, row: Row) -> None:
        """Fold one row in."""
        values = row.values
        key: Key | None = tuple(values[place] for place in self._key_places)
        when = (row.interval if row.t_ms is None and row.interval is not None else row.t_ms or 0, row.seq)
        if key not in self._groups and len(self._groups) >= self._max_keys:
            key = None
        self._into(self._groups, key, values, when)
        self._total = self._grown(self._total, values, when)
        number = self._number(row)
        if number is None:
            return
        groups = self._intervals.setdefault(number, {})
        if key not in groups:
            if self._interval_keys >= self._max_interval_keys:
                key = None
            else:
                self._interval_keys += 1
        self._into(groups, key, values, when)
        self._interval_totals[number] = self._grown(self._interval_totals.get(number), values, when)

    def _into(self, groups: dict[Any, _Group], key: Key | None, values: Key, when: Any) -> None:
        groups[key] = self._grown(groups.get(key), values, when)

    def _grown(self, group: _Group | None, values: Key, when: Any) -> _Group:
        if group is None:
            return _Group([fold.begin(values[place], when) for place, fold in self._measures])
        states = group.states
        for position, (place, fold) in enumerate(self._measures):
            states[position] = fold.add(states[position], values[place], when)
        group.rows += 1
        return group

    @property
    def groups(self) -> Mapping[Key | None, _Group]:
        """By key; None holds what came after the cap."""
        return self._groups

    def finish(self, host: str, sampled_s: float | None, max_rows: int = MAX_ROWS_PER_HOST) -> HostTable:
        """The host's table, rows sorted and cut to `max_rows`. sampled_s: seconds really sampled, if
        known."""
        rank, values_of = _rank(self._table), self._fold.values
        named = [(key, group, values_of(group)) for key, group in self._groups.items() if key is not None]
        named.sort(key=lambda item: rank(host, item[0], item[2]))
        rows = [
            MergedRow(
                host,
                key,
                values,
                _rates(self._table, values, sampled_s),
                group.rows,
                self._series(key) if place < MAX_SERIES_PER_HOST else (),
                self._fold.parts(group),
            )
            for place, (key, group, values) in enumerate(named[:max_rows])
        ]
        rest = [group for _, group, _ in named[max_rows:]]
        late = self._groups.get(None)
        every = self._total
        return HostTable(
            host=host,
            rows=rows,
            total=self._sum_up([every] if every else [], sampled_s, len(named), late is not None),
            other=self._sum_up([*rest, *([late] if late else [])], sampled_s, len(rest), late is not None)
            if rest or late
            else None,
            intervals=tuple(
                (number, values_of(group)) for number, group in sorted(self._interval_totals.items())
            ),
        )

    def _series(self, key: Key) -> tuple[tuple[int, Cells], ...]:
        return tuple(
            (number, self._fold.values(groups[key]))
            for number, groups in sorted(self._intervals.items())
            if key in groups
        )

    def _sum_up(self, groups: Sequence[_Group], sampled_s: float | None, keys: int, more: bool) -> Total:
        joined = _join_all(self._fold.folds, groups)
        if joined is None:
            empty = (None,) * len(self._table.measures)
            return Total(empty, empty, 0, 0)
        values = self._fold.values(joined)
        rates = _rates(self._table, values, sampled_s)
        return Total(values, rates, joined.rows, keys, more, self._fold.parts(joined))


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
    ) -> None:
        self._table = table
        self._max_keys = max_keys
        self._max_rows = max_rows
        self._fold = _Measures(table)
        self._groups: dict[Key | None, _Group] = {}
        self._merged = MergedTable(probe, table, interval_s if table.interval else None)

    def add(self, host: str, merger: HostMerger, sampled_s: float | None) -> None:
        """Fold a host in. sampled_s: seconds it really sampled, or None if that is not known."""
        self._merged.hosts.append(merger.finish(host, sampled_s, self._max_rows))
        for key, group in merger.groups.items():
            place = key if key in self._groups or len(self._groups) < self._max_keys else None
            rates = list(_rates(self._table, self._fold.values(group), sampled_s))
            known = self._groups.get(place)
            if known is None:
                self._groups[place] = _Group(list(group.states), group.rows, 1, rates)
            else:
                _join(self._fold.folds, known, group)
                known.hosts += 1
                known.rates = [_plus(a, b) for a, b in zip(known.rates, rates, strict=True)]

    def finish(self) -> MergedTable:
        """The table of the fleet."""
        merged, rank = self._merged, _rank(self._table)
        other = self._groups.get(None)
        named = [
            (key, group, self._fold.values(group)) for key, group in self._groups.items() if key is not None
        ]
        named.sort(key=lambda item: rank("", item[0], item[2]))
        merged.keys = [
            KeyTotal(key, values, tuple(group.rates), group.hosts, group.rows) for key, group, values in named
        ]
        if other is not None:
            merged.other_keys = Total(self._fold.values(other), tuple(other.rates), other.rows, 0, True)
        groups = [*(group for _, group, _ in named), *([other] if other else [])]
        merged.total = _fleet_total(self._fold, groups, len(named), other is not None)
        merged.hosts.sort(key=lambda item: rank(item.host, (), item.total.values))
        return merged


def _fleet_total(fold: _Measures, groups: Iterable[_Group], keys: int, more: bool) -> Total | None:
    everything = list(groups)
    joined = _join_all(fold.folds, everything)
    if joined is None:
        return None
    rates = everything[0].rates
    for group in everything[1:]:
        rates = [_plus(a, b) for a, b in zip(rates, group.rates, strict=True)]
    return Total(fold.values(joined), tuple(rates), joined.rows, keys, more)


def _join_all(folds: Sequence[_Fold], groups: Sequence[_Group]) -> _Group | None:
    if not groups:
        return None
    joined = _Group(list(groups[0].states), groups[0].rows)
    for group in groups[1:]:
        _join(folds, joined, group)
    return joined


def _join(folds: Sequence[_Fold], into: _Group, group: _Group) -> None:
    for position, fold in enumerate(folds):
        into.states[position] = fold.join(into.states[position], group.states[position])
    into.rows += group.rows


def _rates(table: Table, values: Cells, sampled_s: float | None) -> Rates:
    """Per sampled second, for the columns that want it."""

    def rate(column: Column, value: Value | None) -> float | None:
        known = column.rate and sampled_s and isinstance(value, (int, float))
        return value / sampled_s if known and sampled_s and isinstance(value, (int, float)) else None

    return tuple(rate(column, value) for column, value in zip(table.measures, values, strict=True))


def _plus(first: float | None, second: float | None) -> float | None:
    """The sum of two rates; unknown when one of them is."""
    return None if first is None or second is None else first + second


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
