# SPDX-License-Identifier: GPL-3.0-or-later
"""The top of what each probe found, for a reader without script; the script puts the whole in its place."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import results
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import values as cells
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document import calls, lines
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document import (
    tables as document_tables,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.grids import (
    Grid,
    host_cell,
    marks,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import packed, tables, values
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.values import HOST, Cell, Head
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import ProbeReport

ROWS = 10
"""Rows of each table that stand in the page itself."""


def of_table(probe: ProbeReport, merged: results.MergedTable) -> Grid:
    """Return the worst rows of the fleet. Figures are rounded as the script has them, so that both say the same."""
    table = merged.table
    rows = [
        replace(
            row,
            key=tuple(tables.packed_keys(table, row.key)),
            values=tuple(values.packed_all(row.values)),
            rates=tuple(packed.number(rate) for rate in row.rates),
        )
        for row in merged.top(ROWS)
    ]
    grid = document_tables.rows_grid(probe, table, rows)
    grid.caption = f"{named(probe)}: {tables.title(table)}, by host"
    grid.heads[0] = values.titled(HOST)
    every = sum(len(host.rows) for host in merged.hosts)
    if every > len(rows):
        hidden = plural(every - len(rows), "more row")
        grid.notes.append(f"and {hidden}; all are in csv/{probe.name}.{table.name}.csv")
        grid.foot.extend(document_tables.total_foot(probe, merged))
    grid.notes.extend(marks(probe, (host.host for host in merged.hosts)))
    return grid


def of_calls(probe: ProbeReport) -> Grid | None:
    """Return the functions in which the most time was spent, or that were on most of the stacks that were counted."""
    if probe.fleet_stacks:
        return _of_stacks(probe)
    if not probe.form.calls:
        return None
    found = [(item, tree) for tree in probe.fleet_calls[:ROWS] for item in tree.nodes]
    found.sort(key=lambda pair: (-pair[0].node.self_us, pair[1].process, pair[0].node.path))
    rows = [
        [
            Cell(" > ".join(map(packed.text, (tree.process, *item.node.path)))),
            Cell(cells.amount(item.node.count)),
            Cell(cells.time(item.node.total_us / 1e6)),
            Cell(cells.time(item.node.self_us / 1e6)),
            Cell(cells.amount(item.hosts)),
        ]
        for item, tree in found[:ROWS]
    ]
    return Grid(
        f"{named(probe)}: functions with the most time of their own, all hosts",
        [
            Head("Process > function"),
            *(Head(name, numeric=True) for name in ("calls", "total", "self", "hosts")),
        ],
        rows,
        empty=calls.no_calls(probe),
    )


def _of_stacks(probe: ProbeReport) -> Grid:
    found = [(item, tree) for tree in probe.fleet_stacks[:ROWS] for item in tree.nodes]
    found.sort(
        key=lambda pair: (-pair[0].node.self_us, -pair[0].node.count, pair[1].process, pair[0].node.path)
    )
    rows = [
        [
            Cell(" > ".join(map(packed.text, (tree.process, *item.node.path)))),
            Cell(cells.amount(item.node.count)),
            Cell(cells.amount(item.node.self_us)),
            Cell(cells.amount(item.hosts)),
        ]
        for item, tree in found[:ROWS]
    ]
    return Grid(
        f"{named(probe)}: functions most often seen on a stack, all hosts",
        [
            Head("Process > function"),
            *(Head(name, numeric=True) for name in ("on stack", "innermost", "hosts")),
        ],
        rows,
    )


def of_lines(probe: ProbeReport) -> Grid:
    """Return what the hosts printed, merged by time; hosts that tell no times come last."""
    found = [
        (time is None, time or 0, item.host, number, line)
        for item in probe.texts
        for number, (line, time) in enumerate(
            zip_longest(item.lines, item.times if item.timed else [], fillvalue=None)
        )
        if line is not None
    ]
    found.sort()
    rows = [
        [
            host_cell(probe, host),
            Cell(cells.NOTHING if late else f"{time / 1000:.3f} s"),
            cells.text(line.expandtabs(8)),
        ]
        for late, time, host, _unused, line in found[:ROWS]
    ]
    grid = Grid(
        f"{named(probe)}: what the hosts printed, by time",
        [values.titled(HOST), Head("At", numeric=True), Head("Line")],
        rows,
        empty=lines.no_lines(probe),
    )
    every = sum(item.total for item in probe.texts)
    if every > len(rows):
        grid.notes.append(f"and {plural(every - len(rows), 'more line')}, in the run directory")
    grid.notes.extend(marks(probe, (item.host for item in probe.texts)))
    return grid


def named(probe: ProbeReport) -> str:
    """Return the probe's name as a reader knows it."""
    return packed.text(probe.title or probe.name)
