# SPDX-License-Identifier: GPL-3.0-or-later
"""Output form `text`: the lines as they are, the first ones kept, all counted."""

from __future__ import annotations

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.model import SessionResult
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.decode import plain

MAX_LINES = 10_000
MAX_BYTES = 1024 * 1024


class TextForm:
    """Keeps the first lines, up to MAX_LINES and MAX_BYTES; the whole stays in the run directory."""

    def __init__(self, max_lines: int = MAX_LINES, max_bytes: int = MAX_BYTES) -> None:
        self._lines: list[str] = []
        self._times: list[int | None] = []
        self._room = max_bytes
        self._max_lines = max_lines
        self._total = 0

    def line(self, line: bytes, t_ms: int | None = None) -> None:
        self._total += 1
        if len(line) <= self._room and len(self._lines) < self._max_lines:
            self._lines.append(plain(line))
            self._times.append(t_ms)
            self._room -= len(line)
        else:
            self._room = -1  # what is kept is one piece: nothing after the first line left out

    def before(self, line: bytes) -> None:
        """Left out."""

    def finish(self, result: SessionResult) -> None:
        result.text_lines = tuple(self._lines)
        result.text_times = tuple(self._times)
        result.text_lines_total = self._total
