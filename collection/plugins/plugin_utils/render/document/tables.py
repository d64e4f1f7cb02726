# SPDX-License-Identifier: GPL-3.0-or-later
"""The grids of one table: rows, hosts, keys, course and spread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import results
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.keys import Cells, Key, Rates
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.order import sort_measure
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Table, View
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import (
    shorten,
    sparkline,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import (
    values as cells,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.grids import (
    DisplayLimits,
    Grid,
    cut_grid,
    host_cell,
    marks,
    nothing,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.values import HOST, Cell, Head
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import (
    ProbeReport,
)


def table_grids(probe: ProbeReport, merged: results.MergedTable, most: DisplayLimits) -> Iterable[Grid]:
    rest: dict[str, results.Total] = {}
    histogram = sparkline.histogram(merged.table)
    if histogram is not None:
        yield from _spread_grids(probe, merged, histogram, most)
    else:
        short, left_out = shorten.grouped(merged, most.rows)
        shown = short.top(most.rows)
        rest = shorten.rest_by_host(short, shown)
        yield _worst_rows(probe, short, shown, rest, left_out)
        if any(total.hosts > 1 for total in short.keys):
            yield _keys_grid(short, most)
    if len(merged.hosts) > 1:
        yield _hosts_grid(probe, merged, rest, most)
    course = _course_grid(probe, merged, most) if histogram is None else None
    if course is not None:
        yield course


def rows_grid(probe: ProbeReport, table: Table, rows: Iterable[results.MergedRow]) -> Grid:
    """Return rows of hosts as they are."""
    return Grid(
        f"{title_of(table)}, by host",
        [HOST, *map(cells.head_of, table.keys), *measure_heads(table)],
        [
            [
                host_cell(probe, row.host),
                *key_cells(table, row.key),
                *measure_cells(table, row.values, row.rates),
            ]
            for row in rows
        ],
        lead=1 + len(table.keys),
        empty=nothing(probe),
    )


def total_foot(probe: ProbeReport, merged: results.MergedTable) -> list[tuple[Cell, list[Cell]]]:
    """Return the line of totals that stands under such rows, if there is one."""
    if merged.total is None:
        return []
    lossy = any(probe.mark(host.host) for host in merged.hosts)
    label = Cell(f"total: {plural(len(merged.hosts), 'host')}", mark="losses" if lossy else "")
    return [(label, measure_cells(merged.table, merged.total.values, merged.total.rates))]


def _worst_rows(
    probe: ProbeReport,
    merged: results.MergedTable,
    shown: Sequence[results.MergedRow],
    rest: Mapping[str, results.Total],
    left_out: Sequence[Column],
) -> Grid:
    """Return the worst rows of the fleet; rest: by host, what the others come to."""
    table = merged.table
    grid = rows_grid(probe, table, shown)
    if rest:
        other = shorten.together(table, rest.values())
        left = f"other: {counted(other, 'row')} of {plural(len(rest), 'host')}"
        grid.foot.append((Cell(left), measure_cells(table, other.values, other.rates)))
    grid.foot.extend(total_foot(probe, merged))
    if left_out:
        names = ", ".join(printable(column.words) for column in left_out)
        grid.notes.append(f"rows alike but for {names} are one row here; report.json has them apart")
    grid.notes.extend(marks(probe, (host.host for host in merged.hosts)))
    return grid


def _hosts_grid(
    probe: ProbeReport, merged: results.MergedTable, rest: Mapping[str, results.Total], most: DisplayLimits
) -> Grid:
    """Return totals; where rows of a host are not shown, also how many those are and what they come to."""
    table, shown = merged.table, merged.hosts[: most.hosts]
    place = merged.sort_measure
    column = table.measures[place] if place is not None and rest else None
    heads = [HOST, Head("rows", numeric=True), *measure_heads(table)]
    if column is not None:
        heads.append(Head("other rows", numeric=True, spare=3))
        heads.append(replace(cells.head_of(column), title=f"other {cells.head_of(column).title}", spare=3))

    def figures(total: results.Total, other: results.Total | None) -> list[Cell]:
        found = measure_cells(table, total.values, total.rates)
        if column is None or place is None:
            return found
        if other is None:
            return [*found, Cell("0"), Cell(cells.NOTHING)]
        return [
            *found,
            Cell(f"{other.keys:,}" + "+" * other.more_keys),
            measure_cell(column, other.values[place]),
        ]

    grid = Grid(
        "Totals per host",
        heads,
        [
            [
                host_cell(probe, host.host),
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


def _keys_grid(merged: results.MergedTable, most: DisplayLimits) -> Grid:
    table, shown = merged.table, merged.keys[: most.keys]
    grid = Grid(
        "The same over all hosts",
        [*map(cells.head_of, table.keys), Head("hosts", numeric=True), *measure_heads(table)],
        [
            [
                *key_cells(table, total.key),
                Cell(f"{total.hosts:,}"),
                *measure_cells(table, total.values, total.rates),
            ]
            for total in shown
        ],
        lead=len(table.keys) + 1,
    )
    rest = shorten.rest_of_keys(merged, len(shown))
    if rest.keys:
        grid.foot.append(
            (Cell(f"other: {counted(rest, 'row')}"), measure_cells(table, rest.values, rest.rates))
        )
    return grid


def _course_grid(probe: ProbeReport, merged: results.MergedTable, most: DisplayLimits) -> Grid | None:
    """Return how the measure that the table is sorted by went, interval by interval; None where that says nothing."""
    place, numbers = merged.sort_measure, sparkline.first_to_last(merged)
    if place is None or len(numbers) < 2:
        return None
    table = merged.table
    column, adds = table.measures[place], sparkline.adds_up(table, place)
    lines = [sparkline.values(host.intervals, numbers, place, 0 if adds else None) for host in merged.hosts]
    top = max((value for line in lines for value in line if value is not None), default=0)
    rows = [
        [host_cell(probe, host.host), *course_cell(column, line, top)]
        for host, line in zip(merged.hosts[: most.hosts], lines, strict=False)
    ]
    heads = [HOST, Head("course"), *(Head(name, numeric=True) for name in ("least", "most", "most at"))]
    grid = Grid(f"{printable(column.words)} over the window", heads, rows)
    if adds and len(lines) > 1:
        whole = sparkline.added(lines)
        grid.foot.append((Cell("all hosts"), course_cell(column, whole, max(value or 0 for value in whole))))
    each, step = sparkline.packed(lines[0])[1], merged.interval_s
    span = f"{each * step:g} s" if step else plural(each, "interval")
    grid.notes.append(f"one sign: {span}" + (", the highest in it" if each > 1 else ""))
    if len(merged.hosts) > len(rows):
        grid.notes.append(f"{plural(len(merged.hosts) - len(rows), 'more host')}: see report.json")
    return grid


def course_cell(column: Column, line: Sequence[float | None], top: float) -> list[Cell]:
    known = [value for value in line if value is not None]
    if not known:
        return [Cell("")] + [Cell(cells.NOTHING)] * 3
    highest = max(known)
    signs, _unused = sparkline.packed(line)
    return [
        Cell(sparkline.line(signs, top)),
        cells.value_cell(column, min(known)),
        cells.value_cell(column, highest),
        Cell(f"#{line.index(highest) + 1}"),
    ]


def _spread_grids(
    probe: ProbeReport, merged: results.MergedTable, asked: View, most: DisplayLimits
) -> Iterator[Grid]:
    table = merged.table
    by_host, by_key = sparkline.spreads(merged, asked)
    bucket = table.keys[sparkline.bucket_place(table, asked)]
    keys = [column for column in table.keys if column is not bucket]
    bounds = sorted({bound for spread in by_key for bound in spread.counts})
    bucket = replace(bucket, role="measure")  # its values are amounts here, not names
    (measure,) = (column for column in table.measures if column.name == asked.measure)

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
        f"{title_of(table)}, by host",
        [HOST, *heads],
        [[host_cell(probe, spread.host), *row(spread)] for spread in by_host[: most.rows]],
    )
    cut_grid(grid, len(by_host), "line")
    if bounds:
        low, high = (cells.value_cell(bucket, bound).text for bound in (bounds[0], bounds[-1]))
        name = printable(bucket.words)
        grid.notes.append(f"{name} from {low} to {high}; heights are logarithms, · is none")
    grid.notes.extend(marks(probe, (host.host for host in merged.hosts)))
    grid.empty = nothing(probe)
    yield grid
    if len({spread.host for spread in by_host}) > 1:
        fleet = Grid("The same over all hosts", heads, [row(spread) for spread in by_key[: most.keys]])
        yield cut_grid(fleet, len(by_key), "line")


def title_of(table: Table) -> str:
    return printable(table.description.rstrip(".") or table.name)


def counted(total: results.Total, noun: str) -> str:
    return f"more than {plural(total.keys, noun)}" if total.more_keys else plural(total.keys, noun)


def measure_heads(table: Table) -> list[Head]:
    """Return the heads of the measures, with what goes first where there is no room.

    What the table is sorted by is always shown; what is compared or checked goes after what is not, and before all a
    total whose mean is shown.
    """
    heads: list[Head] = []
    checked = {check.measure for check in table.checks}
    means = {column.ratio[0] for column in table.derived if column.ratio}
    first = sort_measure(table)
    for place, column in enumerate(table.measures):
        said = column.compare is not None or column.name in checked
        spare = 1 if said else 3 if column.name in means else 2
        heads.append(replace(cells.head_of(column), spare=0 if place == first else spare, told=True))
        if column.rate:
            heads.append(Head("per second", numeric=True, spare=4))
    return heads


def measure_cells(table: Table, values: Cells, rates: Rates) -> list[Cell]:
    shown: list[Cell] = []
    for column, value, rate in zip(table.measures, values, rates, strict=True):
        shown.append(measure_cell(column, value))
        if column.rate:
            shown.append(cells.rate_cell(column, rate))
    return shown


def measure_cell(column: Column, value: object) -> Cell:
    if column.merge == "count" and isinstance(value, int):
        return Cell(cells.amount(value))
    return cells.value_cell(column, value if isinstance(value, (str, int, float)) else None)


def key_cells(table: Table, key: Key) -> list[Cell]:
    return [cells.value_cell(column, value) for column, value in zip(table.keys, key, strict=True)]
