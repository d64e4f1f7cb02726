# SPDX-License-Identifier: GPL-3.0-or-later
"""From merged data to findings: which host is different, in what, and how sure that is. No files, no network.

evidence + peers -> figures -> judge -> signals -> gather -> findings
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import (
    compare_calls,
    compare_hosts,
    compare_stacks,
    dedupe,
    incidents,
    limits,
    overload,
    sentences,
    thresholds,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.candidates import Signal
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.client_server import (
    findings as client_server,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.client_server.join import Joined
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Comparison, Finding


class Found(NamedTuple):
    """findings: worst first. headline: which host is different in what, or why that cannot be said; may be empty.

    worth_a_look: the few largest differences that are not certain, as findings with their chance. overloaded:
    {host: how that shows} of those that had too much work for their times to say much.
    """

    findings: list[Finding]
    comparisons: list[Comparison]
    headline: str
    worth_a_look: list[Finding]
    overloaded: Mapping[str, str]


def find(
    evidence: Sequence[Evidence],
    peer_of: Mapping[str, str],
    joined: Sequence[Joined] = (),
    load: Mapping[str, overload.Load] = MappingProxyType({}),
) -> Found:
    """Return all findings of a report. peer_of: {host: name of its set of like hosts}. load: as far as known."""
    compared = compare_hosts.compare(evidence, peer_of)
    compare_calls.compare_calls(compared, evidence, peer_of)
    compare_stacks.compare_stacks(compared, evidence, peer_of)
    signals = [*compared.signals, *thresholds.check(evidence)]
    busy = overload.overloaded(load, signals)
    slow = client_server.find(joined, evidence, busy)
    told = overload.weaken(incidents.join(dedupe.gather(signals), slow, evidence), busy, evidence)
    headline = _headline(told) if told else _nothing(compared, evidence, peer_of)
    looks = _worth_a_look(compared.uncertain, signals)
    return Found([item.finding for item in told], compared.comparisons, headline, looks, busy)


def _worth_a_look(uncertain: Sequence[Signal], certain: Sequence[Signal]) -> list[Finding]:
    """Return the few that matter most of what no finding tells already."""
    known = {signal.cause for signal in certain}
    told = dedupe.gather([signal for signal in uncertain if signal.cause not in known])
    return [
        replace(finding, sentence=f"{finding.sentence}. {sentences.by_chance(finding.chance or 0.0)}")
        for finding, _unused in told[: limits.LOOKS]
    ]


def _headline(told: Sequence[incidents.Told]) -> str:
    more = len(told) - 1
    return told[0].short + (f" (and {plural(more, 'more finding')})" if more else "")


def _nothing(
    compared: compare_hosts.Compared, evidence: Sequence[Evidence], peer_of: Mapping[str, str]
) -> str:
    """Return what it means that nothing was found; empty if no measure may be compared."""
    if not compared.possible:
        return ""
    for probe in evidence:
        sets = probe.peer_sets(peer_of)
        if any(len(hosts) > 1 for hosts in sets.values()):
            return "no host is different"
    return "too few hosts to compare"
