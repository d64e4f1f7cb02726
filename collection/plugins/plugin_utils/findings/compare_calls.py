# SPDX-License-Identifier: GPL-3.0-or-later
"""Call trees of hosts that should be alike, function by function: which one is slower, and where.

Compared is the time a call spends in the function itself, not in those it calls: otherwise every caller of a slow
function would be slow as well. The same function called from elsewhere is another one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import limits
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.candidates import (
    EvidenceRow,
    Signal,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.compare_hosts import (
    Compared,
    conclude,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.comparisons import (
    Place,
    Series,
    judged,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.figures import Figure
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import CallNode, CallTree
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Compare

SELF_TIME = Column(
    name="self_time",
    type="duration",
    role="measure",
    description="Time that a call of the function takes, without the functions it calls.",
    unit="s",
    merge="mean",
    more_is="worse",
    label="time of a call",
    compare=Compare(min_difference=5e-6, min_ratio=2.0, min_samples=limits.CALLS),
)

Node = tuple[str, tuple[str, ...]]
"""A process, and a function with its callers, outermost first."""


def compare_calls(result: Compared, evidence: Sequence[Evidence], peer_of: Mapping[str, str]) -> None:
    """Compare all functions of all call trees, on all sets of hosts; what stands out is added to the result."""
    series: list[Series] = []
    for probe in evidence:
        if not probe.calls:
            continue
        result.possible = True
        sets = probe.peer_sets(peer_of)
        for name, hosts in sets.items():
            series.extend(_of_set(Place(probe, None, SELF_TIME, hosts, name, len(sets) > 1)))
    conclude(result, series, "calls", _lost_time)


def _lost_time(signal: Signal) -> bool:
    return signal.up and (signal.value - (signal.expected or 0.0)) * signal.records >= limits.CALL_EXCESS_S


def _of_set(place: Place) -> Iterable[Series]:
    nodes = nodes_of(place.evidence.calls, place.hosts)
    wanted = sorted(nodes, key=lambda node: (-sum(item.self_us for item in nodes[node].values()), node))
    kept: dict[str, int] = {}
    for node in wanted:
        process, path = node
        kept[process] = kept.get(process, 0) + 1
        if kept[process] > limits.CALL_NODES:
            continue
        found = {host: _figure(call) for host, call in nodes[node].items() if _calls(call) >= limits.CALLS}
        series = judged(place, found, single=True)
        if series is not None:
            series.key, series.shown = (process, *path), False
            series.proof = functools.partial(_proof, process, nodes[node])
            yield series


def _proof(process: str, calls: Mapping[str, CallNode], host: str) -> list[EvidenceRow]:
    """Return the function's row on that host: calls, and seconds in all of them with and without what they call."""
    node = calls[host]
    return [(host, (process, *node.path), (node.count, node.total_us / 1e6, node.self_us / 1e6))]


def nodes_of(
    calls: Iterable[tuple[str, Sequence[CallTree]]], hosts: Iterable[str]
) -> dict[Node, dict[str, CallNode]]:
    """Return {(process, path): {host: node}} of the trees of these hosts."""
    mine = set(hosts)
    nodes: dict[Node, dict[str, CallNode]] = {}
    for host, trees in calls:
        if host in mine:
            for tree in trees:
                for node in tree.nodes:
                    nodes.setdefault((tree.process, node.path), {})[host] = node
    return nodes


def _calls(node: CallNode) -> int:
    """Return the number of calls whose time is known."""
    return node.count - node.unfinished


def _figure(node: CallNode) -> Figure:
    return Figure(node.self_us / _calls(node) / 1e6, records=_calls(node))
