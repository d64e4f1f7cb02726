# SPDX-License-Identifier: GPL-3.0-or-later
"""The sweep that news are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import figures_file
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import MeasureId
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import decisions
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.settings import Settings
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import history


@dataclass(frozen=True)
class Run:
    """This sweep. hosts: of its pattern. findings: of its report. columns: the measures that are compared."""

    figures: figures_file.Sweep
    hosts: Sequence[str]
    findings: Sequence[Finding]
    columns: Mapping[MeasureId, Column]
    settings: Settings
    most: int = history.DEFAULT
    slot: str = ""
    decisions: Sequence[decisions.Decision] = ()
