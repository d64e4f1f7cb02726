# SPDX-License-Identifier: GPL-3.0-or-later
"""Many numbers in the room of a few letters: the course of a measure over the window, and histograms.

A sign of a line is an eighth of the line's height; nothing at all is a dot, so that it cannot be overlooked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import keys, results
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Table, View

SIGNS = "▁▂▃▄▅▆▇█"
NONE = "·"
UNKNOWN = " "
MOST_SIGNS = 30


# --- over the window ---


def first_to_last(merged: results.MergedTable) -> range:
    """Return the numbers of all intervals, from 1."""
    return range(
        1, 1 + max((number for host in merged.hosts for number, _unused in host.intervals), default=0)
    )


def adds_up(table: Table, place: int) -> bool:
    """Return whether an interval without a record is one with nothing, and hosts may be added up."""
    column = table.measures[place]
    return column.ratio is None and column.merge in ("sum", "count", "records", "")


def values(
    intervals: Iterable[tuple[int, keys.Cells]], numbers: range, place: int, missing: float | None
) -> list[float | None]:
    """Return one measure in each interval."""
    known = dict(intervals)
    found = [known[number][place] if number in known else missing for number in numbers]
    return [value if isinstance(value, (int, float)) else missing for value in found]


def added(lines: Sequence[Sequence[float | None]]) -> list[float | None]:
    """Return, interval by interval, the sum of all lines."""
    return [sum(value or 0 for value in column) for column in zip(*lines, strict=True)]


def packed(line: Sequence[float | None], most: int = MOST_SIGNS) -> tuple[list[float | None], int]:
    """Return as many values as have room, each the highest of as many as the second number says."""
    each = max(1, math.ceil(len(line) / most))
    parts = [line[start : start + each] for start in range(0, len(line), each)]
    return [max((value for value in part if value is not None), default=None) for part in parts], each


def line(figures: Iterable[float | None], top: float) -> str:
    """Return figures from 0 to `top` as signs."""
    return "".join(_sign(figure, top) for figure in figures)


def _sign(figure: float | None, top: float) -> str:
    if figure is None:
        return UNKNOWN
    if figure <= 0 or top <= 0:
        return NONE
    return SIGNS[min(7, max(0, math.ceil(figure / top * 8) - 1))]


# --- histograms ---


@dataclass(frozen=True)
class Spread:
    """How often each bucket was met, on one host (or on all: host is empty) for one combination of the other keys."""

    host: str
    key: keys.Key
    counts: Mapping[float, float]

    @property
    def total(self) -> float:
        return sum(self.counts.values())

    def reached(self, share: float) -> float:
        """Return the lower bound of the bucket in which this share of all is reached."""
        wanted, seen = share * self.total, 0.0
        for bound in sorted(self.counts):
            seen += self.counts[bound]
            if seen >= wanted:
                return bound
        return max(self.counts)

    @property
    def largest(self) -> float:
        return max(bound for bound, count in self.counts.items() if count)


def histogram(table: Table) -> View | None:
    """Return the view that makes this table a histogram or heat map; None if there is none."""
    return next((view for view in table.views if view.kind in ("histogram", "heatmap")), None)


def bucket_place(table: Table, view: View) -> int:
    return [column.name for column in table.keys].index(view.bucket)


def spreads(merged: results.MergedTable, view: View) -> tuple[list[Spread], list[Spread]]:
    """Return spreads by host and key, and by key over all hosts; those that reach furthest first."""
    place = [column.name for column in merged.table.measures].index(view.measure)
    at = bucket_place(merged.table, view)
    rows = [(row.host, row.key, row.values[place]) for host in merged.hosts for row in host.rows]
    fleet = [("", total.key, total.values[place]) for total in merged.keys]
    return _spreads(rows, at), _spreads(fleet, at)


def _spreads(rows: Iterable[tuple[str, keys.Key, object]], at: int) -> list[Spread]:
    found: dict[tuple[str, keys.Key], dict[float, float]] = {}
    for host, key, count in rows:
        bound = key[at]
        if isinstance(bound, (int, float)) and isinstance(count, (int, float)) and count > 0:
            counts = found.setdefault((host, (*key[:at], *key[at + 1 :])), {})
            counts[bound] = counts.get(bound, 0) + count
    listed = [Spread(host, key, counts) for (host, key), counts in found.items()]
    return sorted(listed, key=lambda item: (-item.reached(0.99), -item.total, item.host, str(item.key)))


def bars(spread: Spread, bounds: Sequence[float]) -> str:
    """Return the counts of these buckets as signs of logarithmic height: the few slow ones are the point."""
    top = math.log1p(max(spread.counts.values()))
    shown = bounds if len(bounds) <= MOST_SIGNS else bounds[-MOST_SIGNS:]
    return line((math.log1p(spread.counts.get(bound, 0)) for bound in shown), top)
