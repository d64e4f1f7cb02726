# SPDX-License-Identifier: GPL-3.0-or-later
"""The grids of call trees."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import calltrees
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import (
    values as cells,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.grids import (
    NOT_SAMPLED,
    DisplayLimits,
    Grid,
    host_cell,
    marks,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.values import HOST, Cell, Head
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import (
    ProbeReport,
)


def call_grids(probe: ProbeReport, most: DisplayLimits) -> Iterable[Grid]:
    if not probe.calls:
        return
    yield _calls_by_host(probe, most)
    for tree in probe.fleet_calls[: most.trees]:
        yield _tree_grid(tree, most)


def _calls_by_host(probe: ProbeReport, most: DisplayLimits) -> Grid:
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
        for total, _unused, tree in found
    ]
    rows = [
        [
            host_cell(probe, host),
            cells.text(tree.process),
            Cell(cells.time(total / 1e6)),
            *(Cell(f"{figure:,}") for figure in counts),
        ]
        for (_unused2, host, tree), (total, *counts) in zip(found[: most.rows], figures, strict=False)
    ]
    grid = Grid("Time in the traced functions, by host", heads, rows, lead=2)
    hidden = figures[len(rows) :]
    if hidden:
        time, calls, _unused3, unfinished = (sum(column) for column in zip(*hidden, strict=True))
        foot = [cells.time(time / 1e6), f"{calls:,}", cells.NOTHING, f"{unfinished:,}"]
        grid.foot.append((Cell(f"other: {plural(len(hidden), 'row')}"), [Cell(text) for text in foot]))
    grid.notes.extend(marks(probe, (calls.host for calls in probe.calls)))
    grid.empty = no_calls(probe)
    return grid


def no_calls(probe: ProbeReport) -> str:
    """Return what it means that there are none."""
    return "no calls were seen in the window" if probe.sampled else NOT_SAMPLED


def _tree_grid(tree: calltrees.FleetTree, most: DisplayLimits) -> Grid:
    """Return the calls of a process; of a tree that is too long the slowest functions, each with its callers."""
    times = {item.node.path: item.node.total_us for item in tree.nodes}
    kept = calltrees.keep_slowest(times, most.nodes)
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
