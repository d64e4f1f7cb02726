# SPDX-License-Identifier: GPL-3.0-or-later
"""The head of a report: findings, coverage, conditions and builds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import phrases
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import keys
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Table
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import (
    values as cells,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.grids import Grid
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.values import HOST, Cell, Head
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.coverage import HostCoverage
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import (
    Report,
)

BUILD_LINES = 30


def no_findings(report: Report) -> str:
    """Return what it means that there are no findings."""
    hosts = report.counts.get("probed", 0) + report.counts.get("degraded", 0)
    if not hosts:
        return "no host was sampled, so nothing is known of any"
    if hosts == 1:
        return "none: one host was sampled, there is none to compare it with; no check of a probe speaks up"
    if not report.comparisons:
        return "none: no check of a probe speaks up; no measure of these probes can be compared between hosts"
    compared = f"{plural(len(report.comparisons), 'comparison')} of {plural(hosts, 'host')}"
    return f"none: no host differs from its peers ({compared}), and no check of a probe speaks up"


def proof(report: Report, finding: Finding) -> Iterator[str]:
    """Yield the figures behind a finding, then the rows, one line each."""
    figures = _figures(report, finding)
    if figures:
        yield figures
    if finding.mark:
        yield f"* {printable(finding.host)}: {printable(finding.mark)}"
    if finding.kind == "calls" and finding.key:
        process, *path = (printable(str(value)) for value in finding.key)
        yield f"{process}: {' > '.join(path)}"
    table = _table_of(report, finding)
    for host, key, values in finding.rows:
        yield f"{printable(host)}: {row_in_words(table, key, values)}"


def _figures(report: Report, finding: Finding) -> str:
    def value(number: float) -> str:
        return cells.shown(finding.type, number, finding.unit)

    said = []
    table = _table_of(report, finding)
    measures = {column.name: column.words for column in table.measures} if table else {}
    name = printable(measures.get(finding.measure, finding.measure.replace("_", " ")))
    if finding.expected is not None:
        against = {"check": "the threshold", "changed": "its own past", "set": "their own past"}.get(
            finding.kind, ""
        )
        if not against:
            others = plural(finding.peers, "other") if finding.peers else "the others"
            against = f"the median of {others}" + (
                f" in {printable(finding.peer_set)}" if finding.peer_set else ""
            )
        said.append(f"{name} {value(finding.value)} against {value(finding.expected)}, {against}")
    if finding.spread:
        said.append(f"alike hosts lie within {value(finding.spread)}")
    if finding.score is not None:
        said.append(f"{cells.amount(finding.score)} robust deviations")
    if finding.chance is not None:
        said.append(f"chance among alike hosts {finding.chance:.2g}")
    if finding.since:
        said.append(f"since {phrases.moment(finding.since)} ({plural(finding.sweeps, 'sweep')})")
    if finding.last_normal and finding.kind not in ("changed", "set"):  # there the sentence has it
        said.append(f"last normal {phrases.moment(finding.last_normal)}")
    return "; ".join(said)


def _table_of(report: Report, finding: Finding) -> Table | None:
    tables = (
        merged.table for probe in report.probes if probe.name == finding.probe for merged in probe.tables
    )
    return next((table for table in tables if table.name == finding.table), None)


def row_in_words(table: Table | None, key: keys.Key, values: keys.Cells) -> str:
    """Return a row as words: `process httpd, path /x, seconds 8.47 s`."""
    if table is None or len(key) != len(table.keys) or len(values) != len(table.measures):
        return ", ".join(printable(str(value)) for value in (*key, *values) if value is not None)
    pairs = [*zip(table.keys, key, strict=True), *zip(table.measures, values, strict=True)]
    return ", ".join(
        f"{cells.head_of(column).title} {cells.value_cell(column, value).text}"
        for column, value in pairs
        if value is not None
    )


def coverage_grid(rows: Iterable[HostCoverage]) -> Grid:
    """Return each of these hosts once. Reason and remedy are in the last two columns."""
    heads = [
        HOST,
        Head("status", least=11),
        Head("kernel"),
        Head("clock offset", numeric=True),
        Head("late", numeric=True),
        Head("early", numeric=True),
        Head("losses and reasons"),
        Head("what to do"),
    ]
    shown = [
        [
            cells.text(row.host),
            Cell(row.status),
            cells.text(row.kernel or cells.NOTHING),
            _clock(row),
            cells.seconds(row.late_s),
            cells.seconds(row.early_s),
            cells.text(row.reason),
            cells.text(row.remedy),
        ]
        for row in rows
    ]
    return Grid("Coverage", heads, shown)


@dataclass(frozen=True)
class Alike:
    """Hosts of which the same is to be said."""

    status: str
    hosts: list[str]
    reason: str
    remedy: str


def coverage_groups(report: Report) -> list[Alike]:
    """Return the hosts by what is to be said of them: those that were not probed first, the flawless last."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for row in report.coverage:
        groups.setdefault((row.status, row.reason, row.remedy), []).append(row.host)
    worst = {"failed": 0, "unreachable": 1, "refused": 2, "not probed": 3, "degraded": 4, "probed": 5}
    listed = sorted(groups.items(), key=lambda item: (worst[item[0][0]], -len(item[1]), item[1]))
    return [
        Alike(status, hosts, printable(reason), printable(remedy))
        for (status, reason, remedy), hosts in listed
    ]


def _clock(row: HostCoverage) -> Cell:
    """Return a host's clock against the controller's: `+0.003 ± 0.004 s`."""
    if row.clock_offset_s is None:
        return Cell(cells.NOTHING)
    error = "" if row.clock_error_s is None else f" ± {row.clock_error_s:.3f}"
    return Cell(f"{row.clock_offset_s:+.3f}{error} s")


def conditions(report: Report) -> list[tuple[str, str]]:
    """Return under what conditions the sweep ran, as (name, value)."""
    facts: list[tuple[str, str]] = []
    for run in report.runs:
        facts.append(("Sweep", printable(run.id)))
        if run.start is not None and run.batches:
            windows = f"{run.batches:,} of {run.window_s:g} s, one after the other"
            facts.append(("Windows", f"{windows}, from {cells.moment(run.start)} to {cells.moment(run.end)}"))
        elif run.start is not None:
            facts.append(("Window", f"{run.window_s:g} s from {cells.moment(run.start)}"))
        else:
            facts.append(("Window", f"{run.window_s:g} s; it was never opened"))
        if run.builders:
            facts.append(("Builders", printable(", ".join(run.builders))))
        facts.extend(
            (printable(str(name)), printable(str(value))) for name, value in sorted(run.conditions.items())
        )
    versions = sorted({run.fleetdiag for run in report.runs if run.fleetdiag})
    if versions:
        facts.append(("fleetdiag", printable(", ".join(versions))))
    return facts


def builds_grid(report: Report) -> Grid | None:
    """Return the modules that were compiled or taken from the cache."""
    if not report.builds:
        return None
    heads = [
        Head("kernel"),
        Head("probe"),
        Head("status"),
        Head("seconds", numeric=True),
        Head("SystemTap"),
        Head("builder"),
        Head("hosts", numeric=True),
    ]
    rows = [
        [
            cells.text(item.kernel),
            cells.text(item.probe),
            cells.text(item.status),
            cells.seconds(item.seconds),
            cells.text(item.stap),
            cells.text(item.builder),
            Cell(cells.amount(len(item.hosts))),
        ]
        for item in report.builds
    ]
    return Grid("Modules", heads, rows)
