# SPDX-License-Identifier: GPL-3.0-or-later
"""What findings are made of: the merged data of each probe, who should be alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.fleet import MergedTable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import CallTree, Value


@dataclass(frozen=True)
class Evidence:
    """One probe on all hosts.

    sampled_s: of the hosts that gave data, the seconds each really sampled, None if that is not known. marks: of
    those with losses, what was lost. calls: of each host its call trees.
    """

    name: str
    parameters: Mapping[str, Value]
    tables: Sequence[MergedTable]
    sampled_s: Mapping[str, float | None]
    marks: Mapping[str, str] = field(default_factory=dict)
    calls: Sequence[tuple[str, Sequence[CallTree]]] = ()


MeasureId = tuple[str, str, str]
"""Names of probe, table and measure."""
