# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that say themselves what their figures are: `proc=nginx reads=5`, and `[12:00:01] 523 reqs/s`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.columns import (
    MAX_COLUMNS,
    PrintedColumn,
    column_names,
    table_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.headers import described
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.prints import Forgets
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.record_shapes import (
    pairs,
    rate,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.sample import Samples
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Layout

_MIN_LINES = 2
_MIN_RATES = 3
_MAX_FORMS = 6


def paired_tables(samples: Samples, forgets: Forgets) -> list[Layout]:
    """Return a layout for each series of names that lines of `name=value name=value` have."""
    forms: dict[tuple[bytes, ...], list[tuple[bytes, ...]]] = {}
    for line in (line for sample in samples for line in sample):
        found = pairs(line.text) if b"=" in line.text else None
        if (
            found is not None
            and len(found) <= MAX_COLUMNS
            and len({name for name, _unused in found}) == len(found)
        ):
            forms.setdefault(tuple(name for name, _unused2 in found), []).append(
                tuple(item for _unused3, item in found)
            )
    tables = [(names, rows) for names, rows in forms.items() if len(rows) >= _MIN_LINES]
    if len(tables) > _MAX_FORMS:
        return []
    layouts = [_paired([plain(name) for name in names], rows, samples, forgets) for names, rows in tables]
    return [layout for layout in layouts if layout is not None]


def _paired(
    names: Sequence[str], rows: Sequence[tuple[bytes, ...]], samples: Samples, forgets: Forgets
) -> Layout | None:
    seen = [PrintedColumn(name, items) for name, items in zip(names, zip(*rows, strict=True), strict=True)]
    if all(column.content == "text" for column in seen):
        return None
    frame = Layout("pairs", table_of("table", "", ()), ("",) * len(names))
    return described(frame, seen, names, samples, repeated=True, forgets=forgets)


def rates(samples: Samples) -> list[Layout]:
    """Return a layout for each unit of which hosts print a figure per second with its time."""
    units: dict[bytes, list[bytes]] = {}
    for line in (line for sample in samples for line in sample):
        found = rate(line.text) if b"/s" in line.text else None
        if found is not None:
            units.setdefault(found[1], []).append(found[0])
    layouts = []
    for unit, items in units.items():
        if len(items) >= _MIN_RATES:
            name = column_names([plain(unit)])[0]
            kind = PrintedColumn("", items).content
            column = Column(
                name, "int" if kind == "int" else "float", "measure", "A figure per second, as printed."
            )
            column = replace(column, unit=plain(unit), merge="mean")
            table = replace(table_of("rate", "Figures per second.", (column,), interval=True), sort=name)
            layouts.append(Layout("rate", table, ("",), plain(unit)))
    return layouts
