# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that had more work than processors, and the conclusions which that makes weaker.

What waits for a processor is slow wherever it is measured, so a time on such a host does not tell what is at fault.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import quantities
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import limits, phrases, sentences
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.candidates import Signal
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.incidents import Told
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Finding, HostLoad

_MARK = "overloaded: "


@dataclass(frozen=True)
class Load:
    """How busy a host was. load1: load average of the last minute before its sessions began, None if it is not known.

    cpus: processors, then. seen: what its sessions measured in the window, which is more than what was before.
    """

    load1: float | None
    cpus: int
    seen: tuple[HostLoad, ...] = ()


def overloaded(load: Mapping[str, Load], signals: Iterable[Signal]) -> dict[str, str]:
    """Return {host: how that shows}, by the load of the hosts and by what their sessions measured."""
    found = {host: why for host, busy in sorted(load.items()) if (why := _why(busy))}
    for signal in signals:
        if signal.check is not None and signal.check.overload:
            found.setdefault(signal.host, sentences.in_short(signal))
    return found


def _why(load: Load) -> str:
    """Return how it shows that a host was overloaded; empty if it was not, or too little is known."""
    seen = [one for one in load.seen if one.seconds > 0 and one.processors > 0]
    long = [one for one in seen if one.seconds >= limits.OVERLOAD_WINDOW_S]
    crowded = _crowded(max(long, key=_tasks)) if long else _crowded_before(load)
    return ", ".join(filter(None, [crowded, _stolen(seen), _late(seen)]))


def _crowded_before(load: Load) -> str:
    if load.load1 is None or load.cpus <= 0 or load.load1 < limits.OVERLOAD * load.cpus:
        return ""
    return f"load {quantities.amount(load.load1)} on {plural(load.cpus, 'processor')}"


def _crowded(seen: HostLoad) -> str:
    # Where timers come late, so do the ticks that the kernel counts a processor's time by.
    working = ((seen.busy_s + seen.stolen_s) / seen.processors + seen.late_s) / seen.seconds
    if _tasks(seen) < limits.OVERLOAD * seen.processors or working < limits.OVERLOAD_BUSY:
        return ""
    return f"{quantities.amount(_tasks(seen))} tasks at a time on {plural(seen.processors, 'processor')}"


def _tasks(seen: HostLoad) -> float:
    """Return how many tasks ran or waited at a time, without what the kernel's average still has of the time before."""
    left = math.exp(-seen.seconds / 60)
    return max(0.0, (seen.load_after - seen.load_before * left) / (1 - left))


def _stolen(seen: Sequence[HostLoad]) -> str:
    share = max((one.stolen_s / one.seconds / one.processors for one in seen), default=0.0)
    return f"other machines had {share:.0%} of its processors' time" if share >= limits.STOLEN else ""


def _late(seen: Sequence[HostLoad]) -> str:
    share, at_most = max(((one.late_s / one.seconds, one.latest_s) for one in seen), default=(0.0, 0.0))
    if share < limits.LATE:
        return ""
    return f"its timers were late for {share:.0%} of the window, at most {quantities.time(at_most)}"


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
