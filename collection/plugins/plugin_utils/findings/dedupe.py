# SPDX-License-Identifier: GPL-3.0-or-later
"""Many signals -> few findings: one for each cause, the worst first."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import sentences
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.candidates import (
    RANK,
    EvidenceRow,
    Signal,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.comparisons import MAX_ROWS
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Finding

MANY_HOSTS = 5
"""As many hosts have a finding of their own for the same thing; of more, the worst speaks for all."""
_KINDS = {"compare": 0, "calls": 1, "check": 2}


def gather(signals: Sequence[Signal]) -> tuple[list[Finding], str]:
    """The findings, worst first, and the first of them in short for the verdict."""
    causes: dict[tuple[str, str, str], list[Signal]] = {}
    for signal in signals:
        causes.setdefault(signal.cause, []).append(signal)
    groups = [sorted(group, key=_telling) for group in causes.values()]
    groups.sort(key=lambda group: group[0].order)
    alike: dict[tuple[object, ...], list[list[Signal]]] = {}
    for group in groups:
        alike.setdefault(_thing(group[0]), []).append(group)
    findings = []
    first: Signal | None = None
    for group in groups:
        same = alike[_thing(group[0])]
        many = len(same) > MANY_HOSTS
        if many and group is not same[0]:
            continue
        first = first or group[0]
        findings.append(_finding(group, [other[0].host for other in same[1:]] if many else []))
    return findings, _headline(first, findings)


def _telling(signal: Signal) -> tuple[int, int, int, float, str, str]:
    """Which signal of a cause is its sentence: the most severe, and of those the one that says most."""
    counts = 0 if signal.column.merge == "records" else 1
    return (
        RANK[signal.severity],
        _KINDS[signal.kind],
        counts,
        -signal.strength,
        signal.column.name,
        repr(signal.key),
    )


def _thing(signal: Signal) -> tuple[object, ...]:
    """What many hosts may show alike."""
    measure = (signal.evidence.name, signal.table, signal.column.name)
    return (
        *measure,
        signal.kind,
        signal.severity,
        signal.up,
        signal.peer_set,
        signal.key[-1:] if signal.kind == "calls" else (),
    )


def _finding(group: Sequence[Signal], more_hosts: Sequence[str]) -> Finding:
    signal = group[0]
    column = signal.column
    return Finding(
        severity=signal.severity,
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
        hosts=(signal.host, *more_hosts) if more_hosts else (),
    )


def _rows(group: Sequence[Signal]) -> list[EvidenceRow]:
    """The rows of the sentence itself, then those of what it says besides, each once."""
    seen: list[EvidenceRow] = []
    for signal in group:
        for row in signal.rows:
            if row not in seen:
                seen.append(row)
    return seen[:MAX_ROWS]


def _headline(signal: Signal | None, findings: Sequence[Finding]) -> str:
    if signal is None:
        return ""
    host = printable(signal.host)
    short = sentences.in_short(signal).replace("; ", ", ")
    line = f"{host}: {short}" if signal.kind == "check" else f"{host} is different: {short}"
    more = len(findings) - 1
    if more:
        line += f" (and {more} more finding{'s' if more > 1 else ''})"
    return line
