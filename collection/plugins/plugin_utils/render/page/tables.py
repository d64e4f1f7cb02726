# SPDX-License-Identifier: GPL-3.0-or-later
"""One table of the fleet -> what the page holds of it: totals whole, of the rows as many as there is room for.

A row is a list: host number, key, then each measure, followed by its rate where the column has one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import keys, results
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Table, Value
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import (
    histograms,
    packed,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import (
    values as figures,
)

TOP_ROWS = 200
"""Rows of the fleet's worst, and keys over all hosts, that are there whatever the room."""
MIN_INTERVALS = 60
_FIGURE_BYTES = 7
BANDS = (0.1, 0.5, 0.9)
MANY_HOSTS = 8
"""With more than these the lines of single hosts give way to a band."""

Numbers = Mapping[str, int]
"""Host -> its number in the page."""
Proof = Collection[tuple[str, keys.Key]]
"""Rows that findings point at: they are always there."""


def table(
    merged: results.MergedTable, hosts: Numbers, rows_room: int, views_room: int, proof: Proof
) -> dict[str, Any]:
    """Return a table as the page's script takes it. Rooms: bytes that its rows and its charts may take.

    `shut` in it says that the manifest asks for the charts and not for the rows.
    """
    rows = _chosen(merged, rows_room, proof)
    measures = merged.table.measures
    return {
        "name": packed.text(merged.table.name),
        "title": title(merged.table),
        "columns": [column(item) for item in merged.table.columns if item.is_key]
        + [column(item) for item in measures],
        "keys": len(merged.table.keys),
        "sort": merged.sort_measure,
        "down": merged.table.descending or not merged.table.sort,
        "rows": [
            [hosts[row.host], *packed_keys(merged.table, row.key), *_cells(measures, row.values, row.rates)]
            for row in rows
        ],
        "allRows": sum(len(host.rows) for host in merged.hosts),
        "hosts": [
            [
                hosts[host.host],
                len(host.rows),
                host.total.keys,
                *_cells(measures, host.total.values, host.total.rates),
            ]
            for host in merged.hosts
        ],
        "fleet": [
            [total.hosts, *packed_keys(merged.table, total.key), *_cells(measures, total.values, total.rates)]
            for total in merged.keys[:TOP_ROWS]
        ],
        "allKeys": len(merged.keys),
        "total": _cells(measures, merged.total.values, merged.total.rates) if merged.total else None,
        "views": list(_views(merged, hosts, views_room, {host for host, _unused in proof})),
        "shut": bool(merged.table.views) and all(view.kind != "table" for view in merged.table.views),
    }


def title(table: Table) -> str:
    """Return the name of a table as a title: `Slow files` for `slow_files`."""
    words = packed.text(table.name.replace("_", " "))
    return words[:1].upper() + words[1:]


def column(item: Column) -> dict[str, Any]:
    """Return a column's head, and how its values read."""
    data: dict[str, Any] = {
        "title": figures.title(item),
        "name": item.name,
        "type": item.type,
        "note": packed.text(item.description),
    }
    if item.type == "timestamp":
        data["unit"] = item.unit
    if item.rate:
        data["rate"] = True
    return data


def packed_keys(table: Table, key: keys.Key) -> list[packed.Json]:
    """Return the values of a row's key as the page's data has them."""
    return [packed.key(value, item.type == "path") for item, value in zip(table.keys, key, strict=True)]


def _cells(measures: Iterable[Column], values: keys.Cells, rates: keys.Rates) -> list[packed.Json]:
    cells: list[packed.Json] = []
    for item, value, rate in zip(measures, values, rates, strict=True):
        cells.append(packed.measure(value))
        if item.rate:
            cells.append(packed.number(rate))
    return cells


# --- which rows ---


