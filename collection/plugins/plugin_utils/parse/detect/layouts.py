# SPDX-License-Identifier: GPL-3.0-or-later
"""Output of scripts that were not written for fleetdiag, read by the layouts that infer has found.

Every line is offered to the layouts. What none of them takes is kept as text and counted: nothing is guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.pattern import finds
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain, unescape
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.field_values import cell
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_words import (
    cleaned,
    is_rule,
    restored,
    words,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import LineError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.table import TableForm
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.text import TextForm
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Column,
    Layout,
    Row,
    SessionResult,
    Table,
    Value,
)

_NUMBER = re.compile(rb"-?[0-9]{1,18}(?:\.[0-9]{1,18})?(?:[a-zA-Z%]{1,2})?")
_HISTOGRAM = re.compile(rb"\s*value \|-+ count\s*")
_BUCKET = re.compile(rb"\s*(-?[0-9]{1,19}) \|@*\s*([0-9]{1,19})\s*|\s*~\s*")
_UNIT = re.compile(r"\s*\([a-zA-Z]+\)")
_GLOBAL = re.compile(rb"([A-Za-z_][A-Za-z0-9_]{0,60})(\[.{1,2000}\])?( ?[=@].{1,2000})")
_PART = re.compile(rb'"((?:[^"\\]|\\.)*)"|(-?0x[0-9a-fA-F]{1,16}|-?[0-9]{1,19})')
_STATISTIC = re.compile(rb" ?@(count|min|max|sum|avg|variance)=(-?0x[0-9a-fA-F]{1,16}|-?[0-9]{1,19})")
_MAX_DEPTH = 4
_MAX_LABEL = 200

HISTOGRAM = Layout(
    "histogram",
    Table(
        "histogram",
        "Histograms as SystemTap draws them.",
        (
            Column("what", "string", "key", "The line above the histogram."),
            Column("value", "int", "key", "Lower bound of the bucket."),
            Column("count", "int", "measure", "How many values were in the bucket.", merge="sum"),
        ),
        sort="count",
        descending=True,
    ),
)


class LayoutsForm:
    """Reads all tables of a script. Rows of each are numbered from 1."""

    def __init__(self, layouts: Sequence[Layout]) -> None:
        self._shapes = [shape(layout) for layout in layouts]
        self._current = self._shapes[0]
        self._counts = any(not layout.table.derived for layout in layouts)  # and not only lists events
        self._text = TextForm()
        self._held: tuple[bytes, int | None] | None = (
            None  # it may be the title of what begins with the next line
        )

    def line(self, line: bytes, t_ms: int | None = None) -> list[Row]:
        seen = cleaned(line)
        for candidate in self._shapes:
            if candidate.starts(seen):
                self._current = candidate
                self._let_go(keep=not candidate.takes_title)
                return []
        for candidate in (self._current, *self._shapes):
            rows = candidate.rows(seen, t_ms)
            if rows is not None:
                self._current = candidate
                return rows
        for candidate in self._shapes:
            candidate.other(seen)
        if not is_rule(seen):
            self._let_go(keep=True)
            self._held = line, t_ms
        return []

    def is_start(self, line: bytes) -> bool:
        """True if a cleaned line begins a print of a table."""
        return any(candidate.starts(line) for candidate in self._shapes)

    def before(self, line: bytes) -> None:
        """A header before the window is that of the first rows in it."""
        seen = cleaned(line)
        for candidate in self._shapes:
            if candidate.starts(seen):
                self._current = candidate
            candidate.restart()

    def _let_go(self, *, keep: bool) -> None:
        if self._held is not None and keep:
            self._text.line(*self._held)
        self._held = None

    def finish(self, result: SessionResult) -> None:
        self._let_go(keep=True)
        self._text.finish(result)
        if self._counts and result.armed_ms is not None and result.start_ms is not None:
            early_s = (result.start_ms - result.armed_ms) / 1000
            if early_s >= 1:
                result.notes.append(
                    f"its figures may count from when it was armed, {early_s:.0f} s before the window"
                )
        if result.text_lines_total:
            lines = (
                "1 line is no row"
                if result.text_lines_total == 1
                else f"{result.text_lines_total} lines are no rows"
            )
            result.notes.append(f"{lines} of the tables that were found in this output and kept as text")


class Shape:
    """One table in an output. takes_title: the line of text above it is a part of it."""

    takes_title = False

    def __init__(self, layout: Layout) -> None:
        self._table = layout.table
        self._of = layout.of
        self._number = 0

    def starts(self, line: bytes) -> bool:
        """True if this line begins a print of the table without being a row of it."""
        del line
        return False

    def rows(self, line: bytes, t_ms: int | None) -> list[Row] | None:
        """The rows that a cleaned line holds; None if it is none of this table."""
        raise NotImplementedError

    def other(self, line: bytes) -> None:
        """A line that no table took."""

    def restart(self) -> None:
        """What came until now was before the window."""
        self._number = 0

    def _row(self, values: tuple[Value, ...], t_ms: int | None, interval: int | None = None) -> Row:
        self._number += 1
        return Row(self._table.name, t_ms, self._number, values, interval)


def shape(layout: Layout) -> Shape:
    """What reads a table that stands like this."""
    kinds: dict[str, type[Shape]] = {
        "header": HeaderShape,
        "list": ListShape,
        "histogram": HistogramShape,
        "json": JsonShape,
        "global": GlobalShape,
    }
    return kinds[layout.kind](layout)


class HeaderShape(Shape):
    """Rows below a line of names, until a line that is no row comes. Another such line begins the next interval."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._form = TableForm(layout.table, layout.trims)
        self._ignore = re.compile(layout.table.ignore) if layout.table.ignore else None

    def starts(self, line: bytes) -> bool:
        if self._ignore is not None and finds(self._ignore, plain(line)):
            return True
        if not self._form.is_header(line):
            return False
        self._form.begin(line)
        return True

    def rows(self, line: bytes, t_ms: int | None) -> list[Row] | None:
        if is_rule(line):
            return None
        try:
            return [self._form.row(line, t_ms)]
        except LineError:
            return None

    def restart(self) -> None:
        self._form.restart()


