# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers of tables under a line of words, of lists, and of fields between separators."""

from __future__ import annotations

import re

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.pattern import finds
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.shape_base import Shape
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.titles import (
    is_total,
    title_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
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
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Layout

_NAMED_NUMBER = re.compile(rb"\s*(\S[^=]{0,120}?)(?:\s*=\s*|\s*:\s+)(\S+)\s*")
_FIGURE = re.compile(rb"[0-9]")


class HeaderShape(Shape):
    """Rows below a line of names, until a line that is no row comes. Another such line begins the next interval.

    Where tables of several titles have the same names above their columns, the title decides.
    """

    has_header = True

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._form = TableForm(layout.table, layout.trims, printed=True)
        self._ignore = re.compile(layout.table.ignore) if layout.table.ignore else None
        self._once = layout.once
        self._title = ""
        self._open = False
        self._inside = False
        self._total = False
        self._gap = False  # an empty line came after a row
        self._gaps = 0
        self._row_ms: int | None = None
        self._looks_cut = False
        self._cut = False  # text came after a row, and no header since

    def starts(self, line: bytes) -> bool:
        if self._ignore is not None and finds(self._ignore, plain(line)):
            self.leave()
            return True
        if not self._form.is_header(line) or (self._of and self._title != self._of):
            return False
        self._form.begin(line)
        self._begin()
        return True

    def _begin(self) -> None:
        self._open, self._inside, self._title = True, False, ""
        self._gap = self._cut = False

    def rows(self, line: bytes, t_ms: int | None) -> list[Row] | None:
        if not (self._open or self._cut) or is_rule(line):
            return None
        if self._open and self._gap and t_ms == self._row_ms:  # of the same print: rows of something else
            self.leave()
            return None
        try:
            row = self._read(line, t_ms)
            if not self._open:
                later = self._once and t_ms != self._row_ms
                self.cut_rows += later
                self._looks_cut = not later
                return None
            self._total = is_total(self._table, row.values)
            if self._total:
                return None
            row = self._row(row.values, t_ms, (row.interval or 0) + self._gaps + self._gap)
        except LineError:
            return None
        self._gaps += self._gap
        self._inside, self._gap, self._row_ms = True, False, t_ms
        return [row]

    def _read(self, line: bytes, t_ms: int | None) -> Row:
        return self._form.row(line, t_ms)

    def other(self, line: bytes) -> None:
        if self._total:
            self._total = False
            return
        if not is_rule(line):
            self._title = title_of(line)
            self.cut_rows += self._looks_cut
            self._cut = self._cut or (self._open and self._inside and (self._once or not self._gap))
            self._looks_cut = False
            self._open = False
            self.takes_title = bool(self._of) and not _FIGURE.search(line)
        elif self._once and (self._open or self._cut):
            self._gap = self._inside
        elif self._inside:
            self.leave()

    def leave(self) -> None:
        self._cut = self._once and (self._cut or (self._open and self._inside))
        self.claimed += self._looks_cut
        self._open, self._title, self._looks_cut = False, "", False

    def later(self) -> None:
        self._title = ""

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
        parts = (
            separated_fields(line, self._separator) if self.raw else list_fields(line, inside=self._inside)
        )
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

    def later(self) -> None:
        if not self._inside:
            self._title = ""

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
        self._begin()
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


def separated_fields(line: bytes, separator: bytes) -> tuple[bytes, ...] | None:
    """Return the fields between the separators of a line; None if it has none."""
    fields = tuple(field.strip() for field in line.split(separator))
    return fields if len(fields) > 1 else None


def list_fields(line: bytes, *, inside: bool = False) -> tuple[bytes, ...] | None:
    """Return (name, number, ...) if a line is a text and then at most four numbers that stand apart from it.

    inside: other lines of the list stand above, so that a name may be so long that one space is left.
    """
    named = _NAMED_NUMBER.fullmatch(line)
    if named is not None and printed_number(named[2]) and not printed_number(named[1].split()[0]):
        return named[1], named[2]
    found = words(line)
    numbers = 0
    while numbers < min(len(found) - 1, 4) and printed_number(found[-1 - numbers].text):
        numbers += 1
    if not numbers:
        return None
    last = found[-1 - numbers]
    if (found[-numbers].start - last.end < 2 and not inside) or printed_number(found[0].text):
        return None
    return (line[found[0].start : last.end], *(word.text for word in found[-numbers:]))


def separates(line: bytes) -> bool:
    """Return True if a sign stands between the name and the only number of a printed line: `reads: 5`."""
    found = _NAMED_NUMBER.fullmatch(line)
    return found is not None and printed_number(found[2]) is not None
