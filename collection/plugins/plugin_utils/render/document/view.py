# SPDX-License-Identifier: GPL-3.0-or-later
"""What the terminal and a ticket show, as grids of cells: which rows, in which order, with which remarks.

The renderers decide only how it looks. All texts in a grid are safe to show.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import phrases
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import fleet as merge
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import cost
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Column,
    Finding,
    Table,
    View,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import (
    shorten,
    sparkline,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import (
    values as cells,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.values import HOST, Cell, Head
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.build import (
    HostText,
    ProbeReport,
    Report,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.coverage import HostCoverage, plural

NAMES = 8
"""Host names listed in one remark; of more the number is given."""
BUILD_LINES = 30
NOT_SAMPLED = "no host sampled it, so nothing is known"
_FAILED = {"failed": "nothing sampled: ", "not armed": "not armed: ", "missing": ""}


@dataclass(frozen=True)
class Most:
    """How much of each is shown; what is left out is counted and summed up."""

    findings: int = 20
    hosts: int = 20
    rows: int = 20
    keys: int = 10
    trees: int = 2
    nodes: int = 20
    lines: int = 40


@dataclass
class Grid:
    """A table to show. rows: one cell per head. foot: a label in the place of the first `lead` cells, then one
    cell per head after those. notes: remarks under it."""

    caption: str
    heads: list[Head]
    rows: list[list[Cell]]
    lead: int = 1
    foot: list[tuple[Cell, list[Cell]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Lines:
    """Lines as hosts printed them. more: how many are not shown. notes: remarks under them."""

    title: str
    lines: list[str]
    more: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass
class Section:
    """One probe."""

    name: str
    question: str
    description: str
    facts: list[tuple[str, str]]
    grids: list[Grid]
    lines: list[Lines]
    failures: list[Lines]
    warnings: list[str]


# --- the head of the report ---


def no_findings(report: Report) -> str:
    """What it means that there are none."""
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
    """The figures behind a finding, then the rows, one line each."""
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
        yield f"{printable(host)}: {_row_in_words(table, key, values)}"


def _figures(report: Report, finding: Finding) -> str:
    def value(number: float) -> str:
        return cells.shown(finding.type, number, finding.unit)

    said = []
    table = _table_of(report, finding)
    measures = {column.name: column.words for column in table.measures} if table else {}
    name = printable(measures.get(finding.measure, finding.measure.replace("_", " ")))
    if finding.expected is not None:
        against = {"check": "the threshold", "changed": "its own past", "set": "their own past"}.get(finding.kind, "")
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


def _row_in_words(table: Table | None, key: merge.Key, values: merge.Cells) -> str:
    """`process httpd, path /x, seconds 8.47 s`."""
    if table is None or len(key) != len(table.keys) or len(values) != len(table.measures):
        return ", ".join(printable(str(value)) for value in (*key, *values) if value is not None)
    pairs = [*zip(table.keys, key, strict=True), *zip(table.measures, values, strict=True)]
    return ", ".join(
        f"{cells.head_of(column).title} {cells.value_cell(column, value).text}"
        for column, value in pairs
        if value is not None
    )


def coverage_grid(report: Report) -> Grid:
    """Every host once. Reason and remedy are in the last two columns."""
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
    rows = [
        [
            cells.text(row.host),
            Cell(row.status),
            cells.text(row.kernel or cells.NOTHING),
            clock(row),
            cells.seconds(row.late_s),
            cells.seconds(row.early_s),
            cells.text(row.reason),
            cells.text(row.remedy),
        ]
        for row in report.coverage
    ]
    return Grid("Coverage", heads, rows)


@dataclass(frozen=True)
class Alike:
    """Hosts of which the same is to be said."""

    status: str
    hosts: list[str]
    reason: str
    remedy: str


def coverage_groups(report: Report) -> list[Alike]:
    """The hosts by what is to be said of them: those that were not probed first, the flawless last."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for row in report.coverage:
        groups.setdefault((row.status, row.reason, row.remedy), []).append(row.host)
    worst = {"failed": 0, "unreachable": 1, "refused": 2, "not probed": 3, "degraded": 4, "probed": 5}
    listed = sorted(groups.items(), key=lambda item: (worst[item[0][0]], -len(item[1]), item[1]))
    return [
        Alike(status, hosts, printable(reason), printable(remedy))
        for (status, reason, remedy), hosts in listed
    ]


