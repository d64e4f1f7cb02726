# SPDX-License-Identifier: GPL-3.0-or-later
"""From merged data to findings: which host is different, in what, and how sure that is. No files, no network.

evidence + peers -> figures -> judge -> signals -> gather -> findings
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import (
    client_server,
    compare_calls,
    compare_hosts,
    dedupe,
    peers,
    thresholds,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.candidates import RANK
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Comparison, Finding


class Found(NamedTuple):
    """findings: worst first. headline: which host is different in what, or why that cannot be said; may be empty."""

    findings: list[Finding]
    comparisons: list[Comparison]
    headline: str


def find(
    evidence: Sequence[Evidence],
    peer_of: Mapping[str, str],
    joined: Sequence[client_server.Joined] = (),
) -> Found:
    """All findings of a report. peer_of: {host: name of the set of hosts it should be like}."""
    compared = compare_hosts.compare(evidence, peer_of)
    compare_calls.compare_calls(compared, evidence, peer_of)
    signals = [*compared.signals, *thresholds.check(evidence)]
    findings, headline = dedupe.gather(signals)
    both = client_server.find(joined, evidence)
    # Where a slow answer was spent explains what else was found, unless that is worse.
    findings = sorted([*both, *findings], key=lambda finding: RANK[finding.severity])
    if both and findings[0] is both[0]:
        headline = client_server.headline(both[0], len(findings) - 1)
    return Found(findings, compared.comparisons, headline or _nothing(compared, evidence, peer_of))


def _nothing(
    compared: compare_hosts.Compared, evidence: Sequence[Evidence], peer_of: Mapping[str, str]
) -> str:
    """What it means that nothing was found."""
    if not compared.possible:
        return ""
    for probe in evidence:
        sets = peers.sets({host: peer_of.get(host, "") for host in probe.sampled_s})
        if any(len(hosts) > 1 for hosts in sets.values()):
            return "no host is different"
    return "too few hosts to compare"
