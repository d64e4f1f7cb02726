# SPDX-License-Identifier: GPL-3.0-or-later
"""From merged data to findings: which host is different, in what, and how sure that is. No files, no network.

evidence + peers + past -> figures -> judge -> signals -> gather -> findings
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import (
    baseline,
    calls,
    checks,
    compare,
    gather,
    peers,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.evidence import Evidence, Past
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.model import Comparison, Finding


class Found(NamedTuple):
    """findings: worst first. headline: which host is different in what, or why that cannot be said; may be empty."""

    findings: list[Finding]
    comparisons: list[Comparison]
    headline: str


def find(evidence: Sequence[Evidence], peer_of: Mapping[str, str], past: Past) -> Found:
    """All findings of a report. peer_of: {host: name of the set of hosts it should be like}."""
    compared = compare.compare(evidence, peer_of)
    calls.compare_calls(compared, evidence, peer_of)
    signals = [*compared.signals, *checks.check(evidence), *baseline.compare_past(evidence, past)]
    findings, headline = gather.gather(signals)
    return Found(findings, compared.comparisons, headline or _nothing(compared, evidence, peer_of))


def _nothing(compared: compare.Compared, evidence: Sequence[Evidence], peer_of: Mapping[str, str]) -> str:
    """What it means that nothing was found."""
    if not compared.possible:
        return ""
    for probe in evidence:
        sets = peers.sets({host: peer_of.get(host, "") for host in probe.sampled_s})
        if any(len(hosts) > 1 for hosts in sets.values()):
            return "no host is different"
    return "too few hosts to compare"
