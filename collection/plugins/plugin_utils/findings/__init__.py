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
    sides,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.evidence import Evidence, Past
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.signals import RANK
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.model import Comparison, Finding


class Found(NamedTuple):
    """findings: worst first. headline: which host is different in what, or why that cannot be said; may be empty."""

    findings: list[Finding]
    comparisons: list[Comparison]
    headline: str


def find(
    evidence: Sequence[Evidence],
    peer_of: Mapping[str, str],
    past: Past,
    joined: Sequence[sides.Joined] = (),
) -> Found:
    """All findings of a report. peer_of: {host: name of the set of hosts it should be like}."""
    compared = compare.compare(evidence, peer_of)
    calls.compare_calls(compared, evidence, peer_of)
    signals = [*compared.signals, *checks.check(evidence), *baseline.compare_past(evidence, past)]
    findings, headline = gather.gather(signals)
    both = sides.find(joined, evidence)
    # Where a slow answer was spent explains what else was found, unless that is worse.
    findings = sorted([*both, *findings], key=lambda finding: RANK[finding.severity])
    if both and findings[0] is both[0]:
        headline = sides.headline(both[0], len(findings) - 1)
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