def clock(row: HostCoverage) -> Cell:
    """`+0.003 ± 0.004 s`."""
    if row.clock_offset_s is None:
        return Cell(cells.NOTHING)
    error = "" if row.clock_error_s is None else f" ± {row.clock_error_s:.3f}"
    return Cell(f"{row.clock_offset_s:+.3f}{error} s")


def conditions(report: Report) -> list[tuple[str, str]]:
    """Under what conditions the sweep ran, as name and value."""
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
    """The modules that were compiled or taken from the cache."""
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


# --- one probe ---


def section(probe: ProbeReport, most: Most) -> Section:
    """All about one probe."""
    grids: list[Grid] = []
    for table in probe.tables:
        grids.extend(_table_grids(probe, table, most))
    grids.extend(_call_grids(probe, most))
    return Section(
        name=printable(probe.title or probe.name),
        question=printable(probe.question),
        description=printable(probe.description),
        facts=facts(probe),
        grids=grids,
        lines=_lines(probe, most),
        failures=failures(probe),
        warnings=warnings(probe),
    )


def facts(probe: ProbeReport) -> list[tuple[str, str]]:
    sampled = probe.sampled
    lossy = sum(bool(probe.mark(host)) for host in sampled)
    on = f"{len(sampled)} of {plural(len(probe.sessions), 'host')}"
    if lossy:
        on += f", {lossy} with losses"
    facts = [("Sampled on", on)]
    records = sum(session.rows for session in probe.sessions.values())
    if probe.tables:
        facts.append(("Records", f"{records:,}"))
    hits = [session.hits for session in probe.sessions.values() if session.hits is not None]
    if hits:
        facts.append(("Hits", f"{sum(hits):,}"))
    facts.append(("Cost", printable(probe.cost)))
    if measured := cost.sentence(probe.overhead):
        facts.append(("Measured before", printable(measured)))
    spent = [session.cpu_s for session in probe.sessions.values() if session.cpu_s is not None]
    if spent:
        facts.append(("CPU of a session", f"{max(spent):.2f} s at most"))
    facts.extend((printable(name), printable(str(value))) for name, value in probe.parameters.items())
    return facts


def warnings(probe: ProbeReport) -> list[str]:
    """What went wrong for this probe, each remark once with the hosts it concerns."""
    said: dict[str, list[str]] = {}
    samples: dict[str, str] = {}
    for host, session in sorted(probe.sessions.items()):
        if session.error and session.status in _FAILED:
            said.setdefault(_FAILED[session.status] + session.error, []).append(host)
        for text in session.warnings:
            said.setdefault(f"SystemTap said: {text}", []).append(host)
        for why, sample in dict(_why(text) for text in reversed(session.rejected)).items():
            samples.setdefault(why, sample)
            said.setdefault(why, []).append(host)
        for text in session.notes:
            said.setdefault(text, []).append(host)
    return [
        f"{named(hosts)}: {printable(text[:500])}" + printable(samples.get(text, ""))
        for text, hosts in said.items()
    ]


def _why(rejected: str) -> tuple[str, str]:
    """Why a line was not taken, and the line."""
    why, _, sample = rejected.partition(": ")
    return f"lines not taken: {why}", f", for instance {sample}" if sample else ""


def failures(probe: ProbeReport) -> list[Lines]:
    """SystemTap's own messages for the kernels this probe could not be built for."""
    failures = []
    for item in probe.not_built:
        where = named(item.hosts) if item.hosts else "no host of this sweep"
        lines = item.error.splitlines()
        shown = [printable(line.expandtabs(8)) for line in lines[:BUILD_LINES]]
        title = f"Not built for kernel {printable(item.kernel)} ({where})"
        failures.append(Lines(title, shown, len(lines) - len(shown)))
    return failures


def named(hosts: Sequence[str]) -> str:
    """`web1, web2 and 12 more`."""
    shown = ", ".join(printable(host) for host in hosts[:NAMES])
    return shown if len(hosts) <= NAMES else f"{shown} and {len(hosts) - NAMES:,} more"


def _marks(probe: ProbeReport, hosts: Iterable[str]) -> list[str]:
    """The remarks under a table whose rows carry marks."""
    touched: dict[str, list[str]] = {}
    for host in sorted(set(hosts)):
        if probe.mark(host):
            touched.setdefault(probe.mark(host), []).append(host)
    return [f"* {named(names)}: {printable(mark)}" for mark, names in touched.items()]


