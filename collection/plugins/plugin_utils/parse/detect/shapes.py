# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers of tables that were found in an output: which lines begin them, which are their rows, where they end."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.pattern import finds
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.globals import global_entry
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.json_lines import json_records
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.titles import (
    histogram_name,
    is_total,
    title_of,
    unit_in,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.field_values import cell
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_numbers import (
    printed_cell,
    printed_number,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_words import (
    folded,
    folded_line,
    is_rule,
    words,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import LineError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.table import TableForm, text
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Column,
    Layout,
    Row,
    Table,
    Value,
)

_HISTOGRAM = re.compile(rb"\s*value \|-+ count\s*")
_BUCKET = re.compile(rb"\s*([<>]?)(-?[0-9]{1,19}) \|@*\s*([0-9]{1,19})\s*|\s*~\s*")
_NAMED_NUMBER = re.compile(rb"\s*([A-Za-z_/][^:=]{0,80}?)(?:\s*=\s*|\s*:\s+)(\S+)\s*")
_PAIR = re.compile(rb"([A-Za-z_][A-Za-z0-9_.-]{0,40})=(\"[^\"]*\"|[^\s=\",]*),?")
_RATE = re.compile(
    rb"\s*\[?(?:[0-9]{1,2}:[0-9]{2}:[0-9]{2}|[0-9]{4}-[0-9]{2}-[0-9]{2}[T \x1f][0-9:]{8}|[0-9]+|[A-Z][a-z]{2}\x1f\S+)"
    rb"(?:\.[0-9]+)?Z?\]?:?\s+(-?[0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([A-Za-z%]{1,20}/s(?:ec(?:ond)?)?)\s*"
)
_FIGURE = re.compile(rb"[0-9]")
_MAX_ABOVE = 4
MAX_KEYS = 50_000

HISTOGRAM = Layout(
    "histogram",
    Table(
        "histogram",
        "Histograms as SystemTap draws them.",
        (
            Column("what", "string", "key", "The text above the histogram."),
            Column(
                "value",
                "int",
                "key",
                "Lower bound of the bucket; outside a linear histogram the value next to it.",
            ),
            Column("count", "int", "measure", "How many values were in the bucket.", merge="sum"),
        ),
        sort="count",
        descending=True,
    ),
)


class Shape:
    """One table in an output.

    takes_title: the line of text above it is a part of it. has_header: its rows stand below a line that `starts`.
    raw: it is given lines as they were printed, with their tabs, not cleaned ones.
    """

    takes_title = False
    has_header = False
    raw = False

    def __init__(self, layout: Layout) -> None:
        self._table = layout.table
        self._of = layout.of
        self._trims = [trim.encode() for trim in layout.trims]
        self._totals = Totals(layout) if layout.prints == "total" else None
        self._number = 0

    def starts(self, line: bytes) -> bool:
        """True if this line begins a print of the table without being a row of it."""
        del line
        return False

    def rows(self, line: bytes, t_ms: int | None) -> list[Row] | None:
        """The rows that a line holds; None if it is none of this table."""
        raise NotImplementedError

    def other(self, line: bytes) -> None:
        """A line that no table took."""

    def leave(self) -> None:
        """A line that another table took."""

    def restart(self) -> None:
        """What came until now was before the window."""
        self._number = 0

    def _row(self, values: tuple[Value, ...], t_ms: int | None, interval: int | None = None) -> Row:
        self._number += 1
        if self._totals is not None:
            values = self._totals.grown(values)
        return Row(self._table.name, t_ms, self._number, values, interval)


class Totals:
    """Figures that count up from print to print, as what each print adds: together they are the last print.

    At most MAX_KEYS different names are remembered; LineError for one more.
    """

    def __init__(self, layout: Layout) -> None:
        columns = layout.table.columns
        self._keys = [place for place, column in enumerate(columns) if column.is_key]
        self._sums = [place for place, column in enumerate(columns) if column.merge == "sum"]
        self._last: dict[tuple[Value, ...], tuple[Value, ...]] = {}

    def grown(self, values: tuple[Value, ...]) -> tuple[Value, ...]:
        key = tuple(values[place] for place in self._keys)
        before = self._last.get(key)
        if before is None and len(self._last) >= MAX_KEYS:
            raise LineError(
                f"more than {MAX_KEYS} names of which the last figure would have to be remembered"
            )
        self._last[key] = values
        if before is None:
            return values
        grown = list(values)
        for place in self._sums:
            grown[place] = values[place] - before[place]  # type: ignore[operator]
        return tuple(grown)


def shape(layout: Layout) -> Shape:
    """What reads a table that stands like this."""
    kinds: dict[str, type[Shape]] = {
        "header": HeaderShape,
        "list": ListShape,
        "histogram": HistogramShape,
        "json": JsonShape,
        "global": GlobalShape,
        "separated": SeparatedShape,
        "pairs": PairsShape,
        "rate": RateShape,
    }
    return kinds[layout.kind](layout)


class HeaderShape(Shape):
    """Rows below a line of names, until a line that is no row comes. Another such line begins the next interval.

    Where tables of several titles have the same names above their columns, the title decides.
    """

    has_header = True

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._form = TableForm(layout.table, layout.trims, printed=True)
        self._ignore = re.compile(layout.table.ignore) if layout.table.ignore else None
        self._title = ""
        self._open = False
        self._inside = False
        self._total = False

    def starts(self, line: bytes) -> bool:
        if self._ignore is not None and finds(self._ignore, plain(line)):
            self.leave()
            return True
        if not self._form.is_header(line) or (self._of and self._title != self._of):
            return False
        self._form.begin(line)
        self._open, self._inside, self._title = True, False, ""
        return True

    def rows(self, line: bytes, t_ms: int | None) -> list[Row] | None:
        if not self._open or is_rule(line):
            return None
        try:
            row = self._read(line, t_ms)
            self._total = is_total(self._table, row.values)
            if self._total:
                return None
            row = self._row(row.values, t_ms, row.interval)
        except LineError:
            return None
        self._inside = True
        return [row]

    def _read(self, line: bytes, t_ms: int | None) -> Row:
        return self._form.row(line, t_ms)

    def other(self, line: bytes) -> None:
        if self._total:
            self._total = False
            return
        if not is_rule(line):
            self._title = title_of(line)
            self._open = False
            self.takes_title = bool(self._of) and not _FIGURE.search(line)
        elif self._inside:
            self.leave()

    def leave(self) -> None:
        self._open, self._title = False, ""

    def restart(self) -> None:
        super().restart()
        self._form.restart()


class ListShape(Shape):
    """Lines of a name and the same count of numbers below their title; any other line ends a print of them."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.raw = bool(layout.separator)
        self._separator = layout.separator.encode()
        self._cells = [printed_cell(column, text) for column in layout.table.columns]
        self._interval = -1
        self._inside = False
        self._total = False
        self._title = ""

    def rows(self, line: bytes, t_ms: int | None) -> list[Row] | None:
        if self._title != self._of:
            return None
        parts = separated_fields(line, self._separator) if self.raw else list_fields(line)
        if parts is None or len(parts) != len(self._cells):
            return None
        try:
            values = tuple(
                read(part.removesuffix(trim))
                for read, part, trim in zip(self._cells, parts, self._trims, strict=True)
            )
            self._total = is_total(self._table, values)
            if self._total:
                return None
            row = self._row(values, t_ms, self._interval + (not self._inside))
        except LineError:
            return None
        self._interval += not self._inside
        self._inside = True
        return [row]

    def other(self, line: bytes) -> None:
        if self._total:
            self._total = False
        elif not is_rule(line):
            self._title = title_of(line)
            self._inside = False
            self.takes_title = bool(self._of) and not _FIGURE.search(line)
        elif self._inside:
            self.leave()

    def leave(self) -> None:
        self._title, self._inside = "", False

    def restart(self) -> None:
        super().restart()
        self._interval, self._inside = -1, False


class SeparatedShape(HeaderShape):
    """Fields between commas, semicolons, bars or tabs, below a line of their names."""

    raw = True

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._separator = layout.separator.encode()
        self._names = [folded(column.header) for column in layout.table.columns]
        self._cells = [printed_cell(column, text) for column in layout.table.columns]
        self._interval = -1

    def starts(self, line: bytes) -> bool:
        fields = separated_fields(line, self._separator)
        if fields is None or [folded_line(field) for field in fields] != self._names:
            return False
        if self._of and self._title != self._of:
            return False
        self._interval += 1
        self._open, self._inside, self._title = True, False, ""
        return True

    def _read(self, line: bytes, t_ms: int | None) -> Row:
        fields = separated_fields(line, self._separator)
        if fields is None or len(fields) != len(self._cells):
            raise LineError("another number of fields")
        values = tuple(read(field) for read, field in zip(self._cells, fields, strict=True))
        return Row(self._table.name, t_ms, 0, values, max(0, self._interval))

    def restart(self) -> None:
        Shape.restart(self)
        self._interval = -1


class HistogramShape(Shape):
    """`value |--- count` and its buckets; the text above says of what."""

    has_header = True

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._cells = [cell(column) for column in layout.table.columns[1:]]
        self._open = False
        self._above: list[bytes] = []
        self._seen: dict[str, int] = {}
        self.label = ""
        self.unit = ""

    def starts(self, line: bytes) -> bool:
        if not _HISTOGRAM.fullmatch(line):
            return False
        self._open = True
        names = [named for above in reversed(self._above) if (named := histogram_name(above))]
        self.label = names[0] if names else ""
        units = [unit for above in reversed(self._above) if (unit := unit_in(above))]
        self.unit = units[0] if units else ""
        self.takes_title = bool(names) and histogram_name(self._above[-1]) == self.label
        self._above.clear()
        self._seen[self.label] = self._seen.get(self.label, -1) + 1
        return True

    def rows(self, line: bytes, t_ms: int | None) -> list[Row] | None:
        found = _BUCKET.fullmatch(line) if self._open else None
        if found is None:
            return None
        if found[2] is None or int(found[3]) == 0:
            return []  # `~` stands for buckets that are left out, and an empty one says no more
        try:
            # Below the first bucket of a linear histogram, or above its last: the value next to it.
            value = int(found[2]) + {b"": 0, b"<": -1, b">": 1}[found[1]]
            bound, count = self._cells[0](b"%d" % value), self._cells[1](found[3])
            return [self._row((self.label, bound, count), t_ms, self._seen.get(self.label, 0))]
        except LineError:
            return None

    def other(self, line: bytes) -> None:
        self._open = False
        if not is_rule(line):
            self._above = [*self._above[1 - _MAX_ABOVE :], line]

    def leave(self) -> None:
        self._open = False
        self._above.clear()

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


class PairsShape(Shape):
    """`proc=nginx reads=5`: lines of the same names, each with a value. Lines of one time are one print."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._names = [column.header for column in layout.table.columns]
        self._cells = [printed_cell(column, text) for column in layout.table.columns]
        self._interval, self._time, self._inside = -1, -1, False

    def rows(self, line: bytes, t_ms: int | None) -> list[Row] | None:
        found = pairs(line)
        if found is None or [plain(name) for name, _ in found] != self._names:
            return None
        again = not self._inside or (t_ms is not None and t_ms != self._time)
        try:
            values = tuple(read(field) for read, (_, field) in zip(self._cells, found, strict=True))
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


def separated_fields(line: bytes, separator: bytes) -> tuple[bytes, ...] | None:
    """Return the fields between the separators of a line; None if it has none."""
    fields = tuple(field.strip() for field in line.split(separator))
    return fields if len(fields) > 1 else None


def list_fields(line: bytes) -> tuple[bytes, ...] | None:
    """Return (name, number, ...) if a line is a text and then at most four numbers that stand apart from it."""
    named = _NAMED_NUMBER.fullmatch(line)
    if named is not None and printed_number(named[2]):
        return named[1], named[2]
    found = words(line)
    numbers = 0
    while numbers < min(len(found) - 1, 4) and printed_number(found[-1 - numbers].text):
        numbers += 1
    if not numbers:
        return None
    last = found[-1 - numbers]
    if found[-numbers].start - last.end < 2 or printed_number(found[0].text):
        return None
    return (line[found[0].start : last.end], *(word.text for word in found[-numbers:]))


def separates(line: bytes) -> bool:
    """Return True if a sign stands between the name and the only number of a printed line: `reads: 5`."""
    found = _NAMED_NUMBER.fullmatch(line)
    return found is not None and printed_number(found[2]) is not None


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
