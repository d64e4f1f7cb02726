# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of rows in a merged table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.keys import Cells, Key
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Table, Value


def row_order(table: Table) -> Callable[[str, Key, Cells], tuple[Any, ...]]:
    """Return the key function of a total order: sort column, then host and key. Rows without the value come last."""
    keys = [column.name for column in table.keys]
    by_key = keys.index(table.sort) if table.sort in keys else None
    measure = sort_measure(table)
    descending = table.descending or not table.sort

    def rank(host: str, key: Key, values: Cells) -> tuple[Any, ...]:
        names = tuple(comparable(value) for value in key)
        if by_key is not None and by_key < len(key):
            first = comparable(key[by_key])
            if descending:
                first = (first[0], -first[1], (*(-ord(c) for c in first[2]), 1))
            return (first, host, names)
        value = values[measure] if measure is not None else None
        if not isinstance(value, (int, float)):
            return ((1, 0), host, names)
        return ((0, -value if descending else value), host, names)

    return rank


def comparable(value: Value) -> tuple[Any, ...]:
    """Return a sort key that puts numbers before texts, each in their own order."""
    return (0, value, "") if isinstance(value, (int, float)) else (1, 0, value)


def sort_measure(table: Table) -> int | None:
    """Return the sort column's position among the measures; 0 if it is a key or not named, None without measures."""
    names = [column.name for column in table.measures]
    if table.sort in names:
        return names.index(table.sort)
    return 0 if names else None