def _host(probe: ProbeReport, host: str) -> Cell:
    return cells.text(host, probe.mark(host))


# --- tables ---


def _table_grids(probe: ProbeReport, merged: merge.MergedTable, most: Most) -> Iterable[Grid]:
    rest: dict[str, merge.Total] = {}
    histogram = sparkline.histogram(merged.table)
    if histogram is not None:
        yield from _spread_grids(probe, merged, histogram, most)
    else:
        short, left_out = shorten.grouped(merged, most.rows)
        shown = short.top(most.rows)
        rest = shorten.rest_by_host(short, shown)
        yield _rows_grid(probe, short, shown, rest, left_out)
        if any(total.hosts > 1 for total in short.keys):
            yield _keys_grid(short, most)
    if len(merged.hosts) > 1:
        yield _hosts_grid(probe, merged, rest, most)
    course = _course_grid(probe, merged, most) if histogram is None else None
    if course is not None:
        yield course


def _rows_grid(
    probe: ProbeReport,
    merged: merge.MergedTable,
    shown: Sequence[merge.MergedRow],
    rest: Mapping[str, merge.Total],
    left_out: Sequence[Column],
) -> Grid:
    """The worst rows of the fleet; rest: by host, what the others come to."""
    table = merged.table
    grid = Grid(
        f"{_title(table)}, by host",
        [HOST, *map(cells.head_of, table.keys), *_measure_heads(table)],
        [
            [_host(probe, row.host), *_key_cells(table, row.key), *_measures(table, row.values, row.rates)]
            for row in shown
        ],
        lead=1 + len(table.keys),
    )
    if rest:
        other = shorten.together(table, rest.values())
        left = f"other: {_counted(other, 'row')} of {plural(len(rest), 'host')}"
        grid.foot.append((Cell(left), _measures(table, other.values, other.rates)))
    if merged.total is not None:
        lossy = any(probe.mark(host.host) for host in merged.hosts)
        label = Cell(f"total: {plural(len(merged.hosts), 'host')}", mark="losses" if lossy else "")
        grid.foot.append((label, _measures(table, merged.total.values, merged.total.rates)))
    if left_out:
        names = ", ".join(printable(column.words) for column in left_out)
        grid.notes.append(f"rows alike but for {names} are one row here; report.json has them apart")
    grid.notes.extend(_marks(probe, (host.host for host in merged.hosts)))
    if not shown:
        grid.notes.append(_nothing(probe, merged))
    return grid


def _nothing(probe: ProbeReport, merged: merge.MergedTable) -> str:
    if not probe.sampled:
        return NOT_SAMPLED
    whole = not any(probe.mark(host.host) for host in merged.hosts)
    return "no rows: nothing of the kind was seen in the window" if whole else "no rows"


def _hosts_grid(
    probe: ProbeReport, merged: merge.MergedTable, rest: Mapping[str, merge.Total], most: Most
) -> Grid:
    """Totals; where rows of a host are not shown, also how many those are and what they come to."""
    table, shown = merged.table, merged.hosts[: most.hosts]
    place = merged.sort_measure
    column = table.measures[place] if place is not None and rest else None
    heads = [HOST, Head("rows", numeric=True), *_measure_heads(table)]
    if column is not None:
        heads.append(Head("other rows", numeric=True, spare=3))
        heads.append(replace(cells.head_of(column), title=f"other {cells.head_of(column).title}", spare=3))

    def figures(total: merge.Total, other: merge.Total | None) -> list[Cell]:
        found = _measures(table, total.values, total.rates)
        if column is None or place is None:
            return found
        if other is None:
            return [*found, Cell("0"), Cell(cells.NOTHING)]
        return [
            *found,
            Cell(f"{other.keys:,}" + "+" * other.more_keys),
            _measure(column, other.values[place]),
        ]

    grid = Grid(
        "Totals per host",
        heads,
        [
            [
                _host(probe, host.host),
                Cell(f"{host.total.keys:,}" + "+" * host.total.more_keys),
                *figures(host.total, rest.get(host.host)),
            ]
            for host in shown
        ],
        lead=2,
    )
    hidden = merged.hosts[len(shown) :]
    if hidden:
        total = shorten.together(table, (host.total for host in hidden))
        others = [rest[host.host] for host in hidden if host.host in rest]
        other = shorten.together(table, others) if others else None
        grid.foot.append((Cell(f"other: {plural(len(hidden), 'host')}"), figures(total, other)))
    return grid


