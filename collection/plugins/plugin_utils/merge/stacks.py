# SPDX-License-Identifier: GPL-3.0-or-later
"""Stacks that scripts counted, as call trees: for the flame view, which draws how often a function was on a stack."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.results import HostTable, MergedTable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.stacks import SEPARATOR
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    CallNode,
    CallTree,
    Layout,
    Value,
)

ALL = "all processes"
"""Of stacks that are printed without the process they were seen in."""

_Counts = dict[tuple[str, ...], list[int]]


class StackTrees(NamedTuple):
    """The stacks of one host by process name. left_out: stacks that are in no tree; counted: how often those were."""

    host: str
    trees: list[CallTree]
    left_out: int
    counted: int


def stack_trees(layouts: Iterable[Layout], tables: Iterable[MergedTable]) -> list[StackTrees]:
    """Return the trees of each host, of the tables that hold counted stacks."""
    names = {layout.table.name for layout in layouts if layout.kind == "stacks"}
    return [
        StackTrees(
            host.host,
            _trees(host, named=len(merged.table.keys) > 1),
            *((host.other.keys, _count(host.other.values[0])) if host.other else (0, 0)),
        )
        for merged in tables
        if merged.table.name in names
        for host in merged.hosts
    ]


def _trees(table: HostTable, *, named: bool) -> list[CallTree]:
    processes: dict[str, _Counts] = {}
    for row in table.rows:
        if count := _count(row.values[0]):
            process, stack = (str(row.key[0]), row.key[1]) if named else (ALL, row.key[0])
            _add(processes.setdefault(process, {}), tuple(str(stack).split(SEPARATOR)), count)
    return [CallTree(process, _nodes(counts), counted=True) for process, counts in processes.items()]


def _count(value: Value | None) -> int:
    return value if isinstance(value, int) else 0


def _add(counts: _Counts, stack: tuple[str, ...], count: int) -> None:
    for depth in range(1, len(stack) + 1):
        into = counts.setdefault(stack[:depth], [0, 0])
        into[0] += count
        into[1] += count if depth == len(stack) else 0


def _nodes(counts: _Counts) -> tuple[CallNode, ...]:
    return tuple(CallNode(path, on, on, ended) for path, (on, ended) in sorted(counts.items()))
