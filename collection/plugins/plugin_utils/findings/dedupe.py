# SPDX-License-Identifier: GPL-3.0-or-later
"""Many signals -> few findings: one for each cause, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import limits, sentences
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.candidates import (
    RANK,
    EvidenceRow,
    Signal,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.incidents import Told
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Severity

_KINDS = {"compare": 0, "events": 0, "calls": 1, "check": 2}


def gather(signals: Sequence[Signal]) -> list[Told]:
    """Return the findings, worst first."""
    causes: dict[tuple[str, str, str], list[Signal]] = {}
    for signal in signals:
        causes.setdefault(signal.cause, []).append(signal)
    groups = [sorted(group, key=_telling) for group in causes.values()]
    groups.sort(key=_order)
    alike: dict[tuple[object, ...], list[list[Signal]]] = {}
    for group in groups:
        alike.setdefault(_thing(group), []).append(group)
    findings = []
    for group in groups:
        same = alike[_thing(group)]
        many = len(same) > limits.MANY_HOSTS
        if many and group is not same[0]:
            continue
        finding = _finding(group, [other[0] for other in same[1:]] if many else [])
        findings.append(Told(finding, _in_short(group[0])))
    return findings


def _severity(group: Sequence[Signal]) -> Severity:
    """Return the worst severity of any signal of a cause."""
    return min((signal.severity for signal in group), key=RANK.__getitem__)


def _order(group: Sequence[Signal]) -> tuple[Any, ...]:
    """Return a sort key, worst first: by severity, then by kind of trouble, then by how much it stands out."""
    return (RANK[_severity(group)], min(signal.symptom for signal in group), *group[0].order)


def _telling(signal: Signal) -> tuple[bool, int, int, int, float, str, str]:
    """Return a sort key: a cause's first signal is its sentence. That is what the probe was to find, else the most
    severe, and of those the one that says most."""
    counts = 0 if signal.column.merge == "records" else 1
    return (
        not signal.counts_events,
        RANK[signal.severity],
        _KINDS[signal.kind],
        counts,
        -signal.strength,
        signal.column.name,
        repr(signal.key),
    )


def _thing(group: Sequence[Signal]) -> tuple[object, ...]:
    """Return what must be equal for hosts to show the same thing."""
    signal = group[0]
    measure = (signal.evidence.name, signal.table, signal.column.name)
    return (
        *measure,
        signal.kind,
        _severity(group),
        signal.up or signal.counts_events,
        signal.peer_set,
        signal.key[-1:] if signal.kind == "calls" else (),
    )


def _finding(group: Sequence[Signal], more_hosts: Sequence[Signal]) -> Finding:
    signal = group[0]
    column = signal.column
    return Finding(
        severity=_severity(group),
        kind=signal.kind,
        host=signal.host,
        probe=signal.evidence.name,
        table=signal.table,
        measure=column.name,
        sentence=sentences.write(signal, group[1:], more_hosts),
        value=signal.value,
        key=signal.key,
        unit=column.shown_unit,
        type=column.type,
        peers=signal.peers,
        peer_set=signal.peer_set,
        expected=signal.expected,
        spread=signal.spread,
        ratio=signal.ratio,
        score=signal.score,
        chance=signal.chance,
        mark=signal.evidence.marks.get(signal.host, ""),
        rows=tuple(_rows(group)),
        hosts=(signal.host, *(other.host for other in more_hosts)) if more_hosts else (),
    )


def _rows(group: Sequence[Signal]) -> list[EvidenceRow]:
    """Return the rows of the sentence itself, then those of what it says besides, each once, limits.ROWS at the most."""
    seen: list[EvidenceRow] = []
    for signal in group:
        for row in signal.rows:
            if row not in seen:
                seen.append(row)
    return seen[: limits.ROWS]


def _in_short(signal: Signal) -> str:
    """Return the finding for the verdict, without a semicolon, which separates the verdict's parts."""
    host, short = printable(signal.host), sentences.in_short(signal).replace("; ", ", ")
    return f"{host}: {short}" if signal.kind in ("check", "events") else f"{host} is different: {short}"