def _keys_grid(merged: merge.MergedTable, most: Most) -> Grid:
    table, shown = merged.table, merged.keys[: most.keys]
    grid = Grid(
        "The same over all hosts",
        [*map(cells.head_of, table.keys), Head("hosts", numeric=True), *_measure_heads(table)],
        [
            [
                *_key_cells(table, total.key),
                Cell(f"{total.hosts:,}"),
                *_measures(table, total.values, total.rates),
            ]
            for total in shown
        ],
        lead=len(table.keys) + 1,
    )
    rest = shorten.rest_of_keys(merged, len(shown))
    if rest.keys:
        grid.foot.append((Cell(f"other: {_counted(rest, 'row')}"), _measures(table, rest.values, rest.rates)))
    return grid


def _course_grid(probe: ProbeReport, merged: merge.MergedTable, most: Most) -> Grid | None:
    """How the measure that the table is sorted by went, interval by interval."""
    place, numbers = merged.sort_measure, sparkline.first_to_last(merged)
    if place is None or len(numbers) < 2:
        return None
    table = merged.table
    column, adds = table.measures[place], sparkline.adds_up(table, place)
    lines = [sparkline.values(host.intervals, numbers, place, 0 if adds else None) for host in merged.hosts]
    top = max((value for line in lines for value in line if value is not None), default=0)
    rows = [
        [_host(probe, host.host), *_course(column, line, top)]
        for host, line in zip(merged.hosts[: most.hosts], lines, strict=False)
    ]
    heads = [HOST, Head("course"), *(Head(name, numeric=True) for name in ("least", "most", "most at"))]
    grid = Grid(f"{printable(column.words)} over the window", heads, rows)
    if adds and len(lines) > 1:
        whole = sparkline.added(lines)
        grid.foot.append((Cell("all hosts"), _course(column, whole, max(value or 0 for value in whole))))
    each, step = sparkline.packed(lines[0])[1], merged.interval_s
    span = f"{each * step:g} s" if step else plural(each, "interval")
    grid.notes.append(f"one sign: {span}" + (", the highest in it" if each > 1 else ""))
    if len(merged.hosts) > len(rows):
        grid.notes.append(f"{plural(len(merged.hosts) - len(rows), 'more host')}: see report.json")
    return grid


def _course(column: Column, line: Sequence[float | None], top: float) -> list[Cell]:
    known = [value for value in line if value is not None]
    if not known:
        return [Cell("")] + [Cell(cells.NOTHING)] * 3
    highest = max(known)
    signs, _ = sparkline.packed(line)
    return [
        Cell(sparkline.line(signs, top)),
        cells.value_cell(column, min(known)),
        cells.value_cell(column, highest),
        Cell(f"#{line.index(highest) + 1}"),
    ]


def _spread_grids(probe: ProbeReport, merged: merge.MergedTable, asked: View, most: Most) -> Iterator[Grid]:
    table = merged.table
    by_host, by_key = sparkline.spreads(merged, asked)
    bucket = table.keys[sparkline.bucket_place(table, asked)]
    keys = [column for column in table.keys if column is not bucket]
    bounds = sorted({bound for spread in by_key for bound in spread.counts})
    bucket = replace(bucket, role="measure")  # its values are amounts here, not names
    measure = next(column for column in table.measures if column.name == asked.measure)

    def row(spread: sparkline.Spread) -> list[Cell]:
        reached = (spread.reached(0.5), spread.reached(0.99), spread.largest)
        return [
            *(cells.value_cell(column, value) for column, value in zip(keys, spread.key, strict=True)),
            cells.value_cell(measure, spread.total),
            *(cells.value_cell(bucket, bound) for bound in reached),
            Cell(sparkline.bars(spread, bounds)),
        ]

    heads = [
        *map(cells.head_of, keys),
        cells.head_of(measure),
        *(Head(name, numeric=True) for name in ("half from", "1 % from", "longest from")),
        Head("how often", least=12),
    ]
    grid = Grid(
        f"{_title(table)}, by host",
        [HOST, *heads],
        [[_host(probe, spread.host), *row(spread)] for spread in by_host[: most.rows]],
    )
    _cut(grid, len(by_host), "line")
    if bounds:
        low, high = (cells.value_cell(bucket, bound).text for bound in (bounds[0], bounds[-1]))
        name = printable(bucket.words)
        grid.notes.append(f"{name} from {low} to {high}; heights are logarithms, · is none")
    grid.notes.extend(_marks(probe, (host.host for host in merged.hosts)))
    if not by_host:
        grid.notes.append(_nothing(probe, merged))
    yield grid
    if len({spread.host for spread in by_host}) > 1:
        fleet = Grid("The same over all hosts", heads, [row(spread) for spread in by_key[: most.keys]])
        yield _cut(fleet, len(by_key), "line")


