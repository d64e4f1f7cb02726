# SPDX-License-Identifier: GPL-3.0-or-later
"""Call trees of all hosts as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.limits import MAX_CALL_NODES
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import CallNode, CallTree


@dataclass(frozen=True)
class FleetNode:
    """A function with its chain of callers, over all hosts."""

    node: CallNode
    hosts: int


@dataclass(frozen=True)
class FleetTree:
    """The calls of one process name over all hosts, parents first, slowest first. more: nodes left out.

    counted: as in CallTree.
    """

    process: str
    nodes: tuple[FleetNode, ...]
    hosts: int
    unfinished: int = 0
    orphan_returns: int = 0
    more: int = 0
    counted: bool = False

    @property
    def total_us(self) -> int:
        return sum(item.node.total_us for item in self.nodes if len(item.node.path) == 1)


def merge_calltrees(
    hosts: Iterable[tuple[str, Sequence[CallTree]]], max_nodes: int = MAX_CALL_NODES
) -> list[FleetTree]:
    """Fold the trees of all hosts by process name and path; the slowest `max_nodes` per process are
    kept."""
    sums: dict[str, dict[tuple[str, ...], list[int]]] = {}
    seen: dict[str, list[int]] = {}
    counted: set[str] = set()
    for _host, trees in hosts:
        for tree in trees:
            account = seen.setdefault(tree.process, [0, 0, 0])
            account[0] += 1
            counted |= {tree.process} if tree.counted else set()
            account[1] += tree.unfinished
            account[2] += tree.orphan_returns
            nodes = sums.setdefault(tree.process, {})
            for node in tree.nodes:
                into = nodes.setdefault(node.path, [0, 0, 0, 0, 0])
                figures = (node.count, node.total_us, node.self_us, node.unfinished, 1)
                for place, figure in enumerate(figures):
                    into[place] += figure
    merged = [
        _fleet_tree(process, nodes, seen[process], max_nodes, counted=process in counted)
        for process, nodes in sums.items()
    ]
    return sorted(merged, key=lambda tree: (-tree.total_us, tree.process))


def _fleet_tree(
    process: str,
    nodes: dict[tuple[str, ...], list[int]],
    account: list[int],
    max_nodes: int,
    *,
    counted: bool,
) -> FleetTree:
    kept = keep_slowest({path: figures[1] for path, figures in nodes.items()}, max_nodes)
    ordered = _depth_first({path: nodes[path] for path in kept})
    fleet = tuple(FleetNode(CallNode(path, f[0], f[1], f[2], f[3]), f[4]) for path, f in ordered)
    hosts, unfinished, orphan_returns = account
    return FleetTree(process, fleet, hosts, unfinished, orphan_returns, len(nodes) - len(kept), counted)


def cut_tree(tree: CallTree, max_nodes: int) -> tuple[CallTree, int]:
    """Return the tree of the slowest `max_nodes` nodes, each with its callers, and how many were left out."""
    if len(tree.nodes) <= max_nodes:
        return tree, 0
    kept = keep_slowest({node.path: node.total_us for node in tree.nodes}, max_nodes)
    nodes = tuple(node for node in tree.nodes if node.path in kept)
    return CallTree(tree.process, nodes, tree.unfinished, tree.orphan_returns), len(tree.nodes) - len(nodes)


def keep_slowest(times: Mapping[tuple[str, ...], int], most: int) -> set[tuple[str, ...]]:
    """Return the paths of the slowest functions, each with all of its callers, `most` at the most."""
    if len(times) <= most:
        return set(times)
    kept: set[tuple[str, ...]] = set()
    for path in sorted(times, key=lambda path: (-times[path], len(path), path)):
        chain = {path[:depth] for depth in range(1, len(path) + 1) if path[:depth] in times} - kept
        if len(kept) + len(chain) <= most:
            kept |= chain
    return kept


def _depth_first(nodes: Mapping[tuple[str, ...], list[int]]) -> list[tuple[tuple[str, ...], list[int]]]:
    """Return parents before children, slowest sibling first; without recursion, traces may be deep."""
    children: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for path in nodes:
        children.setdefault(path[:-1], []).append(path)

    def slowest_last(parent: tuple[str, ...]) -> list[tuple[str, ...]]:
        return sorted(children.get(parent, ()), key=lambda p: (nodes[p][1], nodes[p][0], p[-1]))

    ordered: list[tuple[tuple[str, ...], list[int]]] = []
    pending = slowest_last(())
    while pending:
        path = pending.pop()
        ordered.append((path, nodes[path]))
        pending.extend(slowest_last(path))
    return ordered
