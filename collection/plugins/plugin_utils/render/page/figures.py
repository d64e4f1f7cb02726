# SPDX-License-Identifier: GPL-3.0-or-later
"""One value -> what a person reads. `units.js` does the same in the browser; a test compares them."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.model import Column, ColumnType, Value
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.cells import UNITS_PER_SECOND
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import cells
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import pack

NOTHING = cells.NOTHING
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
PLAIN_UNITS = ("", "1", "B", "s")
"""Units that cells carry themselves, or need not."""


def of(column: Column, value: Value | None, per: str = "") -> str:
    """A value of a probe's own column."""
    if column.is_key and isinstance(value, (int, float)) and column.type in ("int", "float"):
        return str(pack.key(value))  # a process number is a name, not an amount
    unit = column.unit if column.type == "timestamp" else ""
    return shown(column.type, value, unit, per)


def shown(kind: ColumnType, value: Value | None, unit: str = "", per: str = "") -> str:
    """A value of this type. unit: said after the number where the type has none of its own."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return pack.text(value, kind == "path")
    if not math.isfinite(value):
        return NOTHING
    if kind == "bytes":
        return _size(value) + per
    if kind == "duration":
        return _time(value) + per
    if kind == "timestamp":
        return cells.moment(value / UNITS_PER_SECOND.get(unit or "s", 1))
    return amount(value) + ("" if unit in PLAIN_UNITS else f" {pack.text(unit)}") + per


def title(column: Column) -> str:
    """The words above a column, with the unit where cells do not carry it."""
    name = pack.text(column.words)
    own = column.type in ("bytes", "duration", "timestamp", "string", "path", "bool")
    unit = "" if own else column.shown_unit
    return name if unit in PLAIN_UNITS or name.split()[-1:] == [unit] else f"{name} ({pack.text(unit)})"


def amount(value: float) -> str:
    """Whole numbers in full, others to three significant digits."""
    if float(value).is_integer():
        return f"{int(value):,}" if abs(value) < 1e15 else f"{value:.3g}"
    size = abs(value)
    places = min(9, max(0, 2 - math.floor(math.log10(size))))
    fixed = f"{Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):,f}"
    return fixed.rstrip("0").rstrip(".") if "." in fixed else fixed


def _size(value: float) -> str:
    left, unit = float(value), 0
    while abs(left) >= 1024 and unit < len(_SIZES) - 1:
        left, unit = left / 1024, unit + 1
    return f"{amount(left)} {_SIZES[unit]}"


def _time(seconds: float) -> str:
    if not seconds:
        return "0 s"
    for step, unit in _TIMES:
        if abs(seconds) >= step:
            return f"{amount(seconds / step)} {unit}"
    return f"{amount(seconds / 1e-9)} ns"
