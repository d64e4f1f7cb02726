# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables whose fields stand between commas, semicolons, bars or tabs, with a line of names above or without."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.columns import (
    MAX_COLUMNS,
    PrintedColumn,
    columns_of,
    table_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.headers import (
    MAX_CANDIDATES,
    Place,
    by_title,
    described,
    is_repeated,
    rows_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.prints import Forgets
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.sample import (
    HostSample,
    Samples,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.table_shapes import (
    separated_fields,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.titles import title_of
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_numbers import printed_number
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_words import (
    folded_line,
    is_rule,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Layout

_SEPARATORS = ("\t", ";", "|", ",")
_NAME = re.compile(rb"[#%]?[A-Za-z_(][A-Za-z0-9_ .%/#()<>-]{0,40}")
_MIN_LINES = 3
Fields = tuple[bytes, ...]


def separated_tables(samples: Samples, forgets: Forgets) -> list[Layout]:
    """Return a layout for each line of names above as many fields, and one for fields that have no names."""
    found: list[Layout] = []
    for separator in _SEPARATORS:
        places: dict[str, list[Place]] = {}
        for host, sample in enumerate(samples):
            for at in range(len(sample) - 1):
                if _is_header(sample, at, separator.encode()):
                    places.setdefault(folded_line(sample[at].raw), []).append((host, at))
        for prints in sorted(places.values(), key=len, reverse=True)[:MAX_CANDIDATES]:
            for title, of_title in by_title(samples, prints).items():
                layout = _headed(samples, of_title, title, separator, forgets)
                if layout is not None:
                    found.append(layout)
    return found or _unnamed(samples, forgets)


def _is_header(sample: HostSample, at: int, separator: bytes) -> bool:
    names = separated_fields(sample[at].raw, separator)
    if names is None or len(names) > MAX_COLUMNS or not all(_NAME.fullmatch(name) for name in names):
        return False
    below = separated_fields(sample[at + 1].raw, separator)
    return below is not None and len(below) == len(names) and any(map(printed_number, below))


def _headed(
    samples: Samples, prints: Sequence[Place], title: str, separator: str, forgets: Forgets
) -> Layout | None:
    host, at = prints[0]
    names = [plain(name) for name in separated_fields(samples[host][at].raw, separator.encode()) or ()]
    rows = [
        row for place in prints for row in _fields_below(samples[place[0]], place[1], separator, len(names))
    ]
    seen = [PrintedColumn(name, items) for name, items in zip(names, zip(*rows, strict=True), strict=True)]
    if all(column.content == "text" for column in seen):
        return None
    repeated = is_repeated(prints)
    frame = Layout(
        "separated", table_of("table", "", ()), ("",) * len(names), title, separator, once=not repeated
    )
    return described(frame, seen, names, samples, repeated=repeated, forgets=forgets)


def _fields_below(sample: HostSample, at: int, separator: str, count: int) -> Iterator[Fields]:
    for line in sample[at + 1 :]:
        fields = separated_fields(line.raw, separator.encode())
        if fields is None or len(fields) != count or not any(map(printed_number, fields)):
            return
        yield fields


def _unnamed(samples: Samples, forgets: Forgets) -> list[Layout]:
    """Return a list of lines of a text and as many numbers each, under one title; none if there are several."""
    for separator in _SEPARATORS:
        hosts = [list(_blocks(sample, separator.encode())) for sample in samples]
        again = max(map(len, hosts)) > 1 and forgets != "none"
        if any(len({(title, t_ms) for title, t_ms, _unused in host}) < len(host) for host in hosts):
            continue  # nothing says which lines of one print belong together
        blocks = [(title, rows) for host in hosts for title, _unused, rows in host if len(rows) >= _MIN_LINES]
        if not blocks or len({title for title, _unused in blocks}) > 1:
            continue
        rows = [row for _unused2, lines in blocks for row in lines]
        if len({len(row) for row in rows}) > 1:
            continue
        titles = [
            "name",
            *(["value"] if len(rows[0]) == 2 else [f"value {at}" for at in range(1, len(rows[0]))]),
        ]
        seen = [
            PrintedColumn(title, items) for title, items in zip(titles, zip(*rows, strict=True), strict=True)
        ]
        if seen[0].content != "text" or any(column.content == "text" for column in seen[1:]):
            continue
        table = table_of("list", "Names with numbers.", columns_of(seen, latest=True), interval=again)
        layout = Layout("list", table, tuple(column.trim for column in seen), blocks[0][0], separator)
        if any(rows_of(layout, samples)):
            return [layout]
    return []


def _blocks(sample: HostSample, separator: bytes) -> Iterator[tuple[str, int | None, list[Fields]]]:
    title, rows = "", list[Fields]()
    t_ms: int | None = None
    began: int | None = None
    for line in sample:
        if line.t_ms != t_ms and not rows:
            title = ""
        t_ms = line.t_ms
        fields = separated_fields(line.raw, separator)
        if fields is not None and len(fields) <= 5 and all(map(printed_number, fields[1:])):
            began = began if rows else line.t_ms
            rows.append(fields)
            continue
        if rows:
            yield title, began, rows
            title, rows = "", []
        if not is_rule(line.text):
            title = title_of(line.text)
    if rows:
        yield title, began, rows
