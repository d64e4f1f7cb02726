# SPDX-License-Identifier: GPL-3.0-or-later
"""Output of scripts that were not written for fleetdiag, read by the layouts that were found in it.

Every line is offered to the layouts. What none of them takes is kept as text and counted: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.shape_base import Shape
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.shapes import shape
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row, SessionResult
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_words import (
    cleaned,
    is_rule,
    without_colours,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.text import TextForm
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Layout


class LayoutsForm:
    """Reads all tables of a script. Rows of each are numbered from 1."""

    def __init__(self, layouts: Sequence[Layout]) -> None:
        self._layouts = layouts
        self._shapes = [shape(layout) for layout in layouts]
        self._current = self._shapes[0]
        self._counts = any(not layout.table.derived for layout in layouts)  # and not only lists events
        self._text = TextForm()
        self._t_ms: int | None = None
        self._held: tuple[bytes, int | None] | None = (
            None  # it may be the title of what begins with the next line
        )

    def line(self, line: bytes, t_ms: int | None = None) -> list[Row]:
        return self._read(line, t_ms) or []

    def takes(self, line: bytes, t_ms: int | None) -> bool:
        """Read a line, and return True if it is a part of a table."""
        return self._read(line, t_ms) is not None

    def _read(self, line: bytes, t_ms: int | None) -> list[Row] | None:
        """Return the rows that a line holds; None if it is text."""
        if t_ms != self._t_ms:
            self._t_ms = t_ms
            for candidate in self._shapes:
                candidate.later()
        seen, raw = cleaned(line), without_colours(line)
        for candidate in self._shapes:
            if candidate.starts(raw if candidate.raw else seen):
                self._take(candidate, began=True)
                return []
        for candidate in (self._current, *(each for each in self._shapes if each is not self._current)):
            rows = candidate.rows(raw if candidate.raw else seen, t_ms)
            if rows is not None:
                self._take(candidate, began=False)
                return rows
        for candidate in self._shapes:
            candidate.other(raw if candidate.raw else seen)
        if not is_rule(seen):
            self._let_go(keep=True)
            self._held = line, t_ms
        return None

    def cut_tables(self, rows: Sequence[Row]) -> set[int]:
        """Return the numbers of the tables behind which rows came that they could not take.

        rows: all that were read. A list that comes below a table in some of its prints only is the rest of it.
        """
        prints = {row.table: 1 + (row.interval or 0) for row in rows}
        lists = [prints.get(layout.table.name, 0) for layout in self._layouts if layout.kind == "list"]
        return {
            place
            for place, (layout, candidate) in enumerate(zip(self._layouts, self._shapes, strict=True))
            if candidate.cut_rows
            or (candidate.claimed and any(0 < each < prints.get(layout.table.name, 0) for each in lists))
        }

    def before(self, line: bytes) -> None:
        """Remember a header before the window: it is that of the first rows in it."""
        seen, raw = cleaned(line), without_colours(line)
        for candidate in self._shapes:
            if candidate.starts(raw if candidate.raw else seen):
                self._current = candidate
            candidate.restart()

    def finish(self, result: SessionResult) -> None:
        self._let_go(keep=True)
        self._text.finish(result)
        if self._counts and result.armed_ms is not None and result.start_ms is not None:
            early_s = (result.start_ms - result.armed_ms) / 1000
            if early_s >= 1:
                result.notes.append(
                    f"its figures may count from when it was armed, {early_s:.0f} s before the window"
                )
        for candidate in self._shapes:
            if candidate.cut_rows:
                rows = f"{candidate.cut_rows} line" + "s" * (candidate.cut_rows > 1)
                result.notes.append(
                    f"{rows} may be rows of table {candidate.name} but stand behind other text:"
                    " its figures may lack them"
                )
        for layout in self._layouts:
            if layout.prints == "unclear":
                result.notes.append(
                    f"whether the prints of table {layout.table.name} add up could not be decided from the script and"
                    " the figures: the last print is shown"
                )
        if result.text_lines_total:
            lines = (
                "1 line is no row"
                if result.text_lines_total == 1
                else f"{result.text_lines_total} lines are no rows"
            )
            result.notes.append(f"{lines} of the tables that were found in this output and kept as text")

    def _take(self, taker: Shape, *, began: bool) -> None:
        """Give the line to the taker: the tables of the others end, and the line above may be its title."""
        self._let_go(keep=not (taker.takes_title and (began or not taker.has_header)))
        self._current = taker
        for other in self._shapes:
            if other is not taker:
                other.leave()

    def _let_go(self, *, keep: bool) -> None:
        if self._held is not None and keep:
            self._text.line(*self._held)
        self._held = None
