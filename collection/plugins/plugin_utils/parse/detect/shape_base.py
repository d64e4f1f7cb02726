# SPDX-License-Identifier: GPL-3.0-or-later
"""What all readers of tables that were found in an output have in common."""

from __future__ import annotations

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import LineError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Layout, Value

MAX_KEYS = 50_000


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
        self.name = layout.table.name
        self._of = layout.of
        self._trims = [trim.encode() for trim in layout.trims]
        self._totals = Totals(layout) if layout.prints == "total" else None
        self._number = 0
        self.cut_rows = 0
        """Lines that look like rows but stand behind a line of text."""
        self.claimed = 0
        """Such lines that another table took."""

    def starts(self, line: bytes) -> bool:
        """Return whether this line begins a print of the table without being a row of it."""
        del line
        return False

    def rows(self, line: bytes, t_ms: int | None) -> list[Row] | None:
        """Return the rows that a line holds; None if it is none of this table."""
        raise NotImplementedError

    def other(self, line: bytes) -> None:
        """Take notice of a line that no table took."""

    def leave(self) -> None:
        """Take notice of a line that another table took."""

    def later(self) -> None:
        """Take notice that time has passed since the last line: text before that is no title of what comes now."""

    def restart(self) -> None:
        """Count rows from 1 again: what came until now was before the window."""
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
