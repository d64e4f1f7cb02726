# SPDX-License-Identifier: GPL-3.0-or-later
"""Output form `table`: a header and aligned columns, as SystemTap's own examples print them.

The header says where the columns stand and, when it comes again, that a new interval begins. Such scripts
print names as they are, so a name may hold spaces: then the fields that are no text, and the columns' edges,
tell which words belong together. A line that stays ambiguous or does not fit is rejected.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.model import (
    Column,
    Row,
    SessionResult,
    Table,
    Value,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.cells import cell
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.decode import plain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.records import LineError

_ANSI = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_RULE = re.compile(rb"[-=_+|\s]*")
_WORD = re.compile(rb"\S+")
_MAX_EXTRA_WORDS = 64  # a process name of 15 bytes has at most 7 spaces, a path may have more


class _Span(NamedTuple):
    """Where a field stands in its line, in bytes: [start, end)."""

    start: int
    end: int


def _folded(text: str) -> str:
    """Letters, digits and % in lower case, anything between them one space: `KB Read` = `kb_read`."""
    return " ".join(re.findall(r"[0-9a-z%]+", text.lower()))


class TableForm:
    """Reads one table. Rows are numbered from 1, intervals (headers seen) from 0."""

    def __init__(self, table: Table) -> None:
        self._name = table.name
        self._headers = [_folded(column.header or column.name) for column in table.columns]
        self._header = " ".join(self._headers)
        self._cells = [cell(column, text=plain) for column in table.columns]
        self._texts = [place for place, column in enumerate(table.columns) if _is_text(column)]
        self._ignore = re.compile(table.ignore) if table.ignore else None
        self._edges: list[_Span] = []
        self._tabs = False
        self._interval = -1
        self._rows = 0

    def line(self, line: bytes, t_ms: int | None = None) -> Row | None:
        line = _ANSI.sub(b"", line)
        if _RULE.fullmatch(line):
            return None
        if _folded(plain(line)) == self._header:
            self._begin(line)
            return None
        if self._ignore is not None and self._ignore.search(plain(line)):
            return None
        if not self._edges:
            raise LineError("before the first header")
        values = self._values(line)
        self._rows += 1
        self._interval = max(0, self._interval)
        return Row(self._name, t_ms, self._rows, values, self._interval)

    def before(self, line: bytes) -> None:
        """A header before the window is that of the first rows in it: a script may print it once, at its start."""
        line = _ANSI.sub(b"", line)
        if _folded(plain(line)) == self._header:
            self._begin(line)
            self._interval = -1

    def finish(self, result: SessionResult) -> None:
        """Nothing is kept back."""

    def _begin(self, header: bytes) -> None:
        self._interval += 1
        self._tabs = header.count(b"\t") == len(self._headers) - 1
        self._edges = []
        name, start = "", -1
        for word in _WORD.finditer(header):
            start = word.start() if start < 0 else start
            name = _folded(f"{name} {plain(word[0])}")
            if name == self._headers[min(len(self._edges), len(self._headers) - 1)]:
                self._edges.append(_Span(start, word.end()))
                name, start = "", -1

    def _values(self, line: bytes) -> tuple[Value, ...]:
        if self._tabs and line.count(b"\t") == len(self._cells) - 1:
            return self._read([field.strip() for field in line.split(b"\t")])
        words = [_Span(*match.span()) for match in _WORD.finditer(line)]
        extra = len(words) - len(self._cells)
        if extra < 0:
            raise LineError(f"{len(words)} fields instead of {len(self._cells)}")
        if extra == 0:
            return self._read([line[span.start : span.end] for span in words])
        if extra > _MAX_EXTRA_WORDS or not self._texts:
            raise LineError(f"{len(words)} fields instead of {len(self._cells)}")
        return self._flexible(line, words, extra)

    def _flexible(self, line: bytes, words: list[_Span], extra: int) -> tuple[Value, ...]:
        """The reading in which a single text column takes the extra words; edges decide among several."""
        readings: list[tuple[int, tuple[Value, ...]]] = []
        for place in self._texts:
            joined = _Span(words[place].start, words[place + extra].end)
            spans = [*words[:place], joined, *words[place + extra + 1 :]]
            try:
                values = self._read([line[span.start : span.end] for span in spans])
            except LineError:
                continue
            readings.append((self._aligned(spans), values))
        if not readings:
            raise LineError(f"{len(words)} fields instead of {len(self._cells)}")
        best = max(score for score, _ in readings)
        chosen = [values for score, values in readings if score == best]
        if len(chosen) > 1:
            raise LineError("it is not clear which column holds the spaces")
        return chosen[0]

    def _aligned(self, spans: list[_Span]) -> int:
        """How many fields begin or end exactly where their header does."""
        pairs = zip(spans, self._edges, strict=False)
        return sum(span.start == edge.start or span.end == edge.end for span, edge in pairs)

    def _read(self, fields: list[bytes]) -> tuple[Value, ...]:
        return tuple(read(field) for read, field in zip(self._cells, fields, strict=True))


def _is_text(column: Column) -> bool:
    return column.type in ("string", "path")
