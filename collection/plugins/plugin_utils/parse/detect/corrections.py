# SPDX-License-Identifier: GPL-3.0-or-later
"""What the author of a script says of its output (see probes.scripts.reading), put in the place of what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.columns import (
    are_events,
    table_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.headers import rows_of
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.prints import (
    Forgets,
    prints_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.sample import Samples
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_words import folded
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Column,
    ColumnType,
    Layout,
    Merge,
    Reading,
)

_TIMES = ("s", "ms", "us", "ns")
_SIZES = ("B", "KB", "MB", "GB")


def forgets_by(reading: Reading, found: Forgets) -> Forgets:
    """Return which arrays the script empties, as the author says it, else as it was found."""
    said: Mapping[str, Forgets] = {"reset": "all", "cumulative": "none"}
    return said.get(str(reading.get("prints", "")), found)


def headers_of(reading: Reading) -> set[str]:
    """Return the lines that are headers by the author's word, folded."""
    return {folded(line) for line in reading.get("header", ())}


def corrected(layout: Layout, samples: Samples, reading: Reading, forgets: Forgets) -> Layout:
    """Return a layout with units, keys and merges as the author says them."""
    columns = tuple(_column(column, reading) for column in layout.table.columns)
    if columns == layout.table.columns:
        return layout
    table = layout.table
    first = replace(layout, table=replace(table, columns=columns, derived=()), prints="")
    rows = rows_of(first, samples)
    events = are_events(rows, columns)
    again = table.interval or events
    prints = prints_of(first, rows, forgets, each_row=events) if again else ""
    table = replace(
        table_of(
            table.name,
            table.description,
            columns,
            interval=table.interval,
            events=events,
            ignore=table.ignore,
        ),
        views=table.views,
    )
    return replace(layout, table=table, prints=prints)


def _column(column: Column, reading: Reading) -> Column:
    unit, merge = _said(column, reading.get("units", {})), _said(column, reading.get("merge", {}))
    numeric = column.type in ("int", "float", "duration", "bytes")
    if not numeric:
        return column
    if unit is not None:
        column = replace(column, type=_type(column, unit), unit=unit)
    if "keys" in reading:
        is_key = any(_is(column, title) for title in reading["keys"])
        if is_key:
            return replace(column, role="key", merge="", type="int" if column.type == "int" else column.type)
        if column.is_key:
            column = replace(column, role="measure", merge="last")
    if merge is not None:
        merge_: Merge = merge  # type: ignore[assignment]
        column = replace(column, role="measure", merge=merge_)
    return column


def _type(column: Column, unit: str) -> ColumnType:
    if unit in _TIMES:
        return "duration"
    if unit in _SIZES:
        return "bytes"
    return "int" if column.type in ("int", "bytes") else "float"


def _said(column: Column, said: Mapping[str, str]) -> str | None:
    return next((text for title, text in said.items() if _is(column, title)), None)


def _is(column: Column, title: str) -> bool:
    return folded(title) in (folded(column.header), folded(column.name)) and bool(folded(title))


def unmatched(layouts: Sequence[Layout], reading: Reading) -> list[str]:
    """Return a sentence for each thing that the author says of what is not in the output."""
    columns = [column for layout in layouts for column in layout.table.columns]
    return [*_unknown(columns, reading), *_no_headers(layouts, reading)]


def _unknown(columns: Sequence[Column], reading: Reading) -> Iterator[str]:
    for key in ("units", "keys", "merge"):
        for title in reading.get(key, ()):
            found = [column for column in columns if _is(column, title)]
            if not found:
                yield f"{key} of the file beside the script: no column {title} was found in the output"
            elif key != "keys" and all(column.type in ("string", "path", "bool") for column in found):
                yield f"{key} of the file beside the script: column {title} holds text, no numbers"


def _no_headers(layouts: Sequence[Layout], reading: Reading) -> Iterator[str]:
    seen = {folded(" ".join(column.header for column in layout.table.columns)) for layout in layouts}
    for line in reading.get("header", ()):
        if folded(line) not in seen:
            yield f"header of the file beside the script: no table below {line} was found in the output"
