# SPDX-License-Identifier: GPL-3.0-or-later
"""What findings are made of: the merged data of each probe, who should be alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import peers
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.figures import Figure
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.results import MergedTable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import CallTree, Value


@dataclass(frozen=True)
class Evidence:
    """One probe on all hosts.

    sampled_s: of the hosts that gave data, the seconds each really sampled, None if that is not known. marks: of
    those with losses, what was lost. calls: of each host its call trees. topic: what the probe looks at.
    apart: {host: its kernel} of those where the probe misses calls that the compiler put inline, which are others in
    another kernel. blind: those of them whose zeros may come of that.
    """

    name: str
    parameters: Mapping[str, Value]
    tables: Sequence[MergedTable]
    sampled_s: Mapping[str, float | None]
    marks: Mapping[str, str] = field(default_factory=dict)
    calls: Sequence[tuple[str, Sequence[CallTree]]] = ()
    topic: str = "other"
    apart: Mapping[str, str] = field(default_factory=dict)
    blind: frozenset[str] = frozenset()

    def seen(self, found: Mapping[str, Figure]) -> dict[str, Figure]:
        """Return figures by host, without zeros that may come of missed calls: they say nothing of a host."""
        return {host: figure for host, figure in found.items() if figure.value or host not in self.blind}

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
