# SPDX-License-Identifier: GPL-3.0-or-later
"""Long tables made short without losing anything: rows that only a process number tells apart become one,
and what is not shown is summed up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import refold, results
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.keys import Key
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Table

NUMBERS = frozenset({"pid", "tid", "tgid", "ppid", "uid", "gid"})
"""Keys that tell runs of the same program apart; a reader wants to know the program first."""


def grouped(merged: results.MergedTable, most: int) -> tuple[results.MergedTable, list[Column]]:
    """Return a table of more than `most` rows without its numbers of processes, and the columns that were left out.

    It stays as it is where nothing else would tell its rows apart, or its measures do not fold again.
    """
    table = merged.table
    out = [column for column in table.keys if column.name in NUMBERS and column.type == "int"]
    kept = [place for place, column in enumerate(table.keys) if column not in out]
    long = sum(len(host.rows) for host in merged.hosts) > most
    if not (long and out and kept) or table.sort in NUMBERS or not refold.foldable(table):
        return merged, []
    small = replace(table, columns=tuple(column for column in table.columns if column not in out))
    short = replace(merged, table=small, hosts=[_host(small, host, kept) for host in merged.hosts])
    short.keys = _keys(short, merged.keys, kept)
    return short, out


def _host(table: Table, host: results.HostTable, kept: Sequence[int]) -> results.HostTable:
    rows = _folded(table, host.host, host.rows, kept)
    return replace(host, rows=results.MergedTable("", table, None).ordered(rows))


def _keys(
    short: results.MergedTable, totals: Sequence[results.KeyTotal], kept: Sequence[int]
) -> list[results.KeyTotal]:
    hosts: dict[Key, set[str]] = {}
    for host in short.hosts:
        for row in host.rows:
            hosts.setdefault(row.key, set()).add(host.host)
    seen: dict[Key, int] = {}
    for total in totals:
        key = tuple(total.key[place] for place in kept)
        seen[key] = max(seen.get(key, len(hosts.get(key, ()))), total.hosts)
    rows = [results.MergedRow("", total.key, total.values, total.rates, total.rows) for total in totals]
    ordered = short.ordered(_folded(short.table, "", rows, kept))
    return [results.KeyTotal(row.key, row.values, row.rates, seen[row.key], row.rows) for row in ordered]


def _folded(
    table: Table, host: str, rows: Iterable[results.MergedRow], kept: Sequence[int]
) -> Iterable[results.MergedRow]:
    together: dict[Key, list[results.MergedRow]] = {}
    for row in rows:
        together.setdefault(tuple(row.key[place] for place in kept), []).append(row)
    for key, found in together.items():
        total = refold.fold(table, [(row.values, row.rates, row.rows) for row in found])
        yield results.MergedRow(host, key, total.values, total.rates, total.rows)


def rest_by_host(merged: results.MergedTable, shown: Iterable[results.MergedRow]) -> dict[str, results.Total]:
    """Return what the rows that are not shown come to, by host. keys: how many rows that are."""
    seen = {id(row) for row in shown}
    rest: dict[str, results.Total] = {}
    for host in merged.hosts:
        hidden = [row for row in host.rows if id(row) not in seen]
        parts = [(row.values, row.rates, row.rows) for row in hidden]
        rows, beyond = len(hidden), host.other
        if beyond is not None:
            parts.append((beyond.values, beyond.rates, beyond.rows))
            rows += max(1, beyond.keys)
        if rows:
            more = beyond is not None and beyond.more_keys
            rest[host.host] = replace(refold.fold(merged.table, parts), keys=rows, more_keys=more)
    return rest


def together(table: Table, totals: Iterable[results.Total]) -> results.Total:
    """Return several hosts' totals as one."""
    found = list(totals)
    folded = refold.fold(table, [(total.values, total.rates, total.rows) for total in found])
    keys = sum(total.keys for total in found)
    return replace(folded, keys=keys, more_keys=any(total.more_keys for total in found))


def rest_of_keys(merged: results.MergedTable, shown: int) -> results.Total:
    """Return what the keys after the first `shown` come to, those that were too many to count included."""
    hidden = merged.keys[shown:]
    parts = [(total.values, total.rates, total.rows) for total in hidden]
    beyond = merged.other_keys
    if beyond is not None:
        parts.append((beyond.values, beyond.rates, beyond.rows))
    more = beyond is not None and beyond.more_keys
    return replace(refold.fold(merged.table, parts), keys=len(hidden) + bool(beyond), more_keys=more)
