# SPDX-License-Identifier: GPL-3.0-or-later
"""Histograms as SystemTap draws them: found in what several hosts printed."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.columns import (
    PrintedColumn,
    type_and_unit,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.drawn_shapes import (
    HISTOGRAM,
    HistogramShape,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.headers import rows_of
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.prints import (
    Forgets,
    prints_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.sample import Samples
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import ColumnType, Layout, View


def drawn_histograms(samples: Samples, forgets: Forgets) -> list[Layout]:
    """Return the layout of all histograms in an output; none if there is none."""
    found = rows_of(HISTOGRAM, samples)
    if not any(found):
        return []
    kind, unit = _unit(samples, found)
    what, value, count = HISTOGRAM.table.columns
    again = any(row.interval for rows in found for row in rows)
    prints = prints_of(HISTOGRAM, found, forgets) if again else ""
    if prints == "unclear":
        count = replace(count, merge="last")
    views = (View("histogram", "count", "value"), *((View("heatmap", "count", "value"),) if again else ()))
    columns = (what, replace(value, type=kind, unit=unit), count)
    return [
        replace(
            HISTOGRAM,
            table=replace(HISTOGRAM.table, columns=columns, interval=again, views=views),
            prints=prints,
        )
    ]


def _unit(samples: Samples, found: list[list[Row]]) -> tuple[ColumnType, str]:
    """Return type and unit of the values, if the text above all histograms says the same one."""
    units = set()
    for sample in samples:
        reader = HistogramShape(HISTOGRAM)
        t_ms: int | None = None
        for line in sample:
            if line.t_ms != t_ms:
                reader.later()
            t_ms = line.t_ms
            if reader.starts(line.text):
                units.add(reader.unit)
            elif reader.rows(line.text, line.t_ms) is None:
                reader.other(line.text)
    below_zero = any(int(row.values[1]) < 0 for rows in found for row in rows)  # no time, and no size
    if len(units) != 1 or below_zero:
        return "int", ""
    return type_and_unit(PrintedColumn(f"({units.pop()})", [b"1"]))
