# SPDX-License-Identifier: GPL-3.0-or-later
"""Output form `text`: the lines as they are, the first ones kept, all counted."""

from __future__ import annotations

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row, SessionResult

MAX_LINES = 10_000
MAX_BYTES = 1024 * 1024


class TextForm:
    """Keeps the first lines, up to MAX_LINES and MAX_BYTES; the whole stays in the run directory.

    as_rows: also give each line, as a row of no table.
    """

    def __init__(
        self, max_lines: int = MAX_LINES, max_bytes: int = MAX_BYTES, *, as_rows: bool = False
    ) -> None:
        self._as_rows = as_rows
        self._lines: list[str] = []
        self._times: list[int | None] = []
        self._room = max_bytes
        self._max_lines = max_lines
        self._total = 0

    def line(self, line: bytes, t_ms: int | None = None) -> Row | None:
        self._total += 1
        text = plain(line)
        if len(line) <= self._room and len(self._lines) < self._max_lines:
            self._lines.append(text)
            self._times.append(t_ms)
            self._room -= len(line)
        else:
            self._room = -1  # what is kept is one piece: nothing after the first line left out
        return Row("", t_ms, self._total, (text,)) if self._as_rows else None

    def before(self, line: bytes) -> None:
        """Leave out a line before the window."""

    def finish(self, result: SessionResult) -> None:
        result.text_lines = tuple(self._lines)
        result.text_times = tuple(self._times)
        result.text_lines_total = self._total
