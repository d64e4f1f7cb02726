# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers that a script printed for people: with a unit of their own, or shortened with K, M, G.

As everywhere in the product 1 KB is 1024 bytes, and so is 1 K of bytes; 1 K of anything else is 1000.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Literal, NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.quantities import (
    BYTES_PER_UNIT,
    UNITS_PER_SECOND,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.field_values import Cell, cell
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import LineError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Value

Kind = Literal["", "scale", "time", "bytes", "percent"]

_NUMBER = re.compile(rb"([-+]?[0-9]{1,19}(?:\.[0-9]{1,18})?)([A-Za-z%\xc2\xb5]{0,5})")
_PREFIXES = "KMGT"
_TIMES = {
    "ns": "ns",
    "nsec": "ns",
    "us": "us",
    "usec": "us",
    "usecs": "us",
    "\u00b5s": "us",
    "ms": "ms",
    "msec": "ms",
}
_TIMES |= {"msecs": "ms", "s": "s", "sec": "s", "secs": "s"}

_SUFFIXES: dict[bytes, tuple[Kind, Decimal]] = {b"": ("", Decimal(1)), b"%": ("percent", Decimal(1))}
_SUFFIXES |= {
    suffix.encode(): ("time", Decimal(1) / UNITS_PER_SECOND[unit]) for suffix, unit in _TIMES.items()
}
_SUFFIXES[b"B"] = ("bytes", Decimal(1))
for _power, _prefix in enumerate(_PREFIXES, 1):
    _SUFFIXES[f"{_prefix}i".encode()] = ("scale", Decimal(1024) ** _power)
    _SUFFIXES[_prefix.encode()] = ("scale", Decimal(1000) ** _power)
    for _unit in (f"{_prefix}B", f"{_prefix}iB", f"{_prefix.lower()}B"):
        _SUFFIXES[_unit.encode()] = ("bytes", Decimal(1024) ** _power)
_SUFFIXES[b"k"] = _SUFFIXES[b"K"]


class Printed(NamedTuple):
    """A printed number. factor: what one of its unit comes to in seconds, in bytes or as a plain number."""

    number: Decimal
    kind: Kind
    factor: Decimal

    @property
    def value(self) -> Decimal:
        """Return the number in seconds, bytes or per cent, or the plain number."""
        return self.number * self.factor

    @property
    def whole(self) -> bool:
        """Return whether the value has no fraction and was not printed with one."""
        return self.value == self.value.to_integral_value() and (
            self.number.as_tuple().exponent == 0 or self.kind == "scale"
        )


def printed_number(field: bytes) -> Printed | None:
    """Return the number that a field is; None if it is none, or its unit is not known."""
    found = _NUMBER.fullmatch(field)
    suffix = _SUFFIXES.get(found[2]) if found else None
    if found is None or suffix is None:
        return None
    return Printed(Decimal(found[1].decode()), *suffix)


def printed_cell(column: Column, text: Callable[[bytes], str]) -> Cell:
    """Return the function that reads printed fields of `column`, each by its own unit if it has one.

    The unit of the column is that of fields without one; where the column has none, a time or size must have its
    own, unless it is 0. LineError for anything else, as of `cell`.
    """
    if column.type not in ("int", "float", "duration", "bytes"):
        return cell(column, text=text)
    as_printed = cell(column)
    if column.type in ("duration", "bytes") and not column.unit:
        as_printed = _only_zero(column)

    def read(field: bytes) -> Value:
        found = printed_number(field)
        if found is None or found.kind == "":
            return as_printed(field)
        return _converted(column, found)

    return read


def _only_zero(column: Column) -> Cell:
    def read(field: bytes) -> Value:
        found = printed_number(field)
        if found is None or found.number:
            raise LineError(f"{column.name} has no unit")
        return 0 if column.type == "bytes" else 0.0

    return read


def _converted(column: Column, found: Printed) -> Value:
    """Return the value of a number that says its unit. LineError if it is none of this column's kind."""
    value = found.value
    if column.type == "int":
        fits = found.kind == "scale" or (found.kind == "percent" and column.unit == "%")
        if fits and value == value.to_integral_value() and abs(value) < 2**63:
            return int(value)
    elif column.type == "float":
        if found.kind == "scale" or (found.kind == "percent" and column.unit == "%"):
            return float(value)
    elif column.type == "duration":
        if found.kind == "time" and value >= 0:
            return float(value)
        if found.kind == "scale" and column.unit and value >= 0:
            return float(value / UNITS_PER_SECOND[column.unit])
    elif column.type == "bytes":
        if found.kind == "scale":  # of bytes, K is what KB is
            value = found.number * _of_bytes(found.factor) * BYTES_PER_UNIT[column.unit or "B"]
        if found.kind in ("bytes", "scale") and 0 <= value < 2**63:
            return int(value.to_integral_value())
    raise LineError(f"{column.name} is a number of another kind")


def _of_bytes(factor: Decimal) -> Decimal:
    """Return the power of 1024 that a K, M, G or T of bytes stands for."""
    for power in range(1, len(_PREFIXES) + 1):
        if factor in (Decimal(1000) ** power, Decimal(1024) ** power):
            return Decimal(1024) ** power
    return factor
