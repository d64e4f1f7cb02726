# SPDX-License-Identifier: GPL-3.0-or-later
"""One value -> what the page says, as `cells` has it, cut to what a page has room for. `units.js` does the same in
the browser; a test compares them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Column,
    ColumnType,
    Value,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import values
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.grids import Grid
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import packed
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.values import Cell, Head

NOTHING = values.NOTHING
PLAIN_UNITS = values.PLAIN_UNITS


def of(column: Column, value: Value | None) -> str:
    """Return a value of a probe's own column."""
    if isinstance(value, str):
        return packed.text(value, column.type == "path")
    return values.value_cell(column, value).text


def shown(kind: ColumnType, value: Value | None, unit: str = "") -> str:
    """Return a value of this type. unit: said after the number where the type has none of its own."""
    return packed.text(values.shown(kind, value, unit))


def title(column: Column) -> str:
    """Return the words above a column, with the unit where cells do not carry it."""
    return packed.text(values.head_of(column).title)


def amount(value: float) -> str:
    """Return whole numbers in full, others to three significant digits."""
    return values.shown("float", value)


def packed_all(given: Iterable[Value | None]) -> list[Value | None]:
    """Return values with their numbers as the script has them, so that both round alike."""
    return [
        packed.number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
        for value in given
    ]


def cell(given: Cell, head: Head) -> str:
    """Return what the page shows of a cell, cut to what it has room for."""
    return packed.text(given.text, head.tail) + (" *" if given.mark else "")


def titled(head: Head) -> Head:
    """Return a head of the document's own as the page writes it: with a capital letter."""
    return replace(head, title=f"{head.title[:1].upper()}{head.title[1:]}")


def titled_grid(grid: Grid) -> Grid:
    """Return a grid whose heads are all the document's own."""
    return replace(grid, heads=[*map(titled, grid.heads)])


def sentence(clause: str) -> str:
    """Return a clause as a sentence of its own."""
    return f"{clause[:1].upper()}{clause[1:]}."
