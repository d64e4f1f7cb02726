# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes clients wait: a finding for each server, or way to it, whose answers are slow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import quantities
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import (
    figures,
    limits,
    overload,
    phrases,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.client_server.join import (
    Both,
    Joined,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.incidents import SlowAnswer, Told
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.keys import Cells, Key
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.results import MergedRow, MergedTable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Column,
    OtherSide,
    Table,
    Value,
)

_NEAR_TOP = 0.25
"""A file is named beside the first if as much time as this part of the first one's was spent on it."""


def find(
    joined: Sequence[Joined], evidence: Sequence[Evidence], overloaded: Mapping[str, str]
) -> list[SlowAnswer]:
    """Return one for each server (or way to it) that makes clients wait, the longest wait first.

    overloaded: {host: how that shows}; what lies between client and server may have waited for their processors.
    """
    by_name = {probe.name: probe for probe in evidence}
    found = []
    for pair in joined:
        causes: dict[tuple[str, int], list[Both]] = {}
        for row in pair.rows:
            if row.count >= limits.REQUESTS and row.mean >= pair.side.worth:
                causes.setdefault((row.server, _cause(row, pair.side, overloaded)), []).append(row)
        for (server, cause), rows in causes.items():
            slow = _slow(pair, by_name[pair.probe], server, cause, rows)
            weak = overload.mark(overloaded, {slow.server, *slow.clients})
            found.append(_with_mark(slow, weak) if weak else slow)
    return sorted(found, key=lambda item: (-item.told.finding.value, item.told.finding.host))


def _cause(row: Both, side: OtherSide, overloaded: Mapping[str, str]) -> int:
    """Return the part that takes most.

    The way between an overloaded client or server is it only where no other part is worth a word: what waits for a
    processor on either side lies within it.
    """
    way = sum(bool(part.here) for part in side.parts) - 1
    if row.cause == way and (row.client in overloaded or row.server in overloaded):
        seconds, other = max((part, place) for place, part in enumerate(row.parts) if place != way)
        if seconds / row.count >= side.worth:
            return other
    return row.cause


def _with_mark(slow: SlowAnswer, mark: str) -> SlowAnswer:
    finding = slow.told.finding
    marked = replace(finding, mark="; ".join(filter(None, (finding.mark, mark))))
    return replace(slow, told=Told(marked, slow.told.short))


def _slow(pair: Joined, probe: Evidence, server: str, cause: int, rows: Sequence[Both]) -> SlowAnswer:
    clients = sorted({row.client for row in rows})
    finding = _finding(pair, probe, server, cause, rows)
    return SlowAnswer(
        Told(finding, finding.sentence.split("; ", 1)[0]),
        server,
        frozenset(clients),
        (pair.probe, pair.side.probe),
        frozenset(str(path) for path, _unused in _slowest(pair.side, probe, clients)[1]),
        below=cause == len(pair.side.parts) - 1,
    )


def _finding(pair: Joined, probe: Evidence, server: str, cause: int, rows: Sequence[Both]) -> Finding:
    by_key: dict[Value, list[Both]] = {}
    for row in rows:
        by_key.setdefault(row.key, []).append(row)
    order = sorted(by_key, key=lambda key: (-sum(row.total for row in by_key[key]), str(key)))
    worst = by_key[order[0]]
    clients = sorted({row.client for row in worst})
    count, total = sum(row.count for row in worst), sum(row.total for row in worst)
    parts = [sum(row.parts[place] for row in worst) for place in range(len(pair.side.parts))]
    there = bool(pair.side.parts[cause].there)
    who = printable(server) if there else phrases.hosts(clients)
    whose = f"for {phrases.hosts(clients)}" if there else f"from {printable(server)}"
    took = f"{printable(str(order[0]))} {whose} takes {quantities.time(total / count)} on average"
    most = f"{quantities.time(parts[cause] / count)} of it ({parts[cause] / total:.0%}) {pair.side.parts[cause].label}"
    rest = ", ".join(
        f"{part.label} {quantities.time(parts[place] / count)}"
        for place, part in enumerate(pair.side.parts)
        if place != cause
    )
    sentences = [f"{who}: {took} ({plural(round(count), 'request')}), {most}; {rest}"]
    sentences += _files(pair.side, probe, clients)
    if order[1:]:
        sentences.append(f"The same with {phrases.hosts([str(key) for key in order[1:]])}")
    column = next(c for c in pair.table.table.derived if c.name == f"part{cause + 1}")
    return Finding(
        severity="warning",
        kind="sides",
        host=server if there else clients[0],
        probe=pair.probe,
        table=pair.table.table.name,
        measure=column.name,
        sentence=". ".join(sentences),
        value=parts[cause] / count,
        key=(server, order[0]),
        unit=column.shown_unit,
        type=column.type,
        mark="; ".join(sorted({probe.marks[client] for client in clients if client in probe.marks})),
        rows=tuple(_proof(pair.table, server, order[0], clients)),
    )


def _proof(
    table: MergedTable, server: str, key: Value, clients: Sequence[str]
) -> Iterator[tuple[str, Key, Cells]]:
    rows = [row for row in table.rows() if row.key == (server, key) and row.host in clients]
    yield from ((row.host, row.key, row.values) for row in rows[: limits.ROWS])


def _files(side: OtherSide, probe: Evidence, clients: Sequence[str]) -> list[str]:
    """Return a sentence about what the clients' processes waited for most, if a table names that."""
    column, slowest = _slowest(side, probe, clients)
    if column is None or not slowest:
        return []
    return [
        f"{column.words[:1].upper()}{column.words[1:]} there: {', '.join(words for _unused, words in slowest)}"
    ]


def _slowest(
    side: OtherSide, probe: Evidence, clients: Sequence[str]
) -> tuple[Column | None, list[tuple[Value, str]]]:
    """Return the measure of time waited, and each file that took most of it with its slowest kind of call in words."""
    named = next((merged for merged in probe.tables if merged.table.name == side.names), None)
    if named is None:
        return None, []
    place = _spent(named.table)
    paths = [at for at, column in enumerate(named.table.keys) if column.type == "path"]
    if place is None or not paths:
        return None, []
    column = named.table.measures[place]
    spent: dict[Value, float] = {}
    worst: dict[Value, tuple[float, MergedRow]] = {}
    for row in (row for host in named.hosts if host.host in clients for row in host.rows):
        size, path = figures.number(row.values[place]) or 0.0, row.key[paths[0]]
        if str(path).startswith("("):
            continue
        spent[path] = spent.get(path, 0.0) + size
        if size > worst.get(path, (-1.0, row))[0]:
            worst[path] = (size, row)
    ranked = sorted(spent, key=lambda path: (-spent[path], str(path)))
    shown = [path for path in ranked if spent[path] >= _NEAR_TOP * spent[ranked[0]]][: limits.FILES]
    return column, [
        (path, f"{phrases.key(named.table, worst[path][1].key)} {phrases.figure(column, spent[path])}")
        for path in shown
    ]


def _spent(table: Table) -> int | None:
    """Return the position of the measure that adds up time: the slowest call may only have come at a bad moment."""
    return next(
        (
            place
            for place, column in enumerate(table.measures)
            if column.type == "duration" and column.merge == "sum"
        ),
        None,
    )
