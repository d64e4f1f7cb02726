# SPDX-License-Identifier: GPL-3.0-or-later
"""One printed field -> one typed value, by its column. What does not fit is rejected, never guessed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.quantities import (
    BYTES_PER_UNIT,
    UNITS_PER_SECOND,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import decode
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import (
    LineError,
    whole_number,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Value

_FLOAT = re.compile(rb"-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?")
TRUTHS = {b"0": False, b"1": True, b"false": False, b"true": True}

Cell = Callable[[bytes], Value]


def cell(column: Column, text: Callable[[bytes], str] = decode) -> Cell:
    """Return the function that reads fields of `column`. `text` undoes the script's escaping of strings.

    It returns bytes as int (1 KB = 1024), durations as float seconds, timestamps and ints as printed; it
    raises LineError for anything else: no number, not finite, beyond 64 bits, negative bytes or durations.
    """
    name = column.name
    if column.type in ("string", "path"):
        return text
    if column.type in ("int", "timestamp"):
        return lambda field: whole_number(field, name)
    if column.type == "float":
        return lambda field: _decimal(field, name)
    if column.type == "bytes":
        factor = BYTES_PER_UNIT[column.unit or "B"]
        return lambda field: _bytes(field, name, factor)
    if column.type == "duration":
        parts = UNITS_PER_SECOND[column.unit or "s"]
        return lambda field: _seconds(field, name, parts)
    return lambda field: _truth(field, name)


def _decimal(field: bytes, name: str) -> float:
    if not _FLOAT.fullmatch(field):
        raise LineError(f"{name} is not a number")
    number = float(field)
    if not math.isfinite(number):
        raise LineError(f"{name} is too large")
    return number


def _bytes(field: bytes, name: str, factor: int) -> int:
    number = whole_number(field, name) * factor
    if not 0 <= number < 2**63:
        raise LineError(f"{name} is no possible size")
    return number


def _seconds(field: bytes, name: str, parts: int) -> float:
    number = _decimal(field, name)
    if number < 0:
        raise LineError(f"{name} is negative")
    return number / parts


def _truth(field: bytes, name: str) -> bool:
    if field not in TRUTHS:
        raise LineError(f"{name} is neither 0 nor 1")
    return TRUTHS[field]
