# SPDX-License-Identifier: GPL-3.0-or-later
"""Call trees -> what the page holds of them: one tree per process, and on each host the figures of its nodes.

A tree is kept as lists in one order, parents first. What the others' median is follows, for every host, from the
middle of all hosts' figures: `middle` has of each node how many hosts there are and the three figures around the
middle one, of total times (no call: none) over all hosts that sampled; `pace` and `ownPace` the same of the time
of one call, and of its own part of that, over the hosts that finished any.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import calltrees
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import CallNode
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import packed
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import HostCalls, ProbeReport

MAX_PROCESSES = 8
MAX_NODES = 800
MIN_NODES = 12
_NODE_BYTES = 20

Path = tuple[str, ...]
Proof = Collection[tuple[str, Path]]
"""(process, path) of nodes that findings point at."""


def trees(probe: ProbeReport, hosts: Mapping[str, int], room: int, proof: Proof) -> list[dict[str, Any]]:
    """Return the call trees that the page draws. room: bytes that the figures of single hosts may take."""
    fleet, calls = (
        (probe.fleet_calls, probe.calls) if probe.fleet_calls else (probe.fleet_stacks, probe.stacks)
    )
    shown = fleet[:MAX_PROCESSES]
    if not shown:
        return []
    each = room // (len(shown) * max(1, len(calls)) * _NODE_BYTES)
    return [_tree(tree, calls, hosts, max(MIN_NODES, min(MAX_NODES, each)), proof) for tree in shown]


def _tree(
    tree: calltrees.FleetTree, calls: Sequence[HostCalls], hosts: Mapping[str, int], most: int, proof: Proof
) -> dict[str, Any]:
    kept = calltrees.keep_slowest({item.node.path: item.node.total_us for item in tree.nodes}, MAX_NODES)
    known = {item.node.path for item in tree.nodes}
    for process, path in proof:
        if process == tree.process:
            kept |= {path[:depth] for depth in range(1, len(path) + 1)} & known
    nodes = [item for item in tree.nodes if item.node.path in kept]
    places = {item.node.path: place for place, item in enumerate(nodes)}
    own = {item.host: _on_host(item, tree.process, places) for item in calls}
    functions: dict[str, int] = {}
    for item in nodes:
        functions.setdefault(item.node.path[-1], len(functions))
    return {
        "process": packed.text(tree.process),
        "counted": tree.counted,
        "functions": [packed.text(name) for name in functions],
        "function": [functions[item.node.path[-1]] for item in nodes],
        "parent": [places.get(item.node.path[:-1], -1) for item in nodes],
        "count": [item.node.count for item in nodes],
        "total": [item.node.total_us for item in nodes],
        "self": [item.node.self_us for item in nodes],
        "unfinished": [item.node.unfinished for item in nodes],
        "on": [item.hosts for item in nodes],
        "middle": [_middle(_totals(own.values(), at)) for at in range(len(nodes))],
        "pace": [_middle(_paces(own.values(), at, _total)) for at in range(len(nodes))],
        "ownPace": [_middle(_paces(own.values(), at, _own)) for at in range(len(nodes))],
        "more": len(tree.nodes) - len(nodes) + tree.more,
        "hosts": [[hosts[host], *_flat(found, most, nodes)] for host, found in own.items() if found],
    }


def _on_host(calls: HostCalls, process: str, places: Mapping[Path, int]) -> dict[int, CallNode]:
    trees = [tree for tree in calls.trees if tree.process == process]
    return {places[node.path]: node for tree in trees for node in tree.nodes if node.path in places}


def _flat(found: Mapping[int, CallNode], most: int, nodes: Sequence[calltrees.FleetNode]) -> list[int]:
    """Return place, calls, total, self, unfinished calls of the slowest nodes and their callers."""
    paths = {nodes[at].node.path: at for at in found}
    kept = calltrees.keep_slowest({path: found[at].total_us for path, at in paths.items()}, most)
    flat: list[int] = []
    for at in sorted(paths[path] for path in kept):
        node = found[at]
        flat += [at, node.count, node.total_us, node.self_us, node.unfinished]
    return flat


def _middle(values: Sequence[float]) -> list[float]:
    """Return how many there are, and the three around the middle one; exact, for one of them is looked up there."""
    ordered = sorted(values)
    at, last = len(ordered) // 2, len(ordered) - 1
    return [len(ordered), *(ordered[min(last, max(0, at + step))] for step in (-1, 0, 1))] if ordered else [0]


def _totals(hosts: Iterable[Mapping[int, CallNode]], at: int) -> list[float]:
    return [found[at].total_us if at in found else 0 for found in hosts]


def _paces(hosts: Iterable[Mapping[int, CallNode]], at: int, time: Callable[[CallNode], int]) -> list[float]:
    nodes = [found[at] for found in hosts if at in found]
    return [time(node) / done for node in nodes if (done := node.count - node.unfinished) > 0]


def _total(node: CallNode) -> int:
    return node.total_us


def _own(node: CallNode) -> int:
    return node.self_us
