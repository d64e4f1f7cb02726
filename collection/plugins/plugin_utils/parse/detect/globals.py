# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that SystemTap prints at the end, because the script never reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain, unescape
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.columns import (
    column_names,
    table_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.sample import Samples
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Layout, Merge

_GLOBAL = re.compile(rb"([A-Za-z_][A-Za-z0-9_]{0,60})(\[.{1,2000}\])?( ?[=@].{1,2000})")
_PART = re.compile(rb'"((?:[^"\\]|\\.)*)"|(-?0x[0-9a-fA-F]{1,16}|-?[0-9]{1,19})')
_STATISTIC = re.compile(rb" ?@(count|min|max|sum|avg|variance)=(-?0x[0-9a-fA-F]{1,16}|-?[0-9]{1,19})")


def printed_globals(samples: Samples) -> list[Layout]:
    """Return a layout for each variable that SystemTap prints at the end, because the script never reads it."""
    found: dict[str, tuple[list[int | str], dict[str, int | str]]] = {}
    for line in (line for sample in samples for line in sample):
        entry = global_entry(line.text)
        if entry is not None:
            found.setdefault(entry[0], entry[1:])
    return [_global(name, keys, values) for name, (keys, values) in found.items()]


def _global(name: str, keys: Sequence[int | str], values: Mapping[str, int | str]) -> Layout:
    merges: dict[str, Merge] = {"count": "sum", "sum": "sum", "min": "min", "max": "max"}
    columns = [
        Column(
            "key" if len(keys) == 1 else f"key_{place}",
            "int" if isinstance(value, int) else "string",
            "key",
            f"Index {place} of {name}.",
        )
        for place, value in enumerate(keys, 1)
    ]
    columns += [
        Column(
            key,
            "int" if isinstance(value, int) else "string",
            "measure",
            f"What {name} holds." if key == "value" else f"The {key} of the values in {name}.",
            merge=merges.get(key, "last"),
        )
        for key, value in values.items()
    ]
    table = table_of(
        column_names([name])[0], f"The variable {name} of the script, at its end.", tuple(columns)
    )
    return Layout("global", table, of=name)


def global_entry(line: bytes) -> tuple[str, list[int | str], dict[str, int | str]] | None:
    """Return (name, keys, values) of a variable as SystemTap prints it; None if a line is none."""
    found = _GLOBAL.fullmatch(line)
    if found is None:
        return None
    keys: list[int | str] = []
    if found[2]:
        keys = [_part(part) for part in _PART.finditer(found[2])]
        joined = b",".join(part[0] for part in _PART.finditer(found[2]))
        if b"[" + joined + b"]" != found[2]:
            return None
    statistics = list(_STATISTIC.finditer(found[3]))
    if statistics and b"".join(part[0] for part in statistics) == found[3]:
        return plain(found[1]), keys, {plain(part[1]): _whole(part[2]) for part in statistics}
    value = _PART.fullmatch(found[3][1:]) if found[3].startswith(b"=") else None
    if value is None or (not keys and not (value[2] or b"").lstrip(b"-").startswith(b"0x")):
        return None  # name="text" and name=5 may be anything: SystemTap prints numbers as 0x5
    return plain(found[1]), keys, {"value": _part(value)}


def _part(found: re.Match[bytes]) -> int | str:
    return plain(unescape(found[1])) if found[1] is not None else _whole(found[2])


def _whole(text: bytes) -> int:
    return int(text, 16 if b"x" in text else 10)
