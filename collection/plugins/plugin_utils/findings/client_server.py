# SPDX-License-Identifier: GPL-3.0-or-later
"""Both sides of one request: what a client waited, and which part of it its server, the disk below or the way took.

A table may declare the table of another probe as its other side (`other_side` in the manifest). Where a client and
its server were both probed, their rows become rows of a new table, `<table>_by_side`, and the part that takes most of
a slow answer becomes a finding: is it the file server?
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import quantities
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import figures, limits, phrases
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import fleet as merge
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.host import HostMerger
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.keys import Cells, Key
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.results import MergedRow, MergedTable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Column,
    Finding,
    OtherSide,
    Row,
    Table,
    Value,
)

_NEAR_TOP = 0.25
"""A file is named beside the first if as much time as this part of the first one's was spent on it."""

Addresses = Mapping[str, Sequence[str]]
"""Of each host the addresses it has, as it said them."""
Windows = Mapping[str, tuple[float, float]]
"""Of each host when it was sampled, seconds since the epoch; of batches each has its own."""


@dataclass(frozen=True)
class Joined:
    """One declared pair of sides, joined. table: the new one, in the probe of the client's side. notes: what could not
    be joined, each a sentence."""

    probe: str
    table: MergedTable
    side: OtherSide
    rows: Sequence[_Both]
    notes: Sequence[str]


@dataclass(frozen=True)
class _Both:
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
        """The part that takes most."""
        return max(range(len(self.parts)), key=lambda place: self.parts[place])


def join(evidence: Sequence[Evidence], addresses: Addresses, windows: Windows | None = None) -> list[Joined]:
    """All pairs of tables of which both were sampled. Pairs without a common row are left out.

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
            joined = _join(probe, merged, other, side, _Hosts(addresses, windows or {}))
            if joined.rows or joined.notes:
                found.append(joined)
    return found


def fits(here: Table, there: Table, side: OtherSide) -> bool:
    """False for a manifest that names columns which the other probe does not have."""
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


# --- who is who ---


class _Hosts:
    """Which host has a name or an address. An address that several hosts have (of containers, say) is nobody's."""

    def __init__(self, addresses: Addresses, windows: Windows) -> None:
        self._windows = windows
        owners: dict[str, set[str]] = {}
        for host, listed in addresses.items():
            for address in listed:
                if (plain := normal(address)) and not _is_loopback(plain):
                    owners.setdefault(plain, set()).add(host)
        self._by_address = {address: min(hosts) for address, hosts in owners.items() if len(hosts) == 1}
        self._names = set(addresses)
        short = Counter(name.partition(".")[0] for name in addresses)
        self._by_short = {
            name.partition(".")[0]: name for name in addresses if short[name.partition(".")[0]] == 1
        }

    def named(self, text: str, said_by: str) -> str | None:
        """The host that `text` means on the host that said it; None if nobody knows."""
        address = normal(text)
        if address:
            return said_by if _is_loopback(address) else self._by_address.get(address)
        if text == "localhost":
            return said_by
        if text in self._names:
            return text
        return self._by_short.get(text.partition(".")[0])

    def together(self, one: str, other: str) -> bool:
        """True if they were sampled at the same time, for the most part."""
        if one not in self._windows or other not in self._windows:
            return True
        (start, end), (begin, stop) = self._windows[one], self._windows[other]
        return min(end, stop) - max(start, begin) > min(end - start, stop - begin) / 2


def normal(address: str) -> str:
    """An address in its one spelling, an IPv4 address within IPv6 as itself; empty for what is none."""
    try:
        parsed = ipaddress.ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return ""
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback


# --- the join ---


@dataclass
class _Sum:
    count: float = 0.0
    times: list[float] = field(default_factory=list)

    def add(self, count: float, times: Sequence[float]) -> None:
        self.count += count
        self.times = [a + b for a, b in zip(self.times or [0.0] * len(times), times, strict=True)]


