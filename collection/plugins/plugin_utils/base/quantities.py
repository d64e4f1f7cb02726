# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers as people read them, with the unit that suits them: for sentences as well as for the cells of a table."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

PLAIN = ("", "1", "B", "s")
"""Units that a number carries itself, or needs not."""
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))

SECONDS_OF = {"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
"""Units of a length of time as a person writes it, in seconds."""


def amount(value: float) -> str:
    """Return a bare number: whole ones in full, others to three significant digits."""
    if float(value).is_integer():
        return f"{int(value):,}" if abs(value) < 1e15 else f"{value:.3g}"
    places = min(9, max(0, 2 - math.floor(math.log10(abs(value)))))
    fixed = f"{Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):,f}"
    return fixed.rstrip("0").rstrip(".") if "." in fixed else fixed


def size(value: float) -> str:
    """Return bytes as text, by powers of 1024."""
    left, unit = float(value), 0
    while abs(left) >= 1024 and unit < len(_SIZES) - 1:
        left, unit = left / 1024, unit + 1
    return f"{amount(left)} {_SIZES[unit]}"


def time(seconds: float) -> str:
    """Return seconds as text, in the unit that suits them."""
    if not seconds:
        return "0 s"
    for step, unit in _TIMES:
        if abs(seconds) >= step:
            return f"{amount(seconds / step)} {unit}"
    return f"{amount(seconds / 1e-9)} ns"


def figure(kind: str, value: float, unit: str = "") -> str:
    """Return a number of a column of this type. unit: said after it where the type has none of its own."""
    if kind == "bytes":
        return size(value)
    if kind == "duration":
        return time(value)
    return amount(value) + ("" if unit in PLAIN else f" {unit}")


# --- units of columns ---

BYTES_PER_UNIT = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
UNITS_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


@dataclass(frozen=True)
class Measured:
    """A column type whose values are converted. shown: the unit they are kept in; metric: that unit for OpenMetrics.

    units: what a script may print, the only place where a unit is registered.
    """

    shown: str
    metric: str
    units: Mapping[str, int]


MEASURED = {
    "bytes": Measured("B", "bytes", BYTES_PER_UNIT),
    "duration": Measured("s", "seconds", UNITS_PER_SECOND),
}


def for_page() -> str:
    """Return the constants of page/units.js, so that the page reads values as reports do."""
    constants = {"SIZES": _SIZES, "TIMES": _TIMES, "PER_SECOND": UNITS_PER_SECOND}
    return "".join(f"const {name} = {json.dumps(value)};\n" for name, value in constants.items())