def _chosen(merged: results.MergedTable, room: int, proof: Proof) -> list[results.MergedRow]:
    """Return what findings point at, the worst of the fleet, then the worst of every host in turn while there is
    room."""
    chosen: dict[int, results.MergedRow] = {}
    if proof:
        wanted = set(proof)
        rows = (row for host in merged.hosts for row in host.rows)
        chosen = {id(row): row for row in rows if (row.host, row.key) in wanted}
    chosen.update((id(row), row) for row in merged.top(TOP_ROWS))
    room -= sum(map(_size, chosen.values()))
    longest = max((len(host.rows) for host in merged.hosts), default=0)
    for place in range(longest):
        turn = [host.rows[place] for host in merged.hosts if place < len(host.rows)]
        turn = [row for row in turn if id(row) not in chosen]
        room -= sum(map(_size, turn))
        if room < 0:
            break
        chosen.update((id(row), row) for row in turn)
    return merged.ordered(chosen.values())


def _size(row: results.MergedRow) -> int:
    """Return about what a row takes in the page."""
    return 8 + sum(_length(value) for value in row.key) + 9 * len(row.values)


def _length(value: Value) -> int:
    return min(len(value), packed.MAX_TEXT) + 3 if isinstance(value, str) else 6


# --- views ---


def _views(
    merged: results.MergedTable, hosts: Numbers, room: int, found: Collection[str]
) -> Iterable[dict[str, Any]]:
    """Yield the charts that the manifest names; without any, the course of the sorted column."""
    places = {item.name: place for place, item in enumerate(merged.table.measures)}
    charts = [view for view in merged.table.views if view.kind in ("series", "histogram", "heatmap")]
    each = room // max(1, len(charts))
    first: dict[tuple[str, str], int] = {}
    for number, view in enumerate(charts):
        if view.kind == "series":
            yield from _series(merged, hosts, places[view.measure], each, found)
            continue
        # A histogram and a heat map of the same counts hold them once.
        like = first.setdefault((view.bucket, view.measure), number)
        for data in histograms.view(merged, hosts, view, places[view.measure], each):
            yield (
                data
                if like == number
                else {**{name: data[name] for name in data if name not in _SHARED}, "like": like}
            )
    place = merged.sort_measure
    if not merged.table.views and merged.table.interval and place is not None:
        yield from _series(merged, hosts, place, room, found)


_SHARED = ("column", "bucket", "groups", "fleet", "hosts", "allHosts")


def _series(
    merged: results.MergedTable, hosts: Numbers, place: int, room: int, found: Collection[str]
) -> Iterable[dict[str, Any]]:
    """Yield one measure per interval: a line per host while there is room, and of many hosts a band of all."""
    item = merged.table.measures[place]
    if item.type in ("string", "path", "bool", "timestamp"):
        return
    last = max((number for host in merged.hosts for number, _unused in host.intervals), default=0)
    if not last:
        return
    cells = max(1, room // _FIGURE_BYTES)
    shown = range(max(1, last - max(cells // len(merged.hosts), MIN_INTERVALS) + 1), last + 1)
    ordered = sorted(merged.hosts, key=lambda host: host.host not in found)
    kept = {host.host for host in ordered[: max(MANY_HOSTS, cells // len(shown))]}
    # Of what adds up an interval without a record is none; of a mean or a maximum nothing is known.
    empty = 0 if item.merge in ("sum", "count", "records", "") and not item.ratio else None
    lines: dict[str, list[float | None]] = {}
    for host in merged.hosts:
        known = {number: values[place] for number, values in host.intervals}
        lines[host.host] = [_figure(known.get(number, empty)) for number in shown]
    view: dict[str, Any] = {
        "kind": "series",
        "column": column(item),
        "step": merged.interval_s,
        "first": shown[0],
        "last": last,
        "lines": [[hosts[host], *line] for host, line in lines.items() if host in kept],
        "allHosts": len(lines),
    }
    if len(lines) > MANY_HOSTS:
        view["bands"] = [
            [_quantile([line[at] for line in lines.values()], share) for at in range(len(shown))]
            for share in BANDS
        ]
    yield view


def _figure(value: Value | None) -> float | None:
    return packed.number(value, 5) if isinstance(value, (int, float)) else None


def _quantile(values: Iterable[float | None], share: float) -> float | None:
    known = sorted(value for value in values if value is not None)
    return known[round(share * (len(known) - 1))] if known else None
