# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the page itself and reads without script: verdict, coverage, traffic, the probes with the top of
each table. The script puts the whole tables and the charts in place of their tops.

Its tables are grids of the document, as in text and Markdown; the template cuts their cells to what a page has room
for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import balancers
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import values as cells
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document import grids, view
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document import head as document_head
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.grids import Grid
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import tables, tops, values
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.coverage import STATUSES
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import ProbeReport, Report
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.traffic import Traffic

COVERAGE = 40
SEVERITIES = ("critical", "warning", "info")


@dataclass
class Section:
    """One probe. tables: id, title, description and top of each. calls: the top of its call trees, or of the stacks
    that its script counted. said: the first lines that it printed. empty: why there is nothing."""

    number: int
    name: str
    question: str
    description: str
    facts: list[tuple[str, str]]
    failures: list[grids.Lines]
    warnings: list[str]
    tables: list[tuple[str, str, str, Grid]]
    calls: Grid | None
    counted: bool
    said: Grid | None
    empty: str
    has_lines: bool
    findings: int


# --- the head ---


def tone(report: Report) -> str:
    """Return `bad` when something is critical or nothing was sampled, `good` when all is known and nothing was found."""
    worst = {finding.severity for finding in report.findings}
    sampled = report.counts.get("probed", 0) + report.counts.get("degraded", 0)
    if "critical" in worst or not sampled or any(told.alarms for told in report.traffic):
        return "bad"
    whole = report.counts.get("probed", 0) == sum(report.counts.values())
    if not whole or "warning" in worst:
        return "mixed"
    return "plain" if worst else "good"


def chips(report: Report) -> list[tuple[str, str]]:
    """Return findings by severity and hosts by status, as (CSS class, words)."""
    found = [(level, sum(item.severity == level for item in report.findings)) for level in SEVERITIES]
    shown = [(level, f"{count:,} {level}") for level, count in found if count]
    return shown + [
        (f"s-{status.replace(' ', '-')}", plural(count, "host") + f" {status}")
        for status, count in report.counts.items()
        if count
    ]


def no_findings(report: Report) -> str:
    """Return what it means that there are no findings."""
    return values.sentence(document_head.no_findings(report).removeprefix("none: "))


def summary(report: Report) -> list[tuple[str, str]]:
    """Return the line under the verdict, as (name, value)."""
    facts = []
    if report.runs:
        run = report.runs[0]
        start = min((run.start for run in report.runs if run.start is not None), default=None)
        when = (
            f"{run.window_s:g} s from {cells.moment(start)}"
            if start is not None
            else f"{run.window_s:g} s; it was never opened"
        )
        facts.append(("Window", when))
    facts.append(("Hosts", f"{sum(report.counts.values()):,}"))
    facts.append(("Probes", ", ".join(tops.named(probe) for probe in report.probes)))
    return facts


# --- coverage, load balancers, builds ---


def coverage(report: Report) -> Grid:
    """Return every host of a small fleet; of a large one those that were not probed without loss."""
    rows = sorted(report.coverage, key=lambda row: -STATUSES.index(row.status))
    if len(rows) > COVERAGE:
        rows = [row for row in rows if row.status != "probed"]
    shown = rows[:COVERAGE]
    grid = values.titled_grid(document_head.coverage_grid(shown))
    grid.caption = "Coverage: every host of the pattern"
    if hidden := len(report.coverage) - len(shown):
        grid.notes.append(f"{plural(hidden, 'more host')}; all are in report.json")
    return grid


@dataclass
class Balanced:
    """What became of requests: weights that may still be lowered, a sentence for each host, and the servers."""

    alarms: list[str]
    sentences: list[str]
    grid: Grid


def traffic(told: Traffic) -> Balanced:
    """Return what the load balancers of one run did."""
    grid = replace(values.titled_grid(balancers.grid(told)), empty="no balancer counted anything")
    return Balanced(balancers.alarms(told), list(balancers.sentences(told)), grid)


def builds(report: Report) -> Grid | None:
    """Return the modules that were compiled or taken from the cache."""
    grid = document_head.builds_grid(report)
    return None if grid is None else values.titled_grid(grid)


# --- probes ---


def sections(report: Report) -> list[Section]:
    """Return the probes in the order they were asked for."""
    return [_section(report, number, probe) for number, probe in enumerate(report.probes, 1)]


def _section(report: Report, number: int, probe: ProbeReport) -> Section:
    sampled = bool(probe.sampled)
    return Section(
        number=number,
        name=tops.named(probe),
        question=printable(probe.question),
        description=printable(probe.description),
        facts=view.facts(probe),
        failures=view.failures(probe),
        warnings=view.warnings(probe),
        tables=[
            (
                f"p{number}t{place}",
                tables.title(merged.table),
                printable(merged.table.description),
                tops.of_table(probe, merged),
            )
            for place, merged in enumerate(probe.tables, 1)
            if sampled
        ],
        calls=tops.of_calls(probe) if sampled else None,
        counted=bool(probe.fleet_stacks),
        empty="" if sampled else values.sentence(grids.NOT_SAMPLED),
        said=tops.of_lines(probe) if probe.form.lines and sampled else None,
        has_lines=any(probe.heads.values())
        or any(calls.lines for calls in probe.calls)
        or any(item.total for item in probe.texts),
        findings=sum(finding.probe == probe.name for finding in report.all_findings),
    )
