# SPDX-License-Identifier: GPL-3.0-or-later
"""Regular expressions of manifests, which may be of unknown origin, on texts that probed hosts choose.

Python tries every way in which an expression can match before it says no. So one with too many ways is refused, and
a line that is too long for these is not looked at.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from re import _parser  # type: ignore[attr-defined]
from typing import Any

MAX_TEXT = 256
"""A longer line is none that an expression speaks of."""
MAX_BITS = 27
"""Binary logarithm of the ways: three repeats without end on a text of that length, and a little more."""


def fault(expression: str, *, anywhere: bool) -> str:
    """Return why an expression cannot be taken; empty if it can. anywhere: it may match from any place of a text."""
    try:
        re.compile(expression)
        tree = _parser.parse(expression)
        bits = _bits(tree)
    except (re.error, RecursionError, OverflowError) as error:
        return f"is not a regular expression ({error})"
    except _TooManyError as error:
        return str(error)
    if anywhere and not _is_anchored(tree):
        bits += math.log2(MAX_TEXT)
    return "has too many *, +, ? and |: a line could match in too many ways" if bits > MAX_BITS else ""


def finds(expression: re.Pattern[str], text: str) -> bool:
    """Return whether a line matches somewhere; one that is too long does not."""
    return len(text) <= MAX_TEXT and expression.search(text) is not None


class _TooManyError(Exception):
    """Says what makes the number of ways grow exponentially with the text."""


def _is_anchored(tree: Iterable[Any]) -> bool:
    first = next(iter(tree), None)
    return (
        first is not None
        and str(first[0]) == "AT"
        and str(first[1]) in ("AT_BEGINNING", "AT_BEGINNING_STRING")
    )


def _bits(tree: Iterable[Any]) -> float:
    """Return the binary logarithm of the ways in which a sequence can match one text."""
    return sum(_of_one(str(name), value) for name, value in tree)


def _of_one(name: str, value: Any) -> float:
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, most, inner = value
        bits = _bits(inner)
        if bits and most > 1:
            raise _TooManyError("has a repeat or an alternative within a repeat")
        return bits + math.log2(max(1, min(int(most), MAX_TEXT) - int(least) + 1))
    if name == "BRANCH":
        return math.log2(len(value[1])) + sum(_bits(part) for part in value[1])
    if name in ("SUBPATTERN", "ASSERT", "ASSERT_NOT"):
        return _bits(value[-1])
    if name == "ATOMIC_GROUP":
        return _bits(value)
    if name in ("GROUPREF", "GROUPREF_EXISTS"):
        raise _TooManyError("refers to a group of its own")
    return 0.0
