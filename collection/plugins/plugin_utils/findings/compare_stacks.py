# SPDX-License-Identifier: GPL-3.0-or-later
"""Counted stacks of hosts that should be alike: which function is on far more of one host's than of the others'.

Compared is the part of all stacks of a host that a function is on, called from the same place. Of functions that are
on the very same stacks the innermost speaks for all, which says most.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import limits
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.candidates import EvidenceRow
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.compare_calls import (
    Node,
    nodes_of,
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
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Compare

SHARE = Column(
    name="share",
    type="float",
    role="measure",
    description="Part of the counted stacks that the function is on.",
    unit="%",
    merge="mean",
    more_is="neutral",
    label="part of the stacks",
    compare=Compare(min_difference=limits.STACKS_PERCENT, min_ratio=2.0, min_samples=limits.STACKS),
)

_Counts = dict[Node, dict[str, int]]


def compare_stacks(result: Compared, evidence: Sequence[Evidence], peer_of: Mapping[str, str]) -> None:
    """Compare the stacks of all probes, on all sets of hosts; what stands out is added to the result."""
    series: list[Series] = []
    for probe in evidence:
        if not probe.stacks:
            continue
        result.possible = True
        sets = probe.peer_sets(peer_of)
        for name, hosts in sets.items():
            series.extend(_of_set(Place(probe, None, SHARE, hosts, name, len(sets) > 1)))
    conclude(result, series, "calls", lambda signal: signal.up)


def _of_set(place: Place) -> Iterable[Series]:
    totals = {
        host: total
        for stacks in place.evidence.stacks
        if (host := stacks.host) in place.hosts and (total := stacks.total) >= limits.STACKS
    }
    nodes = nodes_of(((stacks.host, stacks.trees) for stacks in place.evidence.stacks), totals)
    counts = {node: {host: at.count for host, at in on.items()} for node, on in nodes.items()}
    for node in _telling(counts, totals):
        found = {host: _figure(counts[node].get(host, 0), total) for host, total in totals.items()}
        series = judged(place, found)
        if series is not None:
            series.key, series.shown = (node[0], *node[1]), False
            series.proof = functools.partial(_proof, node, counts[node], totals)
            yield series


def _telling(counts: _Counts, totals: Mapping[str, int]) -> list[Node]:
    """Return the functions worth comparing: on enough stacks of some host, and not the same ones as what they call."""
    alike = {
        (process, path[:-1])
        for (process, path), on in counts.items()
        if len(path) > 1 and on == counts.get((process, path[:-1]))
    }
    return sorted(
        node
        for node, on in counts.items()
        if node not in alike
        and max(100 * count / totals[host] for host, count in on.items()) >= limits.STACKS_PERCENT
    )


def _figure(count: int, total: int) -> Figure:
    share = 100 * count / total
    # By chance it scatters as the number of stacks does.
    return Figure(share, rest=share, records=total, scatter=1 / math.sqrt(count + 1))


def _proof(node: Node, counts: Mapping[str, int], totals: Mapping[str, int], host: str) -> list[EvidenceRow]:
    """Return the function's row on that host: stacks that it is on, and all of them."""
    process, path = node
    return [(host, (process, *path), (counts.get(host, 0), totals[host]))]
