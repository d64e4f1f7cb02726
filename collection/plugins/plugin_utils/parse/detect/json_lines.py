# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of JSON: the objects on them, and the tables that these make."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.columns import (
    MAX_COLUMNS,
    PrintedColumn,
    are_events,
    column_names,
    columns_of,
    table_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.prints import (
    Forgets,
    prints_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.sample import Samples
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_words import restored
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Layout

_MAX_DEPTH = 4


Record = Mapping[str, Any]


def json_tables(samples: Samples, forgets: Forgets) -> list[Layout]:
    """Return a layout for each kind of objects that the hosts print."""
    found: dict[str, list[tuple[int, Record]]] = {}
    for host, sample in enumerate(samples):
        for line in sample:
            for name, record in json_records(line.text):
                found.setdefault(name, []).append((host, record))
    tables = (_json_table(name, records, forgets) for name, records in found.items())
    return [layout for layout in tables if len(layout.table.columns) <= MAX_COLUMNS]


def _json_table(name: str, found: Sequence[tuple[int, Record]], forgets: Forgets) -> Layout:
    """Return the commonest form that these objects have; those of another form are none of its rows."""
    records = [record for _unused, record in found]
    forms = [tuple((key, _kind(value)) for key, value in record.items()) for record in records]
    usual = Counter(forms).most_common(1)[0][0]
    alike = [record for record, form in zip(records, forms, strict=True) if form == usual]
    seen = [
        PrintedColumn(key.strip("_"), [json.dumps(record[key]).encode() for record in alike])
        for key, _unused in usual
    ]

    def made(*, events: bool, latest: bool) -> tuple[Column, ...]:
        columns = []
        for (key, kind), column in zip(usual, columns_of(seen, events=events, latest=latest), strict=True):
            described = f"The member {_quoted(key)} of the script's JSON."
            named = replace(column, header=key, description=described)
            if kind != "number":
                named = replace(
                    named, type="bool" if kind == "bool" else "string", role="key", merge="", unit=""
                )
            columns.append(named)
        return tuple(columns)

    hosts: dict[int, list[Row]] = {}
    for place, ((host, record), form) in enumerate(zip(found, forms, strict=True)):
        if form == usual:
            hosts.setdefault(host, []).append(Row("", None, place, tuple(record.values())))
    first = made(events=False, latest=False)
    events = are_events(list(hosts.values()), first)
    described = f"What the script says as JSON ({_quoted(name)})."
    layout = Layout("json", table_of(column_names([name])[0], described, first), of=name)
    prints = prints_of(layout, list(hosts.values()), forgets, each_row=True)
    columns = made(events=events, latest=prints == "unclear")
    return replace(
        layout, table=table_of(layout.table.name, described, columns, events=events), prints=prints
    )


def _kind(value: object) -> str:
    return "bool" if isinstance(value, bool) else "number" if isinstance(value, (int, float)) else "string"


def _quoted(key: str) -> str:
    return repr(key[:60])


def json_records(line: bytes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (name, object) of every object on a line that holds nothing but plain values, at any depth."""
    text = line.strip()
    if text[:1] not in (b"{", b"[") or text[-1:] not in (b"}", b"]"):
        return
    try:
        value = json.loads(restored(text))
    except (ValueError, RecursionError):
        return
    yield from _records("json", value, 0)


def _records(name: str, value: Any, depth: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for item in value:
            if isinstance(item, (dict, list)):
                yield from _records(name, item, depth + 1)
    elif isinstance(value, dict):
        plain_values = {key: item for key, item in value.items() if isinstance(item, (str, int, float))}
        if plain_values:
            yield name, plain_values
        for key, item in value.items():
            yield from _records(key, item, depth + 1)
