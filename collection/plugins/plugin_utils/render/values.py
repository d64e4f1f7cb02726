# SPDX-License-Identifier: GPL-3.0-or-later
"""One value -> the text a person reads, with its unit. Every text from a host passes `printable()` here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import quantities
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.quantities import UNITS_PER_SECOND
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Column,
    ColumnType,
    Value,
)

NOTHING = "-"
PLAIN_UNITS = quantities.PLAIN
amount, size, time = quantities.amount, quantities.size, quantities.time
_TEXTS = ("string", "path", "bool")


@dataclass(frozen=True)
class Cell:
    """A shown text. mark: what its figures lack. depth: in a call tree."""

    text: str
    mark: str = ""
    depth: int = 0


@dataclass(frozen=True)
class Head:
    """The head of a column. numeric: to the right. tail: of a text that is too long the end says more (paths).

    least: columns of a terminal it is never cut below. spare: where there is no room, those with the highest go first,
    those with 0 never; `told` ones are named then.
    """

    title: str
    numeric: bool = False
    tail: bool = False
    least: int = 8
    spare: int = 0
    told: bool = False


HOST = Head("host", least=20)


def head_of(column: Column) -> Head:
    """Return the head of a probe's own column, with the unit where cells do not carry it."""
    name = printable(column.words)
    own = column.type in ("bytes", "duration", "timestamp", *_TEXTS)
    unit = "" if own else column.shown_unit
    bare = unit in PLAIN_UNITS or name.split()[-1:] == [unit]
    title = name if bare else f"{name} ({printable(unit)})"
    return Head(title, column.type not in _TEXTS, column.type == "path")


def value_cell(column: Column, value: Value | None) -> Cell:
    """Return a value of a probe's own column. A key that is a number is a name, not an amount."""
    if column.is_key and column.type in ("int", "float") and value is not None:
        return Cell(str(value))
    return Cell(shown(column.type, value, column.unit if column.type == "timestamp" else ""))


def shown(kind: ColumnType, value: Value | None, unit: str = "") -> str:
    """Return a value of this type as text. unit: said after the number where the type has none of its own."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return printable(value)
    if not math.isfinite(value):
        return NOTHING
    if kind == "bytes":
        return size(value)
    if kind == "duration":
        return time(value)
    if kind == "timestamp":
        return moment(value / UNITS_PER_SECOND.get(unit or "s", 1))
    return amount(value) + ("" if unit in PLAIN_UNITS else f" {printable(unit)}")


def rate_cell(column: Column, rate: float | None) -> Cell:
    """Return a value per second really sampled."""
    if rate is None:
        return Cell(NOTHING)
    return Cell(f"{size(rate) if column.type == 'bytes' else amount(rate)}/s")


def seconds(value: float | None, digits: int = 1) -> Cell:
    """Return seconds, or a dash where they are not known."""
    return Cell(NOTHING if value is None else f"{value:,.{digits}f} s")


def text(value: str, mark: str = "") -> Cell:
    """Return a text of any origin as a cell."""
    return Cell(printable(value), mark=printable(mark))


def moment(epoch_s: float | None) -> str:
    """Return a time as `2026-11-23 08:00:00 UTC`, or a dash."""
    if epoch_s is None:
        return NOTHING
    try:
        return f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{epoch_s:g}"
