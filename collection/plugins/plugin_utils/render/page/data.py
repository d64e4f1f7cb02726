# SPDX-License-Identifier: GPL-3.0-or-later
"""The page's data block: aggregates whole, of rows, call trees and printed lines as much as there is room for.

Hosts, probes and tables are numbers from 0 in the order of the report, so that a name is there once and two
names that look alike stay two. The data files beside the page have everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Comparison, Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import keys, results
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import (
    calltrees,
    packed,
    tables,
    values,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import (
    HostText,
    ProbeReport,
    Report,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.names import host_dir

ROWS_ROOM = 2_400_000
VIEWS_ROOM = 1_000_000
CALLS_ROOM = 700_000
LINES_ROOM = 600_000
MAP_ROOM = 500_000
"""Bytes for rows of all tables, for their charts, for the call trees of single hosts, for printed lines, and for
the map."""
MAX_FINDINGS = 200
MAX_LINES = 100
MIN_LINES = 2
FOUND_LINES = 20
"""Printed lines of a host of which a finding speaks."""
_LINE = 200


def document(report: Report) -> dict[str, Any]:
    """Return the data block."""
    numbers = {row.host: number for number, row in enumerate(report.coverage)}
    listed = max(1, sum(len(probe.tables) for probe in report.probes))
    charted = max(1, sum(_charted(merged) for probe in report.probes for merged in probe.tables))
    traces = sum(bool(probe.calls or probe.stacks) for probe in report.probes)
    calls_room = CALLS_ROOM // max(1, traces)
    return {
        "hosts": _hosts(report),
        "probes": [
            {
                "name": packed.text(probe.title or probe.name),
                "file": probe.name,
                "output": probe.output,
                "sessions": _sessions(probe, list(numbers)),
                "tables": [
                    tables.table(
                        merged,
                        numbers,
                        ROWS_ROOM // listed,
                        VIEWS_ROOM // charted,
                        _proof(report, probe, merged),
                    )
                    for merged in probe.tables
                ],
                "calls": calltrees.trees(probe, numbers, calls_room, _call_proof(report, probe)),
                "lines": _lines(report, probe, numbers),
            }
            for probe in report.probes
        ],
        "map": _map(report, numbers),
        "findings": [_place(report, numbers, finding) for finding in report.findings[:MAX_FINDINGS]],
    }


def _charted(merged: results.MergedTable) -> bool:
    return merged.table.interval or any(view.kind != "table" for view in merged.table.views)


def _hosts(report: Report) -> dict[str, Any]:
    rows = report.coverage
    several = len(report.runs) > 1
    return {
        "name": [packed.text(row.host) for row in rows],
        "status": packed.words(row.status for row in rows),
        "kernel": packed.words(packed.text(row.kernel) for row in rows),
        "distribution": packed.words(packed.text(row.distribution) for row in rows),
        "staprun": packed.words(packed.text(row.staprun) for row in rows),
        "peers": packed.words(packed.text(report.peers.get(row.host, "")) for row in rows),
        "offset": [packed.number(row.clock_offset_s, 4) for row in rows],
        "error": [packed.number(row.clock_error_s, 2) for row in rows],
        "late": [packed.number(row.late_s, 3) for row in rows],
        "early": [packed.number(row.early_s, 3) for row in rows],
        "reason": packed.words(packed.text(row.reason) for row in rows),
        "remedy": packed.words(packed.text(row.remedy) for row in rows),
        "folder": [f"hosts/{host_dir(row.host)}" for row in rows],
        "run": packed.words(packed.text(report.homes.get(row.host, "")) if several else "" for row in rows),
    }


def _sessions(probe: ProbeReport, hosts: Iterable[str]) -> dict[str, Any]:
    """Return sessions in the order of the hosts; None where the probe was not asked for."""
    found = [probe.sessions.get(host) for host in hosts]
    return {
        "status": packed.words(session.status if session else "" for session in found),
        "rows": [session.rows if session else 0 for session in found],
        "sampled": [packed.number(session.sampled_s, 4) if session else None for session in found],
        "cpu": [packed.number(session.cpu_s, 3) if session else None for session in found],
        "mark": packed.words(packed.text(session.mark) if session else "" for session in found),
        "error": packed.words(packed.text(session.error) if session else "" for session in found),
    }


def _lines(report: Report, probe: ProbeReport, numbers: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return first lines of each host as printed. total: lines in all, None where they were not counted. times: of each
    line, milliseconds since the window's start, where they are known."""
    printed = [
        *(HostText(host, lines, 0) for host, lines in sorted(probe.heads.items())),
        *(HostText(calls.host, calls.lines, 0) for calls in probe.calls),
        *probe.texts,
    ]
    most = LINES_ROOM // max(1, len(numbers) * len(report.probes) * _LINE // 2)
    most = max(MIN_LINES, min(MAX_LINES, most))
    found = {finding.host for finding in report.all_findings}
    shown: list[dict[str, Any]] = []
    for item in printed:
        kept = max(most, FOUND_LINES) if item.host in found else most
        entry: dict[str, Any] = {
            "host": numbers[item.host],
            "lines": [_line(line) for line in item.lines[:kept]],
        }
        if probe.form.lines:
            entry["total"] = item.total
            if item.timed:
                entry["times"] = item.times[:kept]
        if item.lines or item.total:
            shown.append(entry)
    return shown


