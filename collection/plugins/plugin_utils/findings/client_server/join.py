# SPDX-License-Identifier: GPL-3.0-or-later
"""Both sides of one request: what a client waited, and which part of it its server, the disk below or the way took.

A table may declare the table of another probe as its other side (`other_side` in the manifest). Where a client and
its server were both probed, their rows become rows of a new table, `<table>_by_side`, and the part that takes most of
a slow answer becomes a finding (see findings): is it the file server?
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import figures, phrases
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.client_server.hosts import (
    Addresses,
    Hosts,
    Windows,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import fleet as merge
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.host import HostMerger
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.results import MergedTable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Column,
    OtherSide,
    Table,
    Value,
)


@dataclass(frozen=True)
class Joined:
    """One declared pair of sides, joined. table: the new one, in the probe of the client's side. notes: what could not
    be joined, each a sentence."""

    probe: str
    table: MergedTable
    side: OtherSide
    rows: Sequence[Both]
    notes: Sequence[str]


@dataclass(frozen=True)
class Both:
    """What one client asked of one server. parts: seconds in each, one for each part of the declaration."""

    client: str
    server: str
    key: Value
    count: float
    total: float
    parts: tuple[float, ...]

    @property
    def mean(self) -> float:
        return self.total / self.count

    @property
    def cause(self) -> int:
        """Return the position of the part that takes most."""
        return max(range(len(self.parts)), key=lambda place: self.parts[place])


def join(evidence: Sequence[Evidence], addresses: Addresses, windows: Windows | None = None) -> list[Joined]:
    """Join all pairs of tables of which both were sampled. Pairs without a common row or a note are left out.

    Hosts that were sampled one after the other saw different requests: these are not joined.
    """
    by_name = {probe.name: probe for probe in evidence}
    found = []
    for probe in evidence:
        for merged in probe.tables:
            side = merged.table.other_side
            there = by_name.get(side.probe) if side else None
            other = (
                next((t for t in there.tables if t.table.name == side.table), None)
                if side and there
                else None
            )
            if side is None or other is None or not fits(merged.table, other.table, side):
                continue
            joined = _join(probe, merged, other, side, Hosts(addresses, windows or {}))
            if joined.rows or joined.notes:
                found.append(joined)
    return found


def fits(here: Table, there: Table, side: OtherSide) -> bool:
    """Return False if the manifest names columns that one of the two tables does not have."""
    wanted_here = {side.host[0], side.key[0], side.count[0], *(part.here for part in side.parts if part.here)}
    wanted_there = {
        side.host[1],
        side.key[1],
        side.count[1],
        *(part.there for part in side.parts if part.there),
    }
    return wanted_here <= {column.name for column in here.columns} and wanted_there <= {
        column.name for column in there.columns
    }


@dataclass
class _Sum:
    count: float = 0.0
    times: list[float] = field(default_factory=list)

    def add(self, count: float, times: Sequence[float]) -> None:
        self.count += count
        self.times = [a + b for a, b in zip(self.times or [0.0] * len(times), times, strict=True)]


def _join(probe: Evidence, here: MergedTable, there: MergedTable, side: OtherSide, hosts: Hosts) -> Joined:
    asked = _sums(here, side.host[0], side.key[0], side.count[0], [p.here for p in side.parts if p.here])
    done = _sums(there, side.host[1], side.key[1], side.count[1], [p.there for p in side.parts if p.there])
    served: dict[tuple[str, str, Value], _Sum] = {}
    for (server, named, key), total in done.items():
        client = hosts.named(named, server)
        if client is not None:
            served.setdefault((client, server, key), _Sum()).add(total.count, total.times)
    names = _servers(asked, served, hosts)
    sampled = {found.host for found in there.hosts}
    unknown: dict[str, set[str]] = {}
    apart: dict[str, set[str]] = {}
    both: dict[tuple[str, str, Value], _Sum] = {}
    for (client, named, key), total in asked.items():
        answered = names.get((client, named))
        if answered is None or answered not in sampled:
            unknown.setdefault(named, set()).add(client)
        elif not hosts.together(client, answered):
            apart.setdefault(answered, set()).add(client)
        elif (client, answered, key) in served:
            both.setdefault((client, answered, key), _Sum()).add(total.count, total.times)
    rows = [_both(place, total, served[place]) for place, total in both.items() if total.count]
    rows.sort(key=lambda row: (row.client, row.server, str(row.key)))
    notes = [
        f"{probe.name}: what {phrases.hosts(sorted(clients))} asked of {printable(named)} is known from one side only:"
        f" no host that {side.probe} sampled has this name or address"
        for named, clients in sorted(unknown.items())
        if not named.startswith("(")
    ]
    notes += [
        f"{probe.name}: what {phrases.hosts(sorted(clients))} asked of {printable(server)} is not compared with what it"
        " did: they were probed one after the other; probe them in one batch"
        for server, clients in sorted(apart.items())
    ]
    return Joined(probe.name, _table(probe, rows, _declared(here.table, side)), side, rows, notes)


def _sums(
    merged: MergedTable, host: str, key: str, count: str, times: Sequence[str]
) -> dict[tuple[str, str, Value], _Sum]:
    """Return {(host, the name it has for the other, key): requests and seconds}."""
    table = merged.table
    keys, measures = [c.name for c in table.keys], [c.name for c in table.measures]
    sums: dict[tuple[str, str, Value], _Sum] = {}
    for row in (row for found in merged.hosts for row in found.rows):
        named = str(row.key[keys.index(host)])
        values = [figures.number(row.values[measures.index(name)]) for name in (count, *times)]
        number, *seconds = (value or 0.0 for value in values)
        if not number:
            continue
        sums.setdefault((row.host, named, row.key[keys.index(key)]), _Sum()).add(number, seconds)
    return sums


def _servers(
    asked: Iterable[tuple[str, str, Value]], served: Iterable[tuple[str, str, Value]], hosts: Hosts
) -> dict[tuple[str, str], str]:
    """Return {(client, its name for a server): the server}. A name nobody knows means the one server that is left."""
    named = {(client, name) for client, name, _unused in asked}
    known = {(client, name): hosts.named(name, client) for client, name in named}
    found = {place: meant for place, meant in known.items() if meant is not None}
    servers: dict[str, set[str]] = {}
    for client, server, _unused2 in served:
        servers.setdefault(client, set()).add(server)
    for client in sorted({client for client, _unused3 in named}):
        # In brackets stands what the script put together of several servers.
        left = [name for who, name in named if who == client and (who, name) not in found and name[:1] != "("]
        free = servers.get(client, set()) - {host for (who, _unused4), host in found.items() if who == client}
        if len(left) == 1 and len(free) == 1:
            found[client, left[0]] = min(free)
    return found


def _both(place: tuple[str, str, Value], here: _Sum, there: _Sum) -> Both:
    """Split the client's time into parts: each time lies within the one before, and what is left of each is its own.
    Times of the other side count as if it had seen the same requests."""
    client, server, key = place
    layers = [*here.times, *(time / there.count * here.count for time in there.times)]
    within = [*layers[1:], 0.0]
    smallest, parts = layers[0], []
    for layer, inner in zip(layers, within, strict=True):
        smallest = min(smallest, layer)
        parts.append(smallest - min(smallest, inner))
    return Both(client, server, key, here.count, layers[0], tuple(parts))


# --- the table ---


def _declared(table: Table, side: OtherSide) -> Table:
    """Return the joined table: totals of all parts, and behind them the means per request, which is what people read."""

    def total(name: str, label: str) -> Column:
        return Column(
            name, "duration", "measure", f"Time {label}, of all together.", "s", "sum", label=f"total {label}"
        )

    def mean(name: str, of: str, label: str) -> Column:
        return Column(
            name,
            "duration",
            "measure",
            f"Time {label}, on average.",
            "s",
            label=label,
            ratio=(of, "requests"),
        )

    key = next(column for column in table.columns if column.name == side.key[0])
    parts = [f"part{number}" for number, _unused in enumerate(side.parts, 1)]
    labels = [part.label for part in side.parts]
    return Table(
        name=f"{table.name}_by_side",
        description=f"{table.what or table.name}, as both sides saw them: how long they took, and where.".capitalize(),
        columns=(
            Column("server", "string", "key", "The host that answered."),
            Column(key.name, key.type, "key", key.description, label=key.label),
            Column("requests", "int", "measure", "Requests of the client.", merge="sum"),
            total("time", "in all"),
            *(total(f"{name}_time", label) for name, label in zip(parts, labels, strict=True)),
        ),
        sort="mean",
        descending=True,
        derived=(
            mean("mean", "time", "mean"),
            *(mean(name, f"{name}_time", label) for name, label in zip(parts, labels, strict=True)),
        ),
        what=table.what,
    )


def _table(probe: Evidence, rows: Sequence[Both], table: Table) -> MergedTable:
    fleet = merge.FleetMerger(probe.name, table)
    for client in sorted({row.client for row in rows}):
        merger = HostMerger(table)
        for number, row in enumerate((row for row in rows if row.client == client), 1):
            values = (row.server, row.key, round(row.count), row.total, *row.parts)
            merger.add(Row(table.name, None, number, values))
        fleet.add(client, merger, probe.sampled_s.get(client))
    merged = fleet.finish()
    merged.joined = True
    return merged
