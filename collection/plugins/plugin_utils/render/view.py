# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page and the terminal both show, as grids of cells: which rows, in which order, with which
remarks.

The renderers decide only how it looks. All texts in a grid are safe to show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils import merge
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.coverage import HostCoverage, plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.model import Column, Table
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.decode import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import cells
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.cells import Cell, Head
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import ProbeReport, Report

NAMES = 8
"""Host names listed in one remark; of more the number is given."""
MAX_INTERVALS = 24
BUILD_LINES = 30
NOT_SAMPLED = "no host sampled it, so nothing is known"
_FAILED = {"failed": "nothing sampled: ", "not armed": "not armed: ", "missing": ""}


@dataclass
class Grid:
    """A table to show. rows and foot: one cell per head. notes: remarks under it. bar: column drawn as bars,
    if any."""

    caption: str
    heads: list[Head]
    rows: list[list[Cell]]
    foot: list[list[Cell]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    bar: int | None = None
    kind: str = ""


@dataclass
class Lines:
    """Lines as a host printed them. more: how many are not shown."""

    title: str
    lines: list[str]
    more: int = 0


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


def coverage_grid(report: Report) -> Grid:
    """Every host once. Reason and remedy are in the last two columns."""
    heads = [
        Head("Host"),
        Head("Status"),
        Head("Kernel"),
        Head(
            "Clock offset",
            numeric=True,
            description="Clock of the host against the controller's, and its error",
        ),
        Head("Late", numeric=True, description="Seconds of the window missed at its start"),
        Head("Early", numeric=True, description="Seconds of the window missed at its end"),
        Head("Losses and reasons"),
        Head("What to do"),
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
    return Grid("Coverage", heads, rows, kind="coverage")


def clock(row: HostCoverage) -> Cell:
    """`+0.003 ± 0.004 s`."""
    if row.clock_offset_s is None:
        return Cell(cells.NOTHING)
    error = "" if row.clock_error_s is None else f" ± {row.clock_error_s:.3f}"
    return Cell(f"{row.clock_offset_s:+.3f}{error} s", row.clock_offset_s)


def conditions(report: Report) -> list[tuple[str, str]]:
    """Under what conditions the sweep ran, as name and value."""
    facts: list[tuple[str, str]] = []
    for run in report.runs:
        facts.append(("Sweep", printable(run.id)))
        if run.start is not None:
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
        Head("Kernel"),
        Head("Probe"),
        Head("Status"),
        Head("Seconds", numeric=True),
        Head("SystemTap"),
        Head("Builder"),
        Head("Hosts", numeric=True),
    ]
    rows = [
        [
            cells.text(item.kernel),
            cells.text(item.probe),
            cells.text(item.status),
            cells.seconds(item.seconds),
            cells.text(item.stap),
            cells.text(item.builder),
            cells.amount(len(item.hosts)),
        ]
        for item in report.builds
    ]
    return Grid("Modules", heads, rows)


# --- one probe ---


def section(probe: ProbeReport, rows: int, hosts: int, lines: int) -> Section:
    """All about one probe; at most `rows` rows per grid, `hosts` hosts with `lines` lines each."""
    grids: list[Grid] = []
    for table in probe.tables:
        grids.extend(_table_grids(probe, table, rows))
    grids.extend(_call_grids(probe, rows))
    return Section(
        name=printable(probe.name),
        question=printable(probe.question),
        description=printable(probe.description),
        facts=facts(probe),
        grids=grids,
        lines=_lines(probe, hosts, lines),
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
    facts.append(("Cost", printable(probe.cost)))
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


def _table_grids(probe: ProbeReport, merged: merge.MergedTable, limit: int) -> Iterable[Grid]:
    yield _rows_grid(probe, merged, limit)
    if len(merged.hosts) > 1:
        yield _hosts_grid(probe, merged, limit)
    if any(total.hosts > 1 for total in merged.keys):
        yield _keys_grid(merged, limit)
    intervals = _intervals_grid(probe, merged, limit)
    if intervals is not None:
        yield intervals


def _rows_grid(probe: ProbeReport, merged: merge.MergedTable, limit: int) -> Grid:
    table, rows = merged.table, merged.rows()
    shown = rows[:limit]
    lead = 1 + len(table.keys)
    grid = Grid(
        f"{_title(table)}, by host",
        [Head("Host"), *map(cells.head_of, table.keys), *_measure_heads(table)],
        [
            [_host(probe, row.host), *_key_cells(table, row.key), *_measures(table, row.values, row.rates)]
            for row in shown
        ],
        bar=_bar(table, lead),
        kind="rows",
    )
    if merged.total is not None:
        lossy = any(probe.mark(host.host) for host in merged.hosts)
        label = Cell(
            f"Total, {plural(len(merged.hosts), 'host')}", mark="some hosts have losses" if lossy else ""
        )
        blank = [Cell("")] * len(table.keys)
        grid.foot = [[label, *blank, *_measures(table, merged.total.values, merged.total.rates)]]
    hidden = len(rows) - len(shown)
    if hidden:
        hosts = {row.host for row in rows[limit:]}
        grid.notes.append(
            f"and {plural(hidden, 'more row')} of {plural(len(hosts), 'host')}; all are in report.json"
        )
    folded = [host for host in merged.hosts if host.other is not None]
    if folded:
        grid.notes.append(
            f"{named(sorted(host.host for host in folded))}: rows beyond the first"
            f" {max(len(host.rows) for host in folded):,} of a host are counted in the totals only"
        )
    grid.notes.extend(_marks(probe, (host.host for host in merged.hosts)))
    if not rows:
        whole = not any(probe.mark(host.host) for host in merged.hosts)
        seen = "no rows: nothing of the kind was seen in the window" if whole else "no rows"
        grid.notes.append(seen if probe.sampled else NOT_SAMPLED)
    return grid


def _hosts_grid(probe: ProbeReport, merged: merge.MergedTable, limit: int) -> Grid:
    table = merged.table
    grid = Grid(
        "Totals per host",
        [Head("Host"), Head("rows", numeric=True), *_measure_heads(table)],
        [
            [
                _host(probe, host.host),
                _counted(host.total),
                *_measures(table, host.total.values, host.total.rates),
            ]
            for host in merged.hosts[:limit]
        ],
        bar=_bar(table, 2),
    )
    return _cut(grid, len(merged.hosts), "host")


def _keys_grid(merged: merge.MergedTable, limit: int) -> Grid:
    table = merged.table
    grid = Grid(
        "The same over all hosts",
        [*map(cells.head_of, table.keys), Head("hosts", numeric=True), *_measure_heads(table)],
        [
            [
                *_key_cells(table, total.key),
                cells.amount(total.hosts),
                *_measures(table, total.values, total.rates),
            ]
            for total in merged.keys[:limit]
        ],
        bar=_bar(table, len(table.keys) + 1),
    )
    _cut(grid, len(merged.keys), "row")
    if merged.other_keys is not None:
        grid.notes.append("further keys are counted in the totals only: there were too many")
    return grid


def _intervals_grid(probe: ProbeReport, merged: merge.MergedTable, limit: int) -> Grid | None:
    """One row per host, one column per interval, of the column the table is sorted by."""
    place = merged.sort_measure
    numbers = sorted({number for host in merged.hosts for number, _ in host.intervals})
    if place is None or not numbers:
        return None
    column = merged.table.measures[place]
    shown = numbers[-MAX_INTERVALS:]
    step = merged.interval_s
    titles = [f"{(number - 1) * step:g}-{number * step:g} s" if step else f"#{number}" for number in shown]
    rows = []
    for host in merged.hosts[:limit]:
        values: Mapping[int, merge.Cells] = dict(host.intervals)
        row = [
            cells.value_cell(column, values[number][place]) if number in values else Cell(cells.NOTHING)
            for number in shown
        ]
        rows.append([_host(probe, host.host), *row])
    heads = [Head("Host"), *(Head(title, numeric=True) for title in titles)]
    name = printable(column.name).replace("_", " ")
    grid = Grid(f"{name} per interval", heads, rows, kind="intervals")
    _cut(grid, len(merged.hosts), "host")
    if len(numbers) > len(shown):
        grid.notes.append(f"the last {len(shown)} of {len(numbers)} intervals; all are in report.json")
    return grid


def _cut(grid: Grid, total: int, noun: str) -> Grid:
    hidden = total - len(grid.rows)
    if hidden > 0:
        grid.notes.append(f"and {plural(hidden, f'more {noun}')}; all are in report.json")
    return grid


def _title(table: Table) -> str:
    return printable(table.description.rstrip(".") or table.name)


def _counted(total: merge.Total) -> Cell:
    cell = cells.amount(total.keys)
    return Cell(f"{cell.text}+", cell.sort) if total.more_keys else cell


def _measure_heads(table: Table) -> list[Head]:
    heads: list[Head] = []
    for column in table.measures:
        heads.append(cells.head_of(column))
        if column.rate:
            heads.append(Head("per second", numeric=True, description="Per second really sampled"))
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
        return cells.amount(value)
    if column.merge == "mean" and column.type == "int" and isinstance(value, (int, float)):
        return cells.amount(float(value))
    return cells.value_cell(column, value if isinstance(value, (str, int, float)) else None)


def _key_cells(table: Table, key: merge.Key) -> list[Cell]:
    return [cells.value_cell(column, value) for column, value in zip(table.keys, key, strict=True)]


def _bar(table: Table, lead: int) -> int | None:
    """Position of the sort measure among a grid's columns."""
    place = merge.sort_measure(table)
    if place is None:
        return None
    return lead + place + sum(column.rate for column in table.measures[:place])


# --- call trees and texts ---


def _call_grids(probe: ProbeReport, limit: int) -> Iterable[Grid]:
    if not probe.calls:
        return
    yield _calls_by_host(probe, limit)
    for tree in probe.fleet_calls[: max(1, limit // 10)]:
        yield _tree_grid(tree, limit)


def _calls_by_host(probe: ProbeReport, limit: int) -> Grid:
    found = [
        (
            sum(node.total_us for node in tree.nodes if len(node.path) == 1),
            calls.host,
            tree,
        )
        for calls in probe.calls
        for tree in calls.trees
    ]
    found.sort(key=lambda item: (-item[0], item[1], item[2].process))
    heads = [
        Head("Host"),
        Head("process"),
        Head("time (ms)", numeric=True),
        Head("calls", numeric=True),
        Head("functions", numeric=True),
        Head("unfinished", numeric=True, description="Calls whose return was not seen in the window"),
    ]
    rows = [
        [
            _host(probe, host),
            cells.text(tree.process),
            cells.microseconds(total),
            cells.amount(sum(node.count for node in tree.nodes)),
            cells.amount(len({node.path[-1] for node in tree.nodes})),
            cells.amount(tree.unfinished),
        ]
        for total, host, tree in found[:limit]
    ]
    grid = Grid("Time in the traced functions, by host", heads, rows, bar=2, kind="rows")
    _cut(grid, len(found), "row")
    grid.notes.extend(_marks(probe, (calls.host for calls in probe.calls)))
    if not found:
        grid.notes.append("no calls were seen in the window" if probe.sampled else NOT_SAMPLED)
    return grid


def _tree_grid(tree: merge.FleetTree, limit: int) -> Grid:
    heads = [
        Head("function"),
        Head("calls", numeric=True),
        Head("total (ms)", numeric=True),
        Head("self (ms)", numeric=True),
        Head("hosts", numeric=True),
    ]
    rows = [
        [
            Cell(printable(item.node.path[-1]), depth=len(item.node.path) - 1),
            cells.amount(item.node.count),
            cells.microseconds(item.node.total_us),
            cells.microseconds(item.node.self_us),
            cells.amount(item.hosts),
        ]
        for item in tree.nodes[:limit]
    ]
    grid = Grid(f"Calls of {printable(tree.process)}, all hosts", heads, rows, bar=2, kind="tree")
    return _cut(grid, len(tree.nodes) + tree.more, "node")


def _lines(probe: ProbeReport, hosts: int, limit: int) -> list[Lines]:
    found = [
        *(Lines(calls.host, calls.lines, 0) for calls in probe.calls if calls.lines),
        *(Lines(text.host, text.lines, text.total - len(text.lines)) for text in probe.texts if text.total),
    ]
    shown = []
    for item in found[:hosts]:
        mark = probe.mark(item.title)
        title = printable(item.title) + (f" * ({printable(mark)})" if mark else "")
        kept = [printable(line.expandtabs(8)) for line in item.lines[:limit]]
        shown.append(Lines(title, kept, item.more + len(item.lines) - len(kept)))
    if len(found) > hosts:
        shown.append(Lines(f"{plural(len(found) - hosts, 'more host')}: see the run directory", []))
    return shown
