# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences about what is no longer as it was."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import phrases
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.candidates import severity
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.compare_past import Suspicion
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column


def of_host(
    item: Suspicion, column: Column, kernels: tuple[str, str] = ("", ""), more: Sequence[str] = ()
) -> Finding:
    """Return the finding that a host is not as it was. kernels: when it was last normal, and now. more: hosts alike."""
    beside = "beside its peers usually" if item.relative else "usually"
    text = (
        f"{printable(item.series.who)}: {phrases.name(column)} {phrases.figure(column, item.value)};"
        f" {beside} {phrases.figure(column, item.expected)}{_times(item)}, by its {_sweeps(item)}"
    )
    parts = [text, _since(item, kernels)]
    if more:
        parts.append(f"The same on {plural(len(more), 'more host')}: {phrases.hosts(more)}")
    return _finding(item, column, "changed", ". ".join(parts), item.series.who, more)


def of_set(
    item: Suspicion, column: Column, hosts: Sequence[str], kernels: tuple[str, str] = ("", "")
) -> Finding:
    """Return the finding that a whole set of hosts is not as it was."""
    who = printable(item.series.who) if item.series.who else "all hosts"
    text = (
        f"{who}: {phrases.name(column)} {phrases.figure(column, item.value)} in the middle of"
        f" {plural(item.hosts, 'host')}; usually {phrases.figure(column, item.expected)}{_times(item)}, by their"
        f" {_sweeps(item)}"
    )
    return _finding(item, column, "set", ". ".join([text, _since(item, kernels)]), item.series.who, hosts)


def headline(finding: Finding, more: int) -> str:
    """Return the finding in short for the verdict. more: findings beside it."""
    short = finding.sentence.split(". Last normal", 1)[0].replace("; ", ", ")
    return short + (f" (and {more} more finding{'s' if more > 1 else ''})" if more else "")


def _times(item: Suspicion) -> str:
    if not item.expected or not item.value:
        return ""
    ratio = item.ratio if item.up else 1 / item.ratio
    return f" ({ratio:.2g} times as much)" if item.up else f" (a factor of {ratio:.2g} less)"


def _sweeps(item: Suspicion) -> str:
    return f"{plural(item.usual.sweeps, 'normal sweep')} before"


def _since(item: Suspicion, kernels: tuple[str, str]) -> str:
    then, now = kernels
    changed = (
        f" (since then the kernel changed: {printable(then)} to {printable(now)})"
        if then and now != then
        else ""
    )
    return f"Last normal: {phrases.moment(item.usual.last_normal)}{changed}"


def _finding(
    item: Suspicion, column: Column, kind: str, sentence: str, host: str, hosts: Sequence[str]
) -> Finding:
    return Finding(
        severity="info" if severity(column, item.up, 1.0, item.hosts) == "info" else "warning",
        kind="changed" if kind == "changed" else "set",
        host=host,
        probe=item.series.probe,
        table=item.series.table,
        measure=item.series.measure,
        sentence=sentence,
        value=float(f"{item.value:.6g}"),
        unit=column.shown_unit,
        type=column.type,
        peers=item.usual.sweeps,
        peer_set=item.peer_set,
        expected=float(f"{item.expected:.6g}"),
        spread=None,
        ratio=float(f"{item.ratio:.6g}") if item.expected else None,
        score=round(max(-99.0, min(99.0, item.score)), 2),
        hosts=tuple(hosts),
    )
