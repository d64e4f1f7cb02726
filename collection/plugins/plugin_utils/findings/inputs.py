# SPDX-License-Identifier: GPL-3.0-or-later
"""What findings are made of: the merged data of each probe, who should be alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import peers
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.results import MergedTable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import CallTree, Value


@dataclass(frozen=True)
class HostStacks:
    """The stacks that a script counted on one host, as trees; total: how many, also of those that are in no tree."""

    host: str
    trees: Sequence[CallTree]
    total: int


@dataclass(frozen=True)
class Evidence:
    """One probe on all hosts.

    sampled_s: of the hosts that gave data, the seconds each really sampled, None if that is not known. marks: of
    those with losses, what was lost. calls: of each host its call trees. stacks: of each host those that were counted.
    topic: what the probe looks at.
    apart: {host: its kernel} of those where the probe misses calls that the compiler put inline, which are others in
    another kernel.
    """

    name: str
    parameters: Mapping[str, Value]
    tables: Sequence[MergedTable]
    sampled_s: Mapping[str, float | None]
    marks: Mapping[str, str] = field(default_factory=dict)
    calls: Sequence[tuple[str, Sequence[CallTree]]] = ()
    stacks: Sequence[HostStacks] = ()
    topic: str = "other"
    apart: Mapping[str, str] = field(default_factory=dict)

    def peer_sets(self, peer_of: Mapping[str, str]) -> dict[str, list[str]]:
        """Return {name: hosts} of those that can be compared with each other; both sorted."""
        several = len({self.apart.get(host, "") for host in self.sampled_s}) > 1

        def name(host: str) -> str:
            parts = [
                peer_of.get(host, ""),
                f"kernel {self.apart[host]}" if several and host in self.apart else "",
            ]
            return ", ".join(filter(None, parts))

        return peers.sets({host: name(host) for host in self.sampled_s})


MeasureId = tuple[str, str, str]
"""Names of probe, table and measure."""