def _join(probe: Evidence, here: MergedTable, there: MergedTable, side: OtherSide, hosts: _Hosts) -> Joined:
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
    """(host, the name it has for the other, key): requests and seconds."""
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
    asked: Iterable[tuple[str, str, Value]], served: Iterable[tuple[str, str, Value]], hosts: _Hosts
) -> dict[tuple[str, str], str]:
    """(client, its name for a server): the server. A name that nobody knows means the one server that is left."""
    named = {(client, name) for client, name, _ in asked}
    known = {(client, name): hosts.named(name, client) for client, name in named}
    found = {place: meant for place, meant in known.items() if meant is not None}
    servers: dict[str, set[str]] = {}
    for client, server, _ in served:
        servers.setdefault(client, set()).add(server)
    for client in sorted({client for client, _ in named}):
        # In brackets stands what the script put together of several servers.
        left = [name for who, name in named if who == client and (who, name) not in found and name[:1] != "("]
        free = servers.get(client, set()) - {host for (who, _), host in found.items() if who == client}
        if len(left) == 1 and len(free) == 1:
            found[client, left[0]] = min(free)
    return found


def _both(place: tuple[str, str, Value], here: _Sum, there: _Sum) -> _Both:
    """Means, each within the one before; what is left of each is its own part. Times of the other side count as if it
    had seen the same requests."""
    client, server, key = place
    layers = [*here.times, *(time / there.count * here.count for time in there.times)]
    within = [*layers[1:], 0.0]
    smallest, parts = layers[0], []
    for layer, inner in zip(layers, within, strict=True):
        smallest = min(smallest, layer)
        parts.append(smallest - min(smallest, inner))
    return _Both(client, server, key, here.count, layers[0], tuple(parts))


# --- the table ---


def _declared(table: Table, side: OtherSide) -> Table:
    """Totals of all parts, and behind them what a request took on average, which is what people read."""

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
    parts = [f"part{number}" for number, _ in enumerate(side.parts, 1)]
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


def _table(probe: Evidence, rows: Sequence[_Both], table: Table) -> MergedTable:
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


# --- the findings ---


def find(joined: Sequence[Joined], evidence: Sequence[Evidence]) -> list[Finding]:
    """One for each server (or way to it) that makes clients wait, the longest wait first."""
    by_name = {probe.name: probe for probe in evidence}
    found = []
    for pair in joined:
        causes: dict[tuple[str, int], list[_Both]] = {}
        for row in pair.rows:
            if row.count >= limits.REQUESTS and row.mean >= pair.side.worth:
                causes.setdefault((row.server, row.cause), []).append(row)
        for (server, cause), rows in causes.items():
            found.append(_finding(pair, by_name[pair.probe], server, cause, rows))
    return sorted(found, key=lambda finding: (-finding.value, finding.host))


def _finding(pair: Joined, probe: Evidence, server: str, cause: int, rows: Sequence[_Both]) -> Finding:
    by_key: dict[Value, list[_Both]] = {}
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


def headline(finding: Finding, more: int) -> str:
    """The finding in short, for the verdict. more: how many there are besides."""
    short = finding.sentence.split("; ", 1)[0]
    return short + (f" (and {more} more finding{'s' if more > 1 else ''})" if more else "")


def _proof(
    table: MergedTable, server: str, key: Value, clients: Sequence[str]
) -> Iterator[tuple[str, Key, Cells]]:
    rows = [row for row in table.rows() if row.key == (server, key) and row.host in clients]
    yield from ((row.host, row.key, row.values) for row in rows[: limits.ROWS])


def _files(side: OtherSide, probe: Evidence, clients: Sequence[str]) -> list[str]:
    """What the clients' processes waited for most, each with its slowest kind of call, from the table that names it."""
    named = next((merged for merged in probe.tables if merged.table.name == side.names), None)
    if named is None:
        return []
    place = _spent(named.table)
    paths = [at for at, column in enumerate(named.table.keys) if column.type == "path"]
    if place is None or not paths:
        return []
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
    listed = [
        f"{phrases.key(named.table, worst[path][1].key)} {phrases.figure(column, spent[path])}"
        for path in shown
    ]
    return [f"{column.words[:1].upper()}{column.words[1:]} there: {', '.join(listed)}"] if listed else []


def _spent(table: Table) -> int | None:
    """The measure that adds up time. The slowest single call may be one that only came at a bad moment."""
    return next(
        (
            place
            for place, column in enumerate(table.measures)
            if column.type == "duration" and column.merge == "sum"
        ),
        None,
    )
