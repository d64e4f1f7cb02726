# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of one table grouped by key, each measure folded by its aggregate, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.aggregates import (
    Last,
    Parts,
    Whens,
    fold_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.keys import Cells, Key, Rates
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Table, Value


class Measures:
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
        """Return the values that the states of one printed measure come to."""
        end, column = self.folds[place].end, self.columns[place]
        return states if end is None else [whole(column, end(state)) for state in states]

    def derive(self, printed: Cells, records: int) -> Cells:
        """Return the values of the printed measures, and behind them those of the derived ones."""
        if not self._derived:
            return printed
        return (*printed, *(self._derive(column, printed, records) for column in self._derived))

    def _derive(self, column: Column, printed: Cells, records: int) -> Value | None:
        if column.ratio is None:
            return records
        top, bottom = (printed[self._places[name]] for name in column.ratio)
        if not isinstance(top, (int, float)) or not isinstance(bottom, (int, float)) or not bottom:
            return None
        return whole(column, top / bottom * (100 if column.unit == "%" else 1))

    def rates(self, values: Cells, sampled_s: float | None) -> Rates:
        """Return the values per sampled second of the rated measures; None for the others."""
        return self.in_rows([rate(values[place], sampled_s) for place in self.rated])

    def in_rows(self, rated: Sequence[float | None]) -> Rates:
        """Return a rate or None for every measure, from those of the rated ones."""
        if not rated:
            return self.nothing  # type: ignore[return-value] # there is nothing but None in it
        rates: list[float | None] = [None] * len(self.nothing)
        for place, rate in zip(self.rated, rated, strict=True):
            rates[place] = rate
        return tuple(rates)


def whole(column: Column, value: Value | None) -> Value | None:
    return round(value) if column.type in ("int", "bytes") and isinstance(value, float) else value


def rate(value: Value | None, sampled_s: float | None) -> float | None:
    return value / sampled_s if sampled_s and isinstance(value, (int, float)) else None


def plus(first: float | None, second: float | None) -> float | None:
    """Return the sum of two rates; None if one of them is not known."""
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


class Groups:
    """The states of many groups, numbered from 0, and how many rows each has."""

    def __init__(self, measures: Measures) -> None:
        self._measures = measures
        self._states = [fold.begin() for fold in measures.folds]
        self.rows: list[int] = []

    def new(self, count: int = 1) -> range:
        """Add so many empty groups and return their numbers."""
        for states in self._states:
            states.grow(count)
        first = len(self.rows)
        self.rows.extend([0] * count)
        return range(first, first + count)

    def add(self, groups: Sequence[int], columns: Sequence[Sequence[Any]], whens: Whens) -> None:
        """Add each row to its group. columns: the values of each measure."""
        for states, values in zip(self._states, columns, strict=True):
            states.add(groups, values, whens)
        rows = self.rows
        for group in groups:
            rows[group] += 1

    def add_all(self, group: int, columns: Sequence[Sequence[Any]], whens: Whens, rows: int) -> None:
        """Add all rows to one group."""
        for states, values in zip(self._states, columns, strict=True):
            states.add_all(group, values, whens)
        self.rows[group] += rows

    def join(self, groups: Sequence[int], states: Sequence[Sequence[Any]], rows: Sequence[int]) -> None:
        """Join each of other groups, as `states` gives them, to one of these. rows: how many each of the others has."""
        for mine, others in zip(self._states, states, strict=True):
            mine.join(groups, others)
        for group, count in zip(groups, rows, strict=True):
            self.rows[group] += count

    def states(self, groups: Sequence[int]) -> list[list[Any]]:
        """Return for each printed measure the states of these groups."""
        rows = self.rows_of(groups)
        return [states.states(groups, rows) for states in self._states]

    def rows_of(self, groups: Sequence[int]) -> list[int]:
        return list(map(self.rows.__getitem__, groups))

    def values(self, groups: Sequence[int]) -> list[Cells]:
        """Return for each of these groups one value per measure of the table: printed, then derived."""
        rows, derive = self.rows_of(groups), self._measures.derive
        ended = [self._measures.ended(place, states) for place, states in enumerate(self.states(groups))]
        printed: Iterable[Cells] = zip(*ended, strict=True) if ended else [()] * len(rows)
        return [derive(cells, count) for cells, count in zip(printed, rows, strict=True)]

    def parts(self, groups: Sequence[int]) -> list[tuple[Parts | None, ...]]:
        """Return for each group what the records of each printed measure are like; empty tuples if that is not kept."""
        if not self._measures.weighed:
            return [()] * len(groups)
        columns = [
            [None if fold.parts is None else fold.parts(state) for state in states]
            for fold, states in zip(self._measures.folds, self.states(groups), strict=True)
        ]
        return list(zip(*columns, strict=True)) if columns else [()] * len(groups)

    @property
    def width(self) -> int:
        """Return how many measures the table has."""
        return len(self._measures.nothing)

    @property
    def rated(self) -> Sequence[int]:
        """Return the positions of the measures that are shown per second too."""
        return self._measures.rated

    def rates(self, values: Cells, sampled_s: float | None) -> Rates:
        return self._measures.rates(values, sampled_s)

    def in_rows(self, rated: Sequence[float | None]) -> Rates:
        return self._measures.in_rows(rated)

    def together(self, groups: Sequence[int]) -> Groups:
        """Return new groups of which the only one, number 0, is these together."""
        whole = Groups(self._measures)
        whole.join([*whole.new()] * len(groups), self.states(groups), self.rows_of(groups))
        return whole


class Budget:
    """How many keys more are kept."""

    def __init__(self, keys: int) -> None:
        self.left = keys


class Keys(dict[Key | None, int]):
    """The number of each key's group. Those for which there is no room are one group, that of None."""

    def __init__(self, groups: Groups, room: Budget) -> None:
        super().__init__()
        self._groups = groups
        self._room = room

    def numbers(self, keys: Sequence[Key | None]) -> Sequence[int]:
        """Return the number of each row's group; a new key gets a group of its own while there is room."""
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
