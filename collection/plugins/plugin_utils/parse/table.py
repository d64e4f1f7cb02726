# SPDX-License-Identifier: GPL-3.0-or-later
"""Output form `table`: a header and aligned columns, as SystemTap's own examples print them.

The header says where the columns stand and, when it comes again, that a new interval begins. Such scripts
print names as they are, so a name may hold spaces: then the fields that are no text, and the columns' edges,
tell which words belong together. A line that stays ambiguous or does not fit is rejected.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.pattern import finds
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.field_values import cell
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row, SessionResult
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_numbers import printed_cell
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_words import (
    Word,
    folded,
    folded_line,
    is_rule,
    restored,
    words,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import LineError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Table, Value

_ANSI = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_MAX_EXTRA_WORDS = 64  # a process name of 15 bytes has at most 7 spaces, a path may have more


class TableForm:
    """Reads one table. Rows are numbered from 1, intervals (headers seen) from 0.

    trims: of each column, what is cut off the end of its fields (see model.Layout). printed: fields may have a unit
    of their own (see printed_numbers).
    """

    def __init__(self, table: Table, trims: Sequence[str] = (), *, printed: bool = False) -> None:
        self._name = table.name
        self._headers = [folded(column.header or column.name) for column in table.columns]
        self._header = " ".join(self._headers)
        read = printed_cell if printed else cell
        self._cells = [read(column, text) for column in table.columns]
        self._trims = [trim.encode() for trim in trims] or [b""] * len(self._cells)
        self._texts = [place for place, column in enumerate(table.columns) if _is_text(column)]
        self._ignore = re.compile(table.ignore) if table.ignore else None
        self._edges: list[Word] = []
        self._tabs = False
        self._interval = -1
        self._rows = 0

    def line(self, line: bytes, t_ms: int | None = None) -> Row | None:
        line = _ANSI.sub(b"", line)
        if is_rule(line):
            return None
        if self.is_header(line):
            self.begin(line)
            return None
        if self._ignore is not None and finds(self._ignore, plain(line)):
            return None
        return self.row(line, t_ms)

    def row(self, line: bytes, t_ms: int | None) -> Row:
        """Return the row that a line under a header is. LineError if it is none."""
        if not self._edges:
            raise LineError("before the first header")
        values = self._values(line)
        self._rows += 1
        self._interval = max(0, self._interval)
        return Row(self._name, t_ms, self._rows, values, self._interval)

    def before(self, line: bytes) -> None:
        """Keep a header before the window as that of the first rows in it: a script may print it once, at its start."""
        line = _ANSI.sub(b"", line)
        if self.is_header(line):
            self.begin(line)
            self.restart()

    def restart(self) -> None:
        """Count rows and intervals anew: what came until now was before the window; the last header stays."""
        self._interval, self._rows = -1, 0

    def finish(self, result: SessionResult) -> None:
        """Do nothing: no row is kept back."""

    def is_header(self, line: bytes) -> bool:
        return folded_line(line) == self._header

    def begin(self, header: bytes) -> None:
        """Begin an interval of rows whose fields stand under the words of this header."""
        self._interval += 1
        self._tabs = header.count(b"\t") == len(self._headers) - 1
        self._edges = []
        name, start = "", -1
        for word in words(header):
            start = word.start if start < 0 else start
            name = folded(f"{name} {plain(word.text)}")
            if name == self._headers[min(len(self._edges), len(self._headers) - 1)]:
                self._edges.append(Word(word.text, start, word.end))
                name, start = "", -1

    def _values(self, line: bytes) -> tuple[Value, ...]:
        if self._tabs and line.count(b"\t") == len(self._cells) - 1:
            return self._read([field.strip() for field in line.split(b"\t")])
        found = words(line)
        extra = len(found) - len(self._cells)
        if extra == 0:
            return self._read([word.text for word in found])
        if not self._texts or not -1 <= extra <= _MAX_EXTRA_WORDS:
            raise LineError(f"{len(found)} fields instead of {len(self._cells)}")
        return self._flexible(line, found, extra)

    def _flexible(self, line: bytes, found: list[Word], extra: int) -> tuple[Value, ...]:
        """Return the values where one text column takes the extra words; edges decide among several readings.

        A text that is empty shows only by where all the others stand.
        """
        readings: list[tuple[int, tuple[Value, ...]]] = []
        for place in self._texts:
            taken = found[place : place + extra + 1]
            start, end = (taken[0].start, taken[-1].end) if taken else (0, 0)
            row = [*found[:place], Word(line[start:end], start, end), *found[place + extra + 1 :]]
            if extra < 0 and self._aligned(row) < len(found):
                continue
            try:
                values = self._read([word.text for word in row])
            except LineError:
                continue
            readings.append((self._aligned(row), values))
        if not readings:
            raise LineError(f"{len(found)} fields instead of {len(self._cells)}")
        best = max(score for score, _unused in readings)
        chosen = [values for score, values in readings if score == best]
        if len(chosen) > 1:
            raise LineError("it is not clear which column holds the spaces")
        return chosen[0]

    def _aligned(self, row: list[Word]) -> int:
        """Return how many fields begin or end exactly where their header does."""
        pairs = zip(row, self._edges, strict=False)
        return sum(word.start == edge.start or word.end == edge.end for word, edge in pairs)

    def _read(self, fields: list[bytes]) -> tuple[Value, ...]:
        parts = zip(self._cells, fields, self._trims, strict=True)
        return tuple(read(field.removesuffix(trim)) for read, field, trim in parts)


def text(field: bytes) -> str:
    """Return a field of a cleaned line as it was printed, safe to show."""
    return plain(restored(field))


def _is_text(column: Column) -> bool:
    return column.type in ("string", "path")
