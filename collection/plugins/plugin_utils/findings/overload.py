# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that had more work than processors, and the conclusions which that makes weaker.

What waits for a processor is slow wherever it is measured, so a time on such a host does not tell what is at fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import quantities
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import limits, phrases, sentences
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.candidates import Signal
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.incidents import Told
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Finding

_MARK = "overloaded: "


@dataclass(frozen=True)
class Load:
    """How busy a host was before its sessions began. load1: load average of the last minute."""

    load1: float
    cpus: int


def overloaded(load: Mapping[str, Load], signals: Iterable[Signal]) -> dict[str, str]:
    """Return {host: how that shows}, by the load of the hosts and by what their sessions measured."""
    found = {
        host: f"load {quantities.amount(busy.load1)} on {plural(busy.cpus, 'processor')}"
        for host, busy in sorted(load.items())
        if busy.cpus > 0 and busy.load1 >= limits.OVERLOAD * busy.cpus
    }
    for signal in signals:
        if signal.check is not None and signal.check.overload:
            found.setdefault(signal.host, sentences.in_short(signal))
    return found


def weaken(told: Sequence[Told], hosts: Mapping[str, str], evidence: Sequence[Evidence]) -> list[Told]:
    """Return the same, with a mark on each finding about a time on such a host."""
    findings = marked((item.finding for item in told), hosts, evidence)
    return [Told(finding, item.short) for finding, item in zip(findings, told, strict=True)]


def marked(
    findings: Iterable[Finding], hosts: Mapping[str, str], evidence: Sequence[Evidence]
) -> list[Finding]:
    """Return the same, with a mark on each finding about a time on such a host.

    Those of probes that measure overload itself stay as they are.
    """
    measuring = {
        probe.name
        for probe in evidence
        for merged in probe.tables
        if any(check.overload for check in merged.table.checks)
    }

    def with_mark(finding: Finding) -> Finding:
        why = hosts.get(finding.host, "") if finding.type == "duration" and finding.kind != "sides" else ""
        marks = [finding.mark, f"{_MARK}{why}" if why and finding.probe not in measuring else ""]
        under = tuple(with_mark(one) for one in finding.symptoms)
        return replace(finding, symptoms=under, mark="; ".join(filter(None, marks)))

    return [with_mark(finding) for finding in findings]


def mark(hosts: Mapping[str, str], concerned: Iterable[str]) -> str:
    """Return the mark of a finding that concerns several hosts; empty if none of them was overloaded."""
    return "; ".join(f"{host} {_MARK}{hosts[host]}" for host in sorted(concerned) if host in hosts)


def sentence(hosts: Mapping[str, str], findings: Iterable[Finding]) -> str:
    """Return what the verdict says of it; empty if no host was overloaded."""
    if not hosts:
        return ""
    names, (why, *_unused) = list(hosts), hosts.values()
    text = f"{phrases.hosts(names)} was overloaded ({why})"
    if len(names) > 1:
        text = f"{phrases.hosts(names)} were overloaded ({printable(names[0])}: {why})"
    weak = sum(_MARK in one.mark for finding in findings for one in finding.told)
    return f"{text}, which weakens {plural(weak, 'finding')}" if weak else text
