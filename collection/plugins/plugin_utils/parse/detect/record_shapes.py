# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers of lines that say themselves what their figures are."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.globals import global_entry
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.json_lines import json_records
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.shape_base import Shape
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.field_values import cell
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_numbers import (
    printed_cell,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import LineError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.table import text
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Layout, Value

_PAIR = re.compile(rb"([A-Za-z_][A-Za-z0-9_.-]{0,40})=(\"[^\"]*\"|[^\s=\",]*),?")
_RATE = re.compile(
    rb"\s*\[?(?:[0-9]{1,2}:[0-9]{2}:[0-9]{2}|[0-9]{4}-[0-9]{2}-[0-9]{2}[T \x1f][0-9:]{8}|[0-9]+|[A-Z][a-z]{2}\x1f\S+)"
    rb"(?:\.[0-9]+)?Z?\]?:?\s+(-?[0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([A-Za-z%]{1,20}/s(?:ec(?:ond)?)?)\s*"
)


class JsonShape(Shape):
    """Objects of one kind, one or more on a line."""

    def rows(self, line: bytes, t_ms: int | None) -> list[Row] | None:
        names = [column.header for column in self._table.columns]
        found = []
        for name, record in json_records(line):
            if name == self._of and len(record) == len(names) and all(key in record for key in names):
                values = [
                    _of_json(column, record[key])
                    for column, key in zip(self._table.columns, names, strict=True)
                ]
                if all(value is not None for value in values):
                    found.append(self._row(tuple(value for value in values if value is not None), t_ms))
        return found or None


class GlobalShape(Shape):
    """`name["key",0x2]=0x5`, `name["key"] @count=0x3 @sum=0x9`."""

    def rows(self, line: bytes, t_ms: int | None) -> list[Row] | None:
        found = global_entry(line)
        if found is None or found[0] != self._of:
            return None
        values = (*found[1], *found[2].values())
        fits = len(values) == len(self._table.columns) and all(
            isinstance(value, int) == (column.type == "int")
            for column, value in zip(self._table.columns, values, strict=False)
        )
        return [self._row(values, t_ms)] if fits else None


class PairsShape(Shape):
    """`proc=nginx reads=5`: lines of the same names, each with a value. Lines of one time are one print."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._names = [column.header for column in layout.table.columns]
        self._cells = [printed_cell(column, text) for column in layout.table.columns]
        self._interval, self._time, self._inside = -1, -1, False

    def rows(self, line: bytes, t_ms: int | None) -> list[Row] | None:
        found = pairs(line)
        if found is None or [plain(name) for name, _unused in found] != self._names:
            return None
        again = not self._inside or (t_ms is not None and t_ms != self._time)
        try:
            values = tuple(read(field) for read, (_unused2, field) in zip(self._cells, found, strict=True))
            row = self._row(values, t_ms, self._interval + again)
        except LineError:
            return None
        self._interval += again
        self._time, self._inside = -1 if t_ms is None else t_ms, True
        return [row]

    def other(self, line: bytes) -> None:
        del line
        self._inside = False

    def restart(self) -> None:
        super().restart()
        self._interval, self._inside = -1, False


class RateShape(Shape):
    """`[12:00:01] 523 reqs/s`: one figure for each time."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._cell = cell(layout.table.columns[0])

    def rows(self, line: bytes, t_ms: int | None) -> list[Row] | None:
        found = rate(line)
        if found is None or plain(found[1]) != self._of:
            return None
        try:
            return [self._row((self._cell(found[0]),), t_ms, self._number)]
        except LineError:
            return None


def rate(line: bytes) -> tuple[bytes, bytes] | None:
    """Return (number, unit) of a line that is a time and a figure per second."""
    found = _RATE.fullmatch(line)
    return (found[1], found[2]) if found else None


def pairs(line: bytes) -> list[tuple[bytes, bytes]] | None:
    """Return (name, value) of each part of a line that is nothing but two pairs or more."""
    parts = line.split()
    found = list(_PAIR.finditer(line))
    if len(found) < 2 or b" ".join(pair[0] for pair in found) != b" ".join(parts):
        return None
    return [(pair[1], pair[2].strip(b'"')) for pair in found]


def _of_json(column: Column, value: Any) -> Value | None:
    """Return a JSON member as a value of the column's type; None if it is none."""
    if column.type == "string":
        return value if isinstance(value, str) else None
    if column.type == "bool" or isinstance(value, bool):
        return value if column.type == "bool" and isinstance(value, bool) else None
    try:
        return cell(column)(json.dumps(value).encode())
    except LineError:
        return None
