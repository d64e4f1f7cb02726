# SPDX-License-Identifier: GPL-3.0-or-later
"""Histograms: a table whose rows have a bucket among their keys -> counts per bucket of the fleet, of each host
and of each interval.

What the other keys say (a device, an operation) is one of `groups`. A count stands at `group * buckets +
bucket`; lists of counts alternate between such a place and a count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import keys, results
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Column,
    Table,
    Value,
    View,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import packed
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import values as figures

MAX_BUCKETS = 64
MAX_GROUPS = 12
"""Combinations of the other keys that can be chosen; the others are in the sum only."""
TIMED_HOSTS = 40
"""Hosts whose counts per interval are in the page; of more only the fleet's."""
_COUNT_BYTES = 9

Flat = list[packed.Json]


def view(
    merged: results.MergedTable, hosts: Mapping[str, int], asked: View, place: int, room: int
) -> Iterable[dict[str, Any]]:
    """Yield one histogram or heat map, unless nothing was counted. room: bytes that its hosts may take; where there
    are too many the groups go first, then the hosts at the end of the table."""
    table = merged.table
    (at,) = (number for number, item in enumerate(table.keys) if item.name == asked.bucket)
    counted = [total for total in merged.keys if _number(total.key[at]) is not None]
    bounds = _bounds({float(total.key[at]) for total in counted})
    if not bounds:
        return
    groups = _groups(counted, at, place)
    each = len(bounds) * len(merged.hosts) * _COUNT_BYTES
    if len(groups) * each > room:
        groups = []
    book = _Book(bounds, groups, at, place)
    data: dict[str, Any] = {
        "kind": asked.kind,
        "column": _described(table.measures[place]),
        "bucket": {**_described(table.keys[at]), "bounds": [packed.number(bound) for bound in bounds]},
        "groups": [_group_name(table, at, group) for group in groups],
        "fleet": book.sums((total.key, total.values) for total in merged.keys),
        "hosts": [
            [hosts[host.host], *book.sums((row.key, row.values) for row in host.rows)]
            for host in merged.hosts[: max(1, room * len(merged.hosts) // max(1, each))]
        ],
        "allHosts": len(merged.hosts),
    }
    if asked.kind == "heatmap" and table.interval:
        data.update(_timed(merged, hosts, book))
    yield data


def _timed(merged: results.MergedTable, hosts: Mapping[str, int], book: _Book) -> dict[str, Any]:
    """Return counts per interval of the fleet, and of single hosts where there are few."""
    fleet: dict[int, list[tuple[keys.Key, keys.Cells]]] = {}
    single: list[list[packed.Json]] = []
    for host in merged.hosts:
        own: dict[int, list[tuple[keys.Key, keys.Cells]]] = {}
        for row in host.rows:
            for number, values in row.series:
                own.setdefault(number, []).append((row.key, values))
        for number, items in sorted(own.items()):
            fleet.setdefault(number, []).extend(items)
            if len(merged.hosts) <= TIMED_HOSTS:
                single.append([hosts[host.host], number, *book.sums(items)])
    return {
        "step": merged.interval_s,
        "times": [[number, *book.sums(items)] for number, items in sorted(fleet.items())],
        "hostTimes": single,
        "partial": any(len(host.rows) > merged.max_series for host in merged.hosts),
    }


class _Book:
    """Where a row's figure is counted."""

    def __init__(self, bounds: Sequence[float], groups: Sequence[keys.Key], at: int, place: int) -> None:
        self._buckets = {bound: number for number, bound in enumerate(bounds)}
        self._groups = {group: number for number, group in enumerate(groups)}
        self._at, self._place = at, place

    def sums(self, rows: Iterable[tuple[keys.Key, keys.Cells]]) -> Flat:
        """Return place, count, place, count, ...; of what is in no group of its own: the place after the last."""
        found: dict[int, float] = {}
        for key, values in rows:
            bound, count = _number(key[self._at]), values[self._place]
            bucket = None if bound is None else self._buckets.get(bound)
            if bucket is None or isinstance(count, str) or not count:
                continue
            group = self._groups.get(_rest(key, self._at), len(self._groups))
            code = group * len(self._buckets) + bucket
            found[code] = found.get(code, 0) + count
        return [part for code in sorted(found) for part in (code, packed.number(found[code]))]


def _rest(key: keys.Key, at: int) -> keys.Key:
    return (*key[:at], *key[at + 1 :])


def _number(value: Value) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _groups(totals: Sequence[results.KeyTotal], at: int, place: int) -> list[keys.Key]:
    """Return the largest combinations of the other keys, at most MAX_GROUPS."""
    sums: dict[keys.Key, float] = {}
    for total in totals:
        count = total.values[place]
        if isinstance(count, (int, float)):
            rest = _rest(total.key, at)
            sums[rest] = sums.get(rest, 0) + count
    ordered = sorted(sums, key=lambda group: (-sums[group], [str(value) for value in group]))
    return ordered[:MAX_GROUPS] if ordered and ordered[0] else []


def _group_name(table: Table, at: int, group: keys.Key) -> str:
    others = [item for number, item in enumerate(table.keys) if number != at]
    return ", ".join(figures.of(item, value) for item, value in zip(others, group, strict=True))


def _bounds(found: set[float]) -> list[float]:
    """Return the buckets in order, with the empty ones between them where they are powers of two or evenly spaced."""
    ordered = sorted(found)[:MAX_BUCKETS]
    positive = [bound for bound in ordered if bound > 0]
    if len(positive) < 2:
        return ordered
    steps = [math.log2(bound / positive[0]) for bound in positive]
    if all(abs(step - round(step)) < 1e-6 for step in steps) and max(steps) < MAX_BUCKETS:
        zero = [bound for bound in ordered if bound <= 0]
        known = {round(step): bound for step, bound in zip(steps, positive, strict=True)}
        return zero + [known.get(step, positive[0] * 2.0**step) for step in range(max(known) + 1)]
    return ordered


def _described(item: Column) -> dict[str, Any]:
    data: dict[str, Any] = {"title": figures.title(item), "name": item.name, "type": item.type}
    if item.type not in ("bytes", "duration") and item.shown_unit not in figures.PLAIN_UNITS:
        data["unit"] = packed.text(item.shown_unit)
    return data