def _line(line: str) -> str:
    shown = packed.text(line.expandtabs(8))
    return shown if len(shown) <= _LINE else shown[: _LINE - 1] + "…"


# --- findings ---


def _proof(report: Report, probe: ProbeReport, merged: results.MergedTable) -> set[tuple[str, keys.Key]]:
    return {
        (host, key)
        for finding in report.all_findings
        if finding.probe == probe.name and finding.table == merged.table.name and finding.kind != "calls"
        for host, key, _unused in finding.rows
    }


def _call_proof(report: Report, probe: ProbeReport) -> set[tuple[str, calltrees.Path]]:
    return {
        (str(finding.key[0]), tuple(map(str, finding.key[1:])))
        for finding in report.all_findings
        if finding.kind == "calls" and finding.probe == probe.name and finding.key
    }


def _place(report: Report, numbers: Mapping[str, int], finding: Finding) -> dict[str, Any]:
    """Return where a finding's rows are: numbers of host, probe and table, and the keys."""
    probe = next((at for at, item in enumerate(report.probes) if item.name == finding.probe), None)
    listed = report.probes[probe].tables if probe is not None else []
    names = [merged.table.name for merged in listed]
    return {
        "host": numbers.get(finding.host),
        "probe": probe,
        "table": names.index(finding.table) if finding.table in names else None,
        "keys": [[packed.key(value) for value in key] for _unused, key, _unused2 in finding.rows],
        "path": [packed.key(value) for value in finding.key] if finding.kind == "calls" else None,
    }


# --- the map ---


def _map(report: Report, numbers: Mapping[str, int]) -> dict[str, Any]:
    """Return what was compared, a line per comparison; of too many those that tell the most."""
    most = max(8, MAP_ROOM // max(1, len(numbers) * 12))
    ranked = sorted(enumerate(report.comparisons), key=lambda item: (*_dullness(item[1]), item[0]))
    kept = sorted(number for number, _unused in ranked[:most])
    probes = {probe.name: number for number, probe in enumerate(report.probes)}
    return {
        "lines": [_compared(report.comparisons[number], numbers, probes, report) for number in kept],
        "more": len(report.comparisons) - len(kept),
    }


def _dullness(item: Comparison) -> tuple[int, int, float]:
    """Return a sort key: found ones first, then whole hosts before single keys, then the largest deviation."""
    worst = max(map(abs, item.scores.values()), default=0.0)
    return (0 if item.found else 1, len(item.key), -worst)


def _compared(
    item: Comparison, numbers: Mapping[str, int], probes: Mapping[str, int], report: Report
) -> dict[str, Any]:
    probe = probes.get(item.probe)
    listed = report.probes[probe].tables if probe is not None else []
    names = [merged.table.name for merged in listed]
    data: dict[str, Any] = {
        "probe": probe,
        "table": names.index(item.table) if item.table in names else None,
        "label": packed.text(item.label or item.measure.replace("_", " ")),
        "key": [packed.key(value) for value in item.key],
        "type": item.type,
        "more": item.more_is,
        "peers": packed.text(item.peer_set),
        "median": packed.number(item.median, 4),
        "cells": [
            [numbers[host], packed.number(value, 4), packed.number(item.scores.get(host), 3)]
            for host, value in sorted(item.values.items())
            if host in numbers
        ],
        "found": sorted(numbers[host] for host in item.found if host in numbers),
    }
    if item.unit not in values.PLAIN_UNITS:
        data["unit"] = packed.text(item.unit)
    return data
