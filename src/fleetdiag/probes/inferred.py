# SPDX-License-Identifier: GPL-3.0-or-later
"""How the output of a script that has no manifest is read, in words."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.shapes import KINDS
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Layout, Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import plain, reading

_PRINTS = {
    "": "each print has new figures",
    "total": "figures count on from print to print",
    "unclear": "whether prints add up is not known, so the last one is shown",
}


def lines(probe: Probe) -> Iterator[str]:
    """Yield a line for each table, and one that says how to correct them; nothing of a probe with a manifest."""
    if not probe.unmodified:
        return
    if not probe.layouts:
        yield f"read as: {'call trace' if probe.form.calls else 'text'}"
    for layout in probe.layouts:
        yield f"read as: table {layout.table.name}, {KINDS[layout.kind].words}: {_columns(layout)}{_prints(layout)}"
    if not plain.is_example(probe.title):
        beside = reading.file_of(plain.path_of(probe.title))
        yield f"to have it read otherwise: say header, units, keys, merge or prints in {beside} (docs/scripts.md)"


def _columns(layout: Layout) -> str:
    return "; ".join(printable(_column(column)) for column in (*layout.table.columns, *layout.table.derived))


def _column(column: Column) -> str:
    unit = f" in {column.unit}" if column.unit else ""
    return f"{column.header or column.name} ({'key' if column.is_key else column.merge}{unit})"


def _prints(layout: Layout) -> str:
    return f"; {_PRINTS[layout.prints]}" if layout.table.interval or layout.prints else ""
