# SPDX-License-Identifier: GPL-3.0-or-later
"""One value -> what the page says, as `cells` has it, cut to what a page has room for. `units.js` does the same in
the browser; a test compares them."""

from __future__ import annotations

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Column,
    ColumnType,
    Value,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import values
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import packed

NOTHING = values.NOTHING
PLAIN_UNITS = values.PLAIN_UNITS


def of(column: Column, value: Value | None) -> str:
    """A value of a probe's own column."""
    if isinstance(value, str):
        return packed.text(value, column.type == "path")
    return values.value_cell(column, value).text


def shown(kind: ColumnType, value: Value | None, unit: str = "") -> str:
    """A value of this type. unit: said after the number where the type has none of its own."""
    return packed.text(values.shown(kind, value, unit))


def title(column: Column) -> str:
    """The words above a column, with the unit where cells do not carry it."""
    return packed.text(values.head_of(column).title)


def amount(value: float) -> str:
    """Whole numbers in full, others to three significant digits."""
    return values.shown("float", value)
