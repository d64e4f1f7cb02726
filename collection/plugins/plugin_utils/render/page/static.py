# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the page itself and reads without script: verdict, findings, coverage, the top of each table,
the conditions. The script puts the whole tables and the charts in place of their tops.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from statistics import median
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import phrases
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import results
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import cost
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Column,
    Finding,
    Table,
    Value,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import balancers
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import values as cells
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document import grids, view
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document import head as document_head
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.head import (
    builds_grid,
    clock,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import (
    packed,
    tables,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import (
    values as figures,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page.data import MAX_FINDINGS
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.coverage import (
    STATUSES,
    HostCoverage,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import ProbeReport, Report
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.traffic import Traffic
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import names

TOP = 10
"""Rows of each table that stand in the page itself."""
FINDINGS = 12
"""Findings that are open to the eye; further ones are folded away."""
COVERAGE = 40
NOT_SAMPLED = "No host sampled it, so nothing is known."
SEVERITIES = ("critical", "warning", "info")
TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass
class Sheet:
    """A small table of texts. numeric: places of the columns to the right. empty: what it means to have no rows."""

    caption: str
    heads: list[str]
    rows: list[list[str]]
    numeric: tuple[int, ...] = ()
    notes: list[str] = field(default_factory=list)
    empty: str = ""


@dataclass
class Card:
    """One finding. anchor: where its rows are. symptoms: sentences of the same incident.

    last_normal: address of the report of the last sweep without it, and when that was.
    """

    number: int
    severity: str
    kind: str
    sentence: str
    figures: list[tuple[str, str]]
    mark: str
    anchor: str
    where: str
    proof: Sheet | None
    symptoms: list[str]
    last_normal: tuple[str, str] | None = None


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
    tables: list[tuple[str, str, str, Sheet]]
    calls: Sheet | None
    counted: bool
    said: Sheet | None
    empty: str
    has_lines: bool
    findings: int


# --- the head ---


def tone(report: Report) -> str:
    """`bad` when something is critical or nothing was sampled, `good` when all is known and nothing was found."""
    worst = {finding.severity for finding in report.findings}
    sampled = report.counts.get("probed", 0) + report.counts.get("degraded", 0)
    if "critical" in worst or not sampled or any(told.alarms for told in report.traffic):
        return "bad"
    whole = report.counts.get("probed", 0) == sum(report.counts.values())
    if not whole or "warning" in worst:
        return "mixed"
    return "plain" if worst else "good"


def chips(report: Report) -> list[tuple[str, str]]:
    """Findings by severity, hosts by status: class and words."""
    found = [(level, sum(item.severity == level for item in report.findings)) for level in SEVERITIES]
    shown = [(level, f"{count:,} {level}") for level, count in found if count]
    return shown + [
        (f"s-{status.replace(' ', '-')}", plural(count, "host") + f" {status}")
        for status, count in report.counts.items()
        if count
    ]


def no_findings(report: Report) -> str:
    """What it means that there are none."""
    said = document_head.no_findings(report).removeprefix("none: ")
    return f"{said[:1].upper()}{said[1:]}."


# --- findings ---


def cards(report: Report) -> list[Card]:
    """The findings, worst first."""
    probes = {probe.name: (number, probe) for number, probe in enumerate(report.probes, 1)}
    return [_card(number, finding, probes) for number, finding in enumerate(report.findings[:MAX_FINDINGS])]


def _card(number: int, finding: Finding, probes: Mapping[str, tuple[int, ProbeReport]]) -> Card:
    at, probe = probes.get(finding.probe, (0, None))
    listed = probe.tables if probe else []
    place = next((n for n, item in enumerate(listed, 1) if item.table.name == finding.table), 0)
    if place:
        anchor = f"p{at}t{place}"
    elif finding.kind == "calls" and probe is not None and probe.fleet_calls:
        anchor = f"p{at}calls"
    else:
        anchor = f"p{at}" if probe else "findings"
    words = [packed.text(probe.title or probe.name) if probe else packed.text(finding.probe)]
    words += [packed.text(finding.table)] if place and len(listed) > 1 else []
    return Card(
        number=number,
        severity=finding.severity,
        kind=finding.kind,
        sentence=printable(finding.sentence),
        figures=_figures(finding),
        mark=packed.text(finding.mark),
        anchor=anchor,
        where=", ".join(words),
        proof=_proof(number, finding, listed[place - 1].table) if place and finding.rows else None,
        symptoms=[printable(under.sentence) for under in finding.symptoms],
        last_normal=_last_normal(finding),
    )


def _last_normal(finding: Finding) -> tuple[str, str] | None:
    """Return where the report of the last normal sweep is, beside this run's directory, and when that was."""
    if not names.is_id(finding.last_normal):
        return None
    return f"../{finding.last_normal}/report.html", phrases.moment(finding.last_normal)


_EXPECTED = {
    "compare": "Others' median",
    "check": "Threshold",
    "changed": "Before",
    "set": "Before",
    "calls": "Others' median",
    "events": "Others' median",
}


def _figures(finding: Finding) -> list[tuple[str, str]]:
    def figure(value: float) -> str:
        return figures.shown(finding.type, value, finding.unit)

    shown = [("Here", figure(finding.value))]
    if finding.expected is not None:
        shown.append((_EXPECTED.get(finding.kind, "Expected"), figure(finding.expected)))
    if finding.spread is not None:
        shown.append(("Spread", figure(finding.spread)))
    if finding.ratio is not None:
        shown.append(("Factor", f"{TIMES} {figures.amount(finding.ratio)}"))
    if finding.peers and finding.kind in ("changed", "set"):
        shown.append(("Compared with", plural(finding.peers, "normal sweep")))
    elif finding.peers:
        peers = plural(finding.peers, "host")
        shown.append(
            ("Compared with", f"{peers} of {packed.text(finding.peer_set)}" if finding.peer_set else peers)
        )
    if finding.score is not None:
        shown.append(("Deviation", f"{figures.amount(abs(finding.score))} robust deviations"))
    if finding.chance is not None:
        shown.append(("By chance", chance(finding.chance)))
    if finding.since:
        shown.append(("Since", f"{phrases.moment(finding.since)} ({plural(finding.sweeps, 'sweep')})"))
    if len(finding.history) > 1:
        shown.append(("Last sweeps", phrases.strip(finding.history)))
    return shown


def chance(probability: float) -> str:
    """`1 in 2,000 reports`: how often hosts that are alike would show this."""
    if probability >= 0.1:
        return f"{100 * probability:.0f} %"
    if probability < 1e-6:
        return "less than 1 in a million reports"
    return f"1 in {figures.amount(float(f'{1 / probability:.2g}'))} reports"


def _proof(number: int, finding: Finding, table: Table) -> Sheet:
    rows = [
        [packed.text(host), *_texts(table.keys, key), *_texts(table.measures, values)]
        for host, key, values in finding.rows
    ]
    return Sheet(f"The rows that prove finding {number + 1}", ["Host", *_heads(table)], rows, _right(table))


def _heads(table: Table) -> list[str]:
    return [figures.title(item) for item in (*table.keys, *table.measures)]


def _right(table: Table, lead: int = 1) -> tuple[int, ...]:
    columns = (*table.keys, *table.measures)
    return tuple(place + lead for place, item in enumerate(columns) if is_numeric(item))


def is_numeric(item: Column) -> bool:
    return item.type not in ("string", "path", "bool")


def _texts(columns: Sequence[Column], values: Iterable[Any]) -> list[str]:
    return [figures.of(item, _packed(value)) for item, value in zip(columns, values, strict=False)]


def _packed(value: Value | None) -> Value | None:
    """The number that the script has, so that both round alike."""
    return packed.number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


# --- coverage ---


def coverage(report: Report) -> Sheet:
    """Every host of a small fleet; of a large one those that were not probed without loss."""
    rows = sorted(report.coverage, key=lambda row: -STATUSES.index(row.status))
    if len(rows) > COVERAGE:
        rows = [row for row in rows if row.status != "probed"]
    shown = rows[:COVERAGE]
    hidden = len(report.coverage) - len(shown)
    return Sheet(
        "Coverage: every host of the pattern",
        ["Host", "Status", "Kernel", "Clock offset", "Losses and reasons", "What to do"],
        [_covered(row) for row in shown],
        (3,),
        [f"{plural(hidden, 'more host')}; all are in report.json"] if hidden else [],
    )


def _covered(row: HostCoverage) -> list[str]:
    return [
        packed.text(row.host),
        row.status,
        packed.text(row.kernel) or figures.NOTHING,
        clock(row).text,
        packed.text(row.reason),
        packed.text(row.remedy),
    ]


# --- load balancers ---


@dataclass
class Balanced:
    """What became of requests: weights that may still be lowered, a sentence for each host, and the servers."""

    alarms: list[str]
    sentences: list[str]
    sheet: Sheet


def traffic(told: Traffic) -> Balanced:
    """The load balancers of one run."""
    grid = balancers.grid(told)
    sheet = Sheet(
        grid.caption,
        [f"{head.title[:1].upper()}{head.title[1:]}" for head in grid.heads],
        [[cell.text for cell in row] for row in grid.rows],
        tuple(place for place, head in enumerate(grid.heads) if head.numeric),
        grid.notes,
        "No balancer counted anything.",
    )
    return Balanced(balancers.alarms(told), list(balancers.sentences(told)), sheet)


# --- probes ---


def sections(report: Report) -> list[Section]:
    """The probes in the order they were asked for."""
    return [_section(report, number, probe) for number, probe in enumerate(report.probes, 1)]


def _section(report: Report, number: int, probe: ProbeReport) -> Section:
    return Section(
        number=number,
        name=_named(probe),
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
                _top(probe, merged),
            )
            for place, merged in enumerate(probe.tables, 1)
            if probe.sampled
        ],
        calls=_calls(probe) if probe.sampled else None,
        counted=bool(probe.fleet_stacks),
        empty="" if probe.sampled else NOT_SAMPLED,
        said=_said(probe) if probe.output == "text" and probe.sampled else None,
        has_lines=any(probe.heads.values())
        or any(calls.lines for calls in probe.calls)
        or any(item.total for item in probe.texts),
        findings=sum(finding.probe == probe.name for finding in report.all_findings),
    )


def _top(probe: ProbeReport, merged: results.MergedTable) -> Sheet:
    table = merged.table
    rows = [
        [_host(probe, row.host), *_texts(table.keys, row.key), *_texts(table.measures, row.values)]
        for row in merged.top(TOP)
    ]
    sheet = Sheet(
        f"{_named(probe)}: {tables.title(table)}, by host", ["Host", *_heads(table)], rows, _right(table)
    )
    every = sum(len(host.rows) for host in merged.hosts)
    if every > len(rows):
        sheet.notes.append(
            f"and {plural(every - len(rows), 'more row')}; all are in csv/{probe.name}.{table.name}.csv"
        )
    sheet.empty = nothing(probe)
    sheet.notes += _marks(probe, (row.host for row in merged.hosts))
    return sheet


def nothing(probe: ProbeReport) -> str:
    """What it means that there are no rows."""
    if not probe.sampled:
        return NOT_SAMPLED
    if any(probe.mark(host) for host in probe.sampled):
        return "No rows; but some hosts have losses, see coverage."
    return "No rows: nothing of the kind was seen in the window."


def _host(probe: ProbeReport, host: str) -> str:
    return packed.text(host) + (" *" if probe.mark(host) else "")


def _marks(probe: ProbeReport, hosts: Iterable[str]) -> list[str]:
    touched: dict[str, list[str]] = {}
    for host in sorted(hosts):
        if probe.mark(host):
            touched.setdefault(probe.mark(host), []).append(host)
    return [f"* {grids.named(names)}: {packed.text(mark)}" for mark, names in touched.items()]


def _calls(probe: ProbeReport) -> Sheet | None:
    """The functions in which the most time was spent, or that were on most of the stacks that were counted."""
    if probe.fleet_stacks:
        return _stacks(probe)
    if probe.output != "calltrace":
        return None
    found = [(item, tree) for tree in probe.fleet_calls[:TOP] for item in tree.nodes]
    found.sort(key=lambda pair: (-pair[0].node.self_us, pair[1].process, pair[0].node.path))
    rows = [
        [
            " > ".join(map(packed.text, (tree.process, *item.node.path))),
            figures.amount(item.node.count),
            figures.shown("duration", item.node.total_us / 1e6),
            figures.shown("duration", item.node.self_us / 1e6),
            figures.amount(item.hosts),
        ]
        for item, tree in found[:TOP]
    ]
    heads = ["Process > function", "calls", "total", "self", "hosts"]
    sheet = Sheet(
        f"{_named(probe)}: functions with the most time of their own, all hosts", heads, rows, (1, 2, 3, 4)
    )
    sheet.empty = "No calls were seen in the window." if probe.sampled else NOT_SAMPLED
    return sheet


def _stacks(probe: ProbeReport) -> Sheet:
    found = [(item, tree) for tree in probe.fleet_stacks[:TOP] for item in tree.nodes]
    found.sort(
        key=lambda pair: (-pair[0].node.self_us, -pair[0].node.count, pair[1].process, pair[0].node.path)
    )
    rows = [
        [
            " > ".join(map(packed.text, (tree.process, *item.node.path))),
            figures.amount(item.node.count),
            figures.amount(item.node.self_us),
            figures.amount(item.hosts),
        ]
        for item, tree in found[:TOP]
    ]
    heads = ["Process > function", "on stack", "innermost", "hosts"]
    return Sheet(f"{_named(probe)}: functions most often seen on a stack, all hosts", heads, rows, (1, 2, 3))


def _said(probe: ProbeReport) -> Sheet:
    """What the hosts printed, merged by time; hosts that tell no times come last."""
    lines = [
        (time is None, time or 0, item.host, number, line)
        for item in probe.texts
        for number, (line, time) in enumerate(
            zip_longest(item.lines, item.times if item.timed else [], fillvalue=None)
        )
        if line is not None
    ]
    lines.sort()
    rows = [
        [
            _host(probe, host),
            figures.NOTHING if late else f"{time / 1000:.3f} s",
            packed.text(line.expandtabs(8)),
        ]
        for late, time, host, _unused, line in lines[:TOP]
    ]
    sheet = Sheet(f"{_named(probe)}: what the hosts printed, by time", ["Host", "At", "Line"], rows, (1,))
    every = sum(item.total for item in probe.texts)
    if every > len(rows):
        sheet.notes.append(f"and {plural(every - len(rows), 'more line')}, in the run directory")
    sheet.empty = nothing(probe)
    sheet.notes += _marks(probe, (item.host for item in probe.texts))
    return sheet


# --- conditions ---


def systems(report: Report) -> Sheet:
    """Kernels and what ran on them."""
    groups: dict[tuple[str, str, str], list[HostCoverage]] = {}
    for row in report.coverage:
        groups.setdefault((row.kernel, row.distribution, row.staprun), []).append(row)
    rows = [
        [
            *(packed.text(part) or figures.NOTHING for part in group),
            figures.amount(len(found)),
            grids.named([row.host for row in found]),
        ]
        for group, found in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    heads = ["Kernel", "Distribution", "staprun", "Hosts", "Which"]
    return Sheet("Kernels of the hosts", heads, rows, (3,))


def clocks(report: Report) -> list[tuple[str, str]]:
    """How well the hosts looked at the same moment."""
    offsets = [row.clock_offset_s for row in report.coverage if row.clock_offset_s is not None]
    errors = [row.clock_error_s for row in report.coverage if row.clock_error_s is not None]
    late = [row.late_s for row in report.coverage if row.late_s is not None]
    facts: list[tuple[str, str]] = []
    if offsets:
        facts.append(("Clock offsets", f"{min(offsets):+.3f} to {max(offsets):+.3f} s"))
    if errors:
        facts.append(("Known to", f"± {max(errors):.3f} s"))
    if late:
        facts.append(("Latest start", f"{max(late):.1f} s"))
    return facts


def costs(report: Report) -> Sheet | None:
    """What each probe cost in this run, and what it was measured to cost."""
    if not report.probes:
        return None
    heads = [
        "Probe",
        "Cost",
        "CPU of a session (median)",
        "(most)",
        "Hits",
        "Records",
        "Hosts with losses",
        "Measured before",
    ]
    return Sheet("What the probes cost", heads, [_cost(probe) for probe in report.probes], (2, 3, 4, 5, 6))


def _cost(probe: ProbeReport) -> list[str]:
    spent = [session.cpu_s for session in probe.sessions.values() if session.cpu_s is not None]
    hits = [session.hits for session in probe.sessions.values() if session.hits is not None]
    return [
        _named(probe),
        packed.text(probe.cost),
        figures.shown("duration", median(spent)) if spent else figures.NOTHING,
        figures.shown("duration", max(spent)) if spent else figures.NOTHING,
        figures.amount(sum(hits)) if hits else figures.NOTHING,
        figures.amount(sum(session.rows for session in probe.sessions.values())),
        figures.amount(sum(bool(probe.mark(host)) for host in probe.sampled)),
        packed.text(cost.sentence(probe.overhead)) or figures.NOTHING,
    ]


def builds(report: Report) -> Sheet | None:
    """The modules that were compiled or taken from the cache."""
    grid = builds_grid(report)
    if grid is None:
        return None
    right = tuple(place for place, head in enumerate(grid.heads) if head.numeric)
    rows = [[packed.text(cell.text) for cell in row] for row in grid.rows]
    return Sheet(grid.caption, [_headed(head.title) for head in grid.heads], rows, right)


def _named(probe: ProbeReport) -> str:
    return packed.text(probe.title or probe.name)


def _headed(words: str) -> str:
    return words[:1].upper() + words[1:]


def summary(report: Report) -> list[tuple[str, str]]:
    """The line under the verdict."""
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
    facts.append(("Probes", ", ".join(_named(probe) for probe in report.probes)))
    return facts
