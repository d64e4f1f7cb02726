# SPDX-License-Identifier: GPL-3.0-or-later
"""Phrases that more than one message uses."""

from __future__ import annotations

from collections.abc import Iterable


def either(words: Iterable[str]) -> str:
    """Return `rows, table or text`."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def plural(count: int, noun: str) -> str:
    """Return `1 host`, `2 hosts`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
