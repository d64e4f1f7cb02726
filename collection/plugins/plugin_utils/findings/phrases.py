# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts that sentences are made of. Every text of a host or a manifest passes printable() here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import quantities
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.quantities import UNITS_PER_SECOND
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.keys import Key
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Table, Value

NAMES = 5
_LONGEST = 100
_TIME = re.compile(r"\{([a-z][a-z0-9_]*)\} (ns|us|ms|s)\b")
_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def figure(column: Column, value: float) -> str:
    """Return a figure as text: `8.47 s`, `12 MiB`, `14`."""
    if column.merge in ("count", "records"):
        return quantities.amount(value)
    return quantities.figure(column.type, value, printable(column.shown_unit))


def name(column: Column) -> str:
    return printable(column.words)


def what(phrase: str, parameters: Mapping[str, Value]) -> str:
    """Return a manifest's phrase with the parameters of the sweep: `files open longer than 1 s`."""

    def time(match: re.Match[str]) -> str:
        value = parameters.get(match[1])
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return match[0]
        return quantities.time(value / UNITS_PER_SECOND[match[2]])

    def plain(match: re.Match[str]) -> str:
        return str(parameters.get(match[1], match[0]))

    return printable(_PLACE.sub(plain, _TIME.sub(time, phrase)))


def key(table: Table, values: Key) -> str:
    """Return `/var/www/x.html (httpd)`: a path first, other texts in brackets; numbers only if there is nothing else."""
    pairs = list(zip(table.keys, values, strict=True))
    paths = [_cut(printable(str(value))) for column, value in pairs if column.type == "path" and value != ""]
    texts = [
        _cut(printable(str(value))) for column, value in pairs if column.type == "string" and value != ""
    ]
    if not paths and not texts:
        return ", ".join(f"{printable(column.words)} {_number(column, value)}" for column, value in pairs)
    first, *rest = [*paths, *texts]
    return f"{first} ({', '.join(rest)})" if rest else first


def _number(column: Column, value: Value) -> str:
    plain = isinstance(value, bool) or not isinstance(value, (int, float)) or column.type == "int"
    return printable(str(value)) if plain else quantities.figure(column.type, float(value), column.shown_unit)


def _cut(text: str) -> str:
    """Cut a text that is too long to its end, which says more: it is most often a path."""
    return text if len(text) <= _LONGEST else "…" + text[1 - _LONGEST :]


def hosts(names: Sequence[str]) -> str:
    """Return the names as `web1, web2 and 3 more`."""
    shown = ", ".join(printable(name) for name in names[:NAMES])
    return shown if len(names) <= NAMES else f"{shown} and {len(names) - NAMES:,} more"


def others(count: int, peer_set: str, other_host: str) -> str:
    """Return whom a host was compared with: `the other 5 hosts`."""
    if other_host:
        return printable(other_host)
    return f"the other {plural(count, 'host')}" + (f" of {printable(peer_set)}" if peer_set else "")


def span(column: Column, values: Sequence[float], middle: float, up: bool) -> str:
    """Return what the others have: `0`, or `12 MiB, at most 40 MiB`."""
    usual = figure(column, middle)
    extreme = figure(column, max(values) if up else min(values))
    return usual if usual == extreme else f"{usual}, {'at most' if up else 'at least'} {extreme}"


def strip(history: str) -> str:
    """Return the last sweeps of a finding, the oldest first: a full square with it, an empty one without."""
    return "".join("■" if mark == "1" else "□" for mark in history)


def moment(sweep: str) -> str:
    """Return when a sweep was, by its id: `2026-11-23 08:00 UTC`; the id itself if it has another form."""
    found = re.fullmatch(r"(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)\d\d_[0-9a-f]{4}", sweep)
    return "{}-{}-{} {}:{} UTC".format(*found.groups()) if found else printable(sweep)
