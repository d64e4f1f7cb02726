# SPDX-License-Identifier: GPL-3.0-or-later
"""How the values of one measure are folded into one: a column at a time, for many groups at once.

`States` hold one state for each group, numbered from 0. A state that leaves them (to be joined with that
of another host, and to become a value in the end) is plain data. Values are added in the order of their rows, so
that floats come out the same however the rows were cut into batches.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import model
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Value

Whens = Sequence[Any]
"""Of each row, what says which of two is the later; only `last` looks at it."""


class Parts(NamedTuple):
    """What the records of a sum or a mean are like: the largest of their values, and the sum of their squares."""

    largest: float
    squares: float


# --- states of many groups ---


class States:
    """One state for each group of one measure."""

    def grow(self, count: int) -> None:
        """Make room for so many groups more, in which there is nothing yet."""
        raise NotImplementedError

    def add(self, groups: Iterable[int], values: Sequence[Any], whens: Whens) -> None:
        """Add each value to its group."""
        raise NotImplementedError

    def add_all(self, group: int, values: Sequence[Any], whens: Whens) -> None:
        """Add all values to one group."""
        self.add([group] * len(values), values, whens)

    def join(self, groups: Iterable[int], states: Sequence[Any]) -> None:
        """Join each state, as `states` gives them, to that of its group."""
        self.add(groups, states, states)

    def states(self, groups: Sequence[int], rows: Sequence[int]) -> list[Any]:
        """Return the states of these groups as plain data. rows: how many each has."""
        raise NotImplementedError


class _Sum(States):
    def __init__(self, exact: bool) -> None:
        self.sums: list[Any] = []
        self._exact = exact  # whole numbers may be added in any way; builtin sum() rounds floats in its own

    def grow(self, count: int) -> None:
        self.sums.extend([0] * count)

    def add(self, groups: Iterable[int], values: Sequence[Any], _whens: Whens) -> None:
        sums = self.sums
        for group, value in zip(groups, values, strict=True):
            sums[group] += value

    def add_all(self, group: int, values: Sequence[Any], _whens: Whens) -> None:
        known = self.sums[group]
        self.sums[group] = (
            sum(values, known) if self._exact else functools.reduce(operator.add, values, known)
        )

    def states(self, groups: Sequence[int], _rows: Sequence[int]) -> list[Any]:
        return list(map(self.sums.__getitem__, groups))


class _Mean(_Sum):
    """A state is (sum, rows)."""

    def join(self, groups: Iterable[int], states: Sequence[Any]) -> None:
        self.add(groups, [state[0] for state in states], ())

    def states(self, groups: Sequence[int], rows: Sequence[int]) -> list[Any]:
        return list(zip(super().states(groups, rows), rows, strict=True))


class _Weighed(_Sum):
    """A sum that also keeps what its records are like. A state is (sum, rows, the largest, sum of squares)."""

    def __init__(self, exact: bool) -> None:
        super().__init__(exact)
        self.largest: list[Any] = []
        self.squares: list[float] = []

    def grow(self, count: int) -> None:
        super().grow(count)
        self.largest.extend([-math.inf] * count)
        self.squares.extend([0.0] * count)

    def add(self, groups: Iterable[int], values: Sequence[Any], _whens: Whens) -> None:
        sums, largest, squares = self.sums, self.largest, self.squares
        for group, value in zip(groups, values, strict=True):
            sums[group] += value
            if value > largest[group]:
                largest[group] = value
            squares[group] += float(value) * value

    def add_all(self, group: int, values: Sequence[Any], whens: Whens) -> None:
        super().add_all(group, values, whens)
        self.largest[group] = max(self.largest[group], *values)
        products = map(operator.mul, map(float, values), values)
        self.squares[group] = functools.reduce(operator.add, products, self.squares[group])

    def join(self, groups: Iterable[int], states: Sequence[Any]) -> None:
        for group, (total, _unused, largest, squares) in zip(groups, states, strict=True):
            self.sums[group] += total
            self.largest[group] = max(self.largest[group], largest)
            self.squares[group] += squares

    def states(self, groups: Sequence[int], rows: Sequence[int]) -> list[Any]:
        return [
            (self.sums[group], count, self.largest[group], self.squares[group])
            for group, count in zip(groups, rows, strict=True)
        ]


class _Largest(States):
    def __init__(self) -> None:
        self.found: list[Any] = []

    def grow(self, count: int) -> None:
        self.found.extend([-math.inf] * count)

    def add(self, groups: Iterable[int], values: Sequence[Any], _whens: Whens) -> None:
        found = self.found
        for group, value in zip(groups, values, strict=True):
            if value > found[group]:
                found[group] = value

    def add_all(self, group: int, values: Sequence[Any], _whens: Whens) -> None:
        self.found[group] = max(self.found[group], *values)

    def states(self, groups: Sequence[int], _rows: Sequence[int]) -> list[Any]:
        return list(map(self.found.__getitem__, groups))


class _Smallest(_Largest):
    def grow(self, count: int) -> None:
        self.found.extend([math.inf] * count)

    def add(self, groups: Iterable[int], values: Sequence[Any], _whens: Whens) -> None:
        found = self.found
        for group, value in zip(groups, values, strict=True):
            if value < found[group]:
                found[group] = value

    def add_all(self, group: int, values: Sequence[Any], _whens: Whens) -> None:
        self.found[group] = min(self.found[group], *values)


class _Count(States):
    """Rows are counted already."""

    def grow(self, count: int) -> None:
        pass

    def add(self, groups: Iterable[int], values: Sequence[Any], _whens: Whens) -> None:
        pass

    def states(self, _groups: Sequence[int], rows: Sequence[int]) -> list[Any]:
        return list(rows)


class Last(States):
    """A state is (when, value); of two at the same time the later in order stays."""

    def __init__(self) -> None:
        self.found: list[tuple[Any, Any]] = []

    def grow(self, count: int) -> None:
        self.found.extend([((-math.inf,), None)] * count)

    def add(self, groups: Iterable[int], values: Sequence[Any], whens: Whens) -> None:
        self.join(groups, list(zip(whens, values, strict=True)))

    def join(self, groups: Iterable[int], states: Sequence[Any]) -> None:
        found = self.found
        for group, state in zip(groups, states, strict=True):
            if state[0] >= found[group][0]:
                found[group] = state

    def states(self, groups: Sequence[int], _rows: Sequence[int]) -> list[Any]:
        return list(map(self.found.__getitem__, groups))


# A state of a percentile is {bucket: values}, the buckets 2 % wide: it merges without error, in any order.
_BUCKET = math.log(1.02)


class _Buckets(States):
    def __init__(self) -> None:
        self.counts: list[dict[int | None, int]] = []

    def grow(self, count: int) -> None:
        self.counts.extend({} for _unused in range(count))

    def add(self, groups: Iterable[int], values: Sequence[Any], _whens: Whens) -> None:
        for group, value in zip(groups, values, strict=True):
            # None holds what has no logarithm: zero and less.
            bucket = math.floor(math.log(value) / _BUCKET) if value > 0 else None
            counts = self.counts[group]
            counts[bucket] = counts.get(bucket, 0) + 1

    def join(self, groups: Iterable[int], states: Sequence[Any]) -> None:
        for group, state in zip(groups, states, strict=True):
            counts = self.counts[group]
            for bucket, count in state.items():
                counts[bucket] = counts.get(bucket, 0) + count

    def states(self, groups: Sequence[int], _rows: Sequence[int]) -> list[Any]:
        return list(map(self.counts.__getitem__, groups))


# --- one measure ---


@dataclass(frozen=True)
class Fold:
    """begin: makes the states; end: state -> value, None if it is one.

    parts: state -> what its records are like, where a total must be told from what one record made of it.
    """

    begin: Callable[[], States]
    end: Callable[[Any], Value | None] | None = None
    parts: Callable[[Any], Parts] | None = None


def _percentile(share: float) -> Fold:
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

    return Fold(_Buckets, end)


def _parts(state: tuple[Any, int, Any, float]) -> Parts:
    return Parts(state[2], state[3])


_EXACT = ("int", "bytes", "bool", "timestamp")
_FOLDS: dict[str, Fold] = {
    "max": Fold(_Largest),
    "min": Fold(_Smallest),
    "count": Fold(_Count),
    "last": Fold(Last, lambda state: state[1]),
    "p50": _percentile(0.50),
    "p95": _percentile(0.95),
    "p99": _percentile(0.99),
}


def fold_of(column: model.Column, weighed: bool = False) -> Fold:
    """Return how the values of a measure become one. weighed: sums and means keep what their records are like."""
    how = column.merge or ("last" if column.type in ("string", "path", "bool", "timestamp") else "sum")
    exact = column.type in _EXACT
    if how == "sum":
        if weighed:
            return Fold(functools.partial(_Weighed, exact), lambda state: state[0], _parts)
        return Fold(functools.partial(_Sum, exact))
    if how == "mean":
        begin = functools.partial(_Weighed if weighed else _Mean, exact)
        return Fold(begin, lambda state: state[0] / state[1], _parts if weighed else None)
    return _FOLDS[how]