def _cut(grid: Grid, total: int, noun: str) -> Grid:
    hidden = total - len(grid.rows)
    if hidden > 0:
        grid.notes.append(f"and {plural(hidden, f'more {noun}')}; all are in report.json")
    return grid


def _title(table: Table) -> str:
    return printable(table.description.rstrip(".") or table.name)


def _counted(total: merge.Total, noun: str) -> str:
    return f"more than {plural(total.keys, noun)}" if total.more_keys else plural(total.keys, noun)


def _measure_heads(table: Table) -> list[Head]:
    """What the table is sorted by is always shown, what is compared or checked goes after what is not, and before all a
    total whose mean is shown."""
    heads: list[Head] = []
    checked = {check.measure for check in table.checks}
    means = {column.ratio[0] for column in table.derived if column.ratio}
    first = merge.sort_measure(table)
    for place, column in enumerate(table.measures):
        said = column.compare is not None or column.name in checked
        spare = 1 if said else 3 if column.name in means else 2
        heads.append(replace(cells.head_of(column), spare=0 if place == first else spare, told=True))
        if column.rate:
            heads.append(Head("per second", numeric=True, spare=4))
    return heads


def _measures(table: Table, values: merge.Cells, rates: merge.Rates) -> list[Cell]:
    shown: list[Cell] = []
    for column, value, rate in zip(table.measures, values, rates, strict=True):
        shown.append(_measure(column, value))
        if column.rate:
            shown.append(cells.rate_cell(column, rate))
    return shown


def _measure(column: Column, value: object) -> Cell:
    if column.merge == "count" and isinstance(value, int):
        return Cell(cells.amount(value))
    return cells.value_cell(column, value if isinstance(value, (str, int, float)) else None)


def _key_cells(table: Table, key: merge.Key) -> list[Cell]:
    return [cells.value_cell(column, value) for column, value in zip(table.keys, key, strict=True)]


# --- call trees and texts ---


def _call_grids(probe: ProbeReport, most: Most) -> Iterable[Grid]:
    if not probe.calls:
        return
    yield _calls_by_host(probe, most)
    for tree in probe.fleet_calls[: most.trees]:
        yield _tree_grid(tree, most)


def _calls_by_host(probe: ProbeReport, most: Most) -> Grid:
    found = [
        (sum(node.total_us for node in tree.nodes if len(node.path) == 1), calls.host, tree)
        for calls in probe.calls
        for tree in calls.trees
    ]
    found.sort(key=lambda item: (-item[0], item[1], item[2].process))
    heads = [
        HOST,
        Head("process"),
        *(Head(name, numeric=True) for name in ("time", "calls", "functions", "unfinished")),
    ]
    figures = [
        (
            total,
            sum(node.count for node in tree.nodes),
            len({node.path[-1] for node in tree.nodes}),
            tree.unfinished,
        )
        for total, _, tree in found
    ]
    rows = [
        [
            _host(probe, host),
            cells.text(tree.process),
            Cell(cells.time(total / 1e6)),
            *(Cell(f"{figure:,}") for figure in counts),
        ]
        for (_, host, tree), (total, *counts) in zip(found[: most.rows], figures, strict=False)
    ]
    grid = Grid("Time in the traced functions, by host", heads, rows, lead=2)
    hidden = figures[len(rows) :]
    if hidden:
        time, calls, _, unfinished = (sum(column) for column in zip(*hidden, strict=True))
        foot = [cells.time(time / 1e6), f"{calls:,}", cells.NOTHING, f"{unfinished:,}"]
        grid.foot.append((Cell(f"other: {plural(len(hidden), 'row')}"), [Cell(text) for text in foot]))
    grid.notes.extend(_marks(probe, (calls.host for calls in probe.calls)))
    if not found:
        grid.notes.append("no calls were seen in the window" if probe.sampled else NOT_SAMPLED)
    return grid


