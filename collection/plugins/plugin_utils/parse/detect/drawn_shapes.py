# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers of what is drawn over several lines: histograms."""

from __future__ import annotations

import re

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.shape_base import Shape
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.titles import (
    histogram_name,
    unit_in,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.field_values import cell
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_words import (
    is_rule,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import LineError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Layout, Table

_HISTOGRAM = re.compile(rb"\s*(?:(\S.{0,199}?)[ \t:]+)?value \|-+ count\s*")
_BUCKET = re.compile(rb"\s*([<>]?)(-?[0-9]{1,19}) \|@*\s*([0-9]{1,19})\s*|\s*~\s*")
_MAX_ABOVE = 4
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
        found = _HISTOGRAM.fullmatch(line)
        if found is None:
            return False
        self._open = True
        if found[1]:  # printed without a line feed before the picture
            self._above.append(found[1])
        names = [named for above in reversed(self._above) if (named := histogram_name(above))]
        self.label = names[0] if names else ""
        units = [unit for above in reversed(self._above) if (unit := unit_in(above))]
        self.unit = units[0] if units else ""
        self.takes_title = bool(names) and not found[1] and histogram_name(self._above[-1]) == self.label
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

    def later(self) -> None:
        self._above.clear()

    def restart(self) -> None:
        super().restart()
        self._seen.clear()
