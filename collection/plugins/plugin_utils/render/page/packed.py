# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as the page's data block holds them: safe texts, short numbers, repeated words once."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Value

MAX_TEXT = 300
"""Characters of one text; the data files have the whole."""
_EXACT = 2**53
"""Integers beyond this are not exact in a browser."""

Json = Any


def text(value: str, tail: bool = False) -> str:
    """Return a text that is safe to show, of bounded length. tail: of one that is too long the end says more (paths)."""
    shown = printable(value)
    if len(shown) <= MAX_TEXT:
        return shown
    return "…" + shown[1 - MAX_TEXT :] if tail else shown[: MAX_TEXT - 1] + "…"


def number(value: float | None, digits: int = 8) -> float | None:
    """Return a whole number as it is, another one to so many significant digits; None if it is not finite."""
    if value is None or not math.isfinite(value):
        return None
    if isinstance(value, int) and abs(value) <= _EXACT:
        return value
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) <= _EXACT else short


def measure(value: Value | None) -> Json:
    """Return the value of a measure."""
    if value is None or isinstance(value, bool):
        return value
    return text(value) if isinstance(value, str) else number(value)


def key(value: Value, tail: bool = False) -> Json:
    """Return the value of a key; a number that a browser would round is a text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(value, tail)
    return number(value) if abs(value) <= _EXACT else str(value)


def words(texts: Iterable[str]) -> dict[str, list[Any]]:
    """Return texts that repeat, each once: `of` says which of `words` stands at a place."""
    places: dict[str, int] = {}
    of = [places.setdefault(item, len(places)) for item in texts]
    return {"words": list(places), "of": of}