def _tree_grid(tree: merge.FleetTree, most: Most) -> Grid:
    """Of a tree that is too long the slowest functions, each with its callers."""
    times = {item.node.path: item.node.total_us for item in tree.nodes}
    kept = merge.keep_slowest(times, most.nodes)
    heads = [
        Head("function", least=24),
        *(Head(name, numeric=True) for name in ("calls", "total", "self", "hosts")),
    ]
    rows = [
        [
            Cell(printable(item.node.path[-1]), depth=len(item.node.path) - 1),
            Cell(f"{item.node.count:,}"),
            Cell(cells.time(item.node.total_us / 1e6)),
            Cell(cells.time(item.node.self_us / 1e6)),
            Cell(f"{item.hosts:,}"),
        ]
        for item in tree.nodes
        if item.node.path in kept
    ]
    grid = Grid(f"Calls of {printable(tree.process)}, all hosts", heads, rows)
    hidden = [item.node for item in tree.nodes if item.node.path not in kept]
    if hidden:
        figures = [f"{sum(node.count for node in hidden):,}", cells.NOTHING]
        figures += [cells.time(sum(node.self_us for node in hidden) / 1e6), cells.NOTHING]
        label = Cell(f"other: {plural(len(hidden), 'function')}")
        grid.foot.append((label, [Cell(text) for text in figures]))
    if tree.more:
        grid.notes.append(f"{plural(tree.more, 'function')} were left out of the tree: it had too many")
    return grid


def _lines(probe: ProbeReport, most: Most) -> list[Lines]:
    """What was printed as text: merged by time; of hosts that tell no times the first lines, host by host."""
    timed = [text for text in probe.texts if text.timed]
    untimed = [text for text in probe.texts if not text.timed and text.total]
    shown = [_by_time(probe, timed, most)] if timed else []
    each = max(1, most.lines // 3)
    for text in untimed[: 1 if timed else 3]:
        said = " (no times are told)" if timed else ""
        kept = [_line(line) for line in text.lines[:each]]
        left = text.total - len(kept)
        shown.append(Lines(_marked(probe, text.host) + said, kept, left, _marks(probe, [text.host])))
    hidden = len(untimed) - len(untimed[: 1 if timed else 3])
    if hidden:
        shown.append(Lines(f"{plural(hidden, 'more host')}: {_LINES_FORMAT}", []))
    if probe.output == "text" and not shown:
        shown.append(
            Lines("no lines: nothing was printed in the window" if probe.sampled else NOT_SAMPLED, [])
        )
    return shown


def _by_time(probe: ProbeReport, timed: Sequence[HostText], most: Most) -> Lines:
    """The first lines of all hosts, with seconds since the window's start and the host in front."""
    found = list(itertools.islice(first_lines(timed), most.lines))
    width = max((len(_marked(probe, host)) for _, host, _ in found), default=0)
    kept = [
        f"{'-' if t_ms is None else f'{t_ms / 1000:.3f}':>8}  {_marked(probe, host):<{width}}  {_line(line)}"
        for t_ms, host, line in found
    ]
    own = named(sorted(text.host for text in timed if text.timed == "own"))
    how = f"; {own}: the lines tell it themselves" if own else ""
    title = f"Printed by {plural(len(timed), 'host')}, by seconds since the window's start{how}"
    left = sum(text.total for text in timed) - len(kept)
    return Lines(title, kept, left, _marks(probe, (text.host for text in timed)))


_LINES_FORMAT = "all lines are in --format lines"


def first_lines(texts: Iterable[HostText]) -> Iterator[tuple[int | None, str, str]]:
    """Time, host and line of what hosts printed, merged by time; lines of a host stay in their order.

    No more than each host's first lines are there: behind the end of one that printed more nothing is known.
    """
    merged = heapq.merge(
        *(
            [
                (-1 if at is None else at, text.host, number, at, line)
                for number, (at, line) in enumerate(pairs)
            ]
            for text in texts
            for pairs in [zip(text.times, text.lines, strict=True)]
        )
    )
    ends = {text.host: len(text.lines) for text in texts if text.total > len(text.lines)}
    for _, host, number, at, line in merged:
        yield at, host, line
        if ends.get(host) == number + 1:
            return


def _marked(probe: ProbeReport, host: str) -> str:
    return printable(host) + " *" * bool(probe.mark(host))


def _line(line: str) -> str:
    return printable(line.expandtabs(8))
