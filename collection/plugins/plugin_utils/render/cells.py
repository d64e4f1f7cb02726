# SPDX-License-Identifier: GPL-3.0-or-later
"""One value -> the text a person reads, with its unit. Every text from a host passes `printable()` here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.model import Column, Value
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.cells import UNITS_PER_SECOND
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.decode import printable

NOTHING = "-"
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


@dataclass(frozen=True)
class Cell:
    """A shown text; `sort` is the number behind it, None for texts. mark: what its figures lack. tree: call
    depth."""

    text: str
    sort: float | None = None
    mark: str = ""
    depth: int = 0


@dataclass(frozen=True)
class Head:
    """The head of a column. numeric: to the right. tail: of a text that is too long the end says more
    (paths)."""

    title: str
    numeric: bool = False
    tail: bool = False
    description: str = ""


def head_of(column: Column) -> Head:
    """The head of a probe's own column, with the unit where cells do not carry it."""
    unit = column.shown_unit
    name = printable(column.name).replace("_", " ")
    plain = unit in ("", "1") or column.type in ("bytes", "duration", "timestamp", "string", "path", "bool")
    title = name if plain or name.split()[-1] == unit else f"{name} ({printable(unit)})"
    if column.type == "duration" and name not in ("seconds", "s"):
        title = f"{name} (s)"
    numeric = column.type not in ("string", "path", "bool")
    return Head(title, numeric, column.type == "path", printable(column.description))


def value_cell(column: Column, value: Value | None) -> Cell:
    """A value of a probe's own column."""
    if value is None:
        return Cell(NOTHING)
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if isinstance(value, str):
        return Cell(printable(value))
    if column.type == "bytes":
        return size(value)
    if column.type == "duration":
        return Cell(f"{value:,.6f}", float(value))
    if column.type == "timestamp":
        return Cell(_moment(value, column.unit), float(value))
    return amount(value)


def amount(value: float) -> Cell:
    """A bare number: whole ones in full, others with six significant digits."""
    if isinstance(value, int):
        return Cell(f"{value:,}", float(value))
    return Cell(f"{value:,.0f}" if abs(value) >= 1e6 else f"{value:,.6g}", value)


def size(value: float, per: str = "") -> Cell:
    """Bytes by powers of 1024."""
    shown, unit = float(value), 0
    while abs(shown) >= 1024 and unit < len(_SIZES) - 1:
        shown, unit = shown / 1024, unit + 1
    digits = 0 if unit == 0 and not per else 1
    return Cell(f"{shown:,.{digits}f} {_SIZES[unit]}{per}", float(value))


def rate_cell(column: Column, rate: float | None) -> Cell:
    """A value per second really sampled."""
    if rate is None:
        return Cell(NOTHING)
    if column.type == "bytes":
        return size(rate, "/s")
    return Cell(f"{rate:,.1f}/s", rate)


def seconds(value: float | None, digits: int = 1) -> Cell:
    """Seconds, or a dash where they are not known."""
    return Cell(NOTHING) if value is None else Cell(f"{value:,.{digits}f} s", value)


def microseconds(value: int) -> Cell:
    """Microseconds as milliseconds."""
    return Cell(f"{value / 1000:,.3f}", float(value))


def text(value: str, mark: str = "") -> Cell:
    """A text of any origin."""
    return Cell(printable(value), mark=printable(mark))


def moment(epoch_s: float | None) -> str:
    """`2026-11-23 08:00:00 UTC`, or a dash."""
    if epoch_s is None:
        return NOTHING
    try:
        return f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{epoch_s:g}"


def _moment(value: float, unit: str) -> str:
    parts = UNITS_PER_SECOND.get(unit or "s")
    return moment(value / parts) if parts else f"{value}"
