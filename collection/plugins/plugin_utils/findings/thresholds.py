# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures that are bad by themselves, whatever the other hosts have: the thresholds of the manifests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import figures, limits
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.candidates import (
    RANK,
    EvidenceRow,
    Signal,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.comparisons import (
    top_rows,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.keys import Key
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.results import HostTable, MergedTable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Check, Column


def check(evidence: Sequence[Evidence]) -> list[Signal]:
    """Return one signal for each host and measure that breaks a threshold: its most severe one."""
    signals: list[Signal] = []
    for probe in evidence:
        for merged in probe.tables:
            worst: dict[tuple[str, str], Signal] = {}
            for rule in sorted(merged.table.checks, key=lambda rule: RANK[rule.severity]):
                for signal in _broken(probe, merged, rule):
                    worst.setdefault((signal.host, rule.measure), signal)
            signals.extend(worst.values())
    return signals


def _broken(probe: Evidence, merged: MergedTable, rule: Check) -> Iterable[Signal]:
    column = merged.table.measures[figures.place_of(merged.table, rule.measure)]
    for host in merged.hosts:
        if rule.scope == "host":
            figure = figures.of_host(merged.table, column, host)
            if figure is not None and probe.seen({host.host: figure}) and _breaks(rule, figure.value):
                signal = _signal(probe, merged, column, rule, host.host, figure.value)
                signal.rows = top_rows(merged, column, host.host)
                yield signal
            continue
        bad = _bad_rows(merged, column, rule, host)
        if bad:
            value, key, _unused = bad[0]
            signal = _signal(probe, merged, column, rule, host.host, value)
            signal.key, signal.records = key, len(bad)
            signal.rows = [row for _unused2, _unused3, row in bad[: limits.ROWS]]
            yield signal


def _breaks(rule: Check, value: float) -> bool:
    return (rule.above is not None and value > rule.above) or (rule.below is not None and value < rule.below)


def _bad_rows(
    merged: MergedTable, column: Column, rule: Check, host: HostTable
) -> list[tuple[float, Key, EvidenceRow]]:
    """Return the host's rows that break the threshold, the furthest first."""
    place = figures.place_of(merged.table, column.name)
    found = [
        (value, row.key, (row.host, row.key, row.values))
        for row in host.rows
        if (value := figures.number(row.values[place])) is not None and _breaks(rule, value)
    ]
    return sorted(found, key=lambda item: item[0], reverse=rule.above is not None)


def _signal(
    probe: Evidence, merged: MergedTable, column: Column, rule: Check, host: str, value: float
) -> Signal:
    limit = rule.above if rule.above is not None else rule.below
    return Signal(
        kind="check",
        severity=rule.severity,
        host=host,
        evidence=probe,
        merged=merged,
        column=column,
        value=value,
        up=rule.above is not None,
        expected=limit,
        check=rule,
    )