class ListShape(Shape):
    """Lines of a name and the same count of numbers; after any other line the next interval begins."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._cells = [cell(column, text=_text) for column in layout.table.columns]
        self._trims = [trim.encode() for trim in layout.trims]
        self._interval = -1
        self._inside = False

    def rows(self, line: bytes, t_ms: int | None) -> list[Row] | None:
        parts = list_fields(line)
        if parts is None or len(parts) != len(self._cells):
            return None
        try:
            values = tuple(
                read(part.removesuffix(trim))
                for read, part, trim in zip(self._cells, parts, self._trims, strict=True)
            )
        except LineError:
            return None
        self._interval += not self._inside
        self._inside = True
        return [self._row(values, t_ms, self._interval)]

    def other(self, line: bytes) -> None:
        del line
        self._inside = False

    def restart(self) -> None:
        super().restart()
        self._interval, self._inside = -1, False


class HistogramShape(Shape):
    """`value |--- count` and its buckets; the last line of text above says of what."""

    takes_title = True

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._cells = [cell(column) for column in layout.table.columns[1:]]
        self._open = False
        self._last = ""
        self._seen: dict[str, int] = {}
        self.label = ""

    def starts(self, line: bytes) -> bool:
        if not _HISTOGRAM.fullmatch(line):
            return False
        self._open = True
        self.label = self._last
        self._seen[self.label] = self._seen.get(self.label, -1) + 1
        return True

    def rows(self, line: bytes, t_ms: int | None) -> list[Row] | None:
        found = _BUCKET.fullmatch(line) if self._open else None
        if found is None:
            return None
        if found[1] is None or int(found[2]) == 0:
            return []  # `~` stands for buckets that are left out, and an empty one says no more
        try:
            value, count = (read(part) for read, part in zip(self._cells, found.groups(), strict=True))
        except LineError:
            return []  # the bucket of all that is below zero
        what = _UNIT.sub("", self.label).strip(" :-")
        return [self._row((what, value, count), t_ms, self._seen.get(self.label, 0))]

    def other(self, line: bytes) -> None:
        self._open = False
        if not is_rule(line):
            self._last = " ".join(plain(restored(line)).split())[:_MAX_LABEL]

    def restart(self) -> None:
        super().restart()
        self._seen.clear()


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


def list_fields(line: bytes) -> tuple[bytes, ...] | None:
    """(name, number, ...) if a line is a text and then at most four numbers that stand apart from it."""
    found = words(line)
    numbers = 0
    while numbers < min(len(found) - 1, 4) and _NUMBER.fullmatch(found[-1 - numbers].text):
        numbers += 1
    if not numbers:
        return None
    last = found[-1 - numbers]
    if found[-numbers].start - last.end < 2 or _NUMBER.fullmatch(found[0].text):
        return None
    return (line[found[0].start : last.end], *(word.text for word in found[-numbers:]))


def json_records(line: bytes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(name, object) of every object on a line that holds nothing but plain values, at any depth."""
    text = line.strip()
    if text[:1] not in (b"{", b"[") or text[-1:] not in (b"}", b"]"):
        return
    try:
        value = json.loads(restored(text))
    except (ValueError, RecursionError):
        return
    yield from _records("json", value, 0)


def _records(name: str, value: Any, depth: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for item in value:
            if isinstance(item, (dict, list)):
                yield from _records(name, item, depth + 1)
    elif isinstance(value, dict):
        plain_values = {key: item for key, item in value.items() if isinstance(item, (str, int, float))}
        if plain_values:
            yield name, plain_values
        for key, item in value.items():
            yield from _records(key, item, depth + 1)


def _of_json(column: Column, value: Any) -> Value | None:
    """A member as the column's type; None if it is none."""
    if column.type == "string":
        return value if isinstance(value, str) else None
    if column.type == "bool" or isinstance(value, bool):
        return value if column.type == "bool" and isinstance(value, bool) else None
    try:
        return cell(column)(json.dumps(value).encode())
    except LineError:
        return None


def global_entry(line: bytes) -> tuple[str, list[int | str], dict[str, int | str]] | None:
    """(name, keys, values) of a variable as SystemTap prints it; None if a line is none."""
    found = _GLOBAL.fullmatch(line)
    if found is None:
        return None
    keys: list[int | str] = []
    if found[2]:
        keys = [_part(part) for part in _PART.finditer(found[2])]
        joined = b",".join(part[0] for part in _PART.finditer(found[2]))
        if b"[" + joined + b"]" != found[2]:
            return None
    statistics = list(_STATISTIC.finditer(found[3]))
    if statistics and b"".join(part[0] for part in statistics) == found[3]:
        return plain(found[1]), keys, {plain(part[1]): _whole(part[2]) for part in statistics}
    value = _PART.fullmatch(found[3][1:]) if found[3].startswith(b"=") else None
    if value is None or (value[1] is not None and not keys):
        return None  # name="text" may be anything
    return plain(found[1]), keys, {"value": _part(value)}


def _part(found: re.Match[bytes]) -> int | str:
    return plain(unescape(found[1])) if found[1] is not None else _whole(found[2])


def _whole(text: bytes) -> int:
    return int(text, 16 if b"x" in text else 10)


def _text(field: bytes) -> str:
    return plain(restored(field))
