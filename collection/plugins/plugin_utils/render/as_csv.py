# SPDX-License-Identifier: GPL-3.0-or-later
"""csv/: one file per table, and one of its hosts' totals interval by interval; also findings and coverage.

The rows of a host that have no line of their own are one line, `other`: the figures of a file add up to the whole.
No cell begins a formula in a spreadsheet: a text that would has a `'` before it, also after a `;`. Numbers stay as they
are, in the unit that the head names; what is not known is empty.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import results
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.keys import Cells, Rates
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Value
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.format import several_files
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import ProbeReport, Report

Line = Iterable[Value | None]

# Spreadsheets take the wide ones too, and many split at semicolons.
_BEGIN = r"[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]"
_FORMULA = re.compile(rf'(\A(?= *{_BEGIN})|;(?=[ "]*{_BEGIN}))')


def render(report: Report) -> Iterator[tuple[str, str]]:
    """Yield name and text of each file."""
    yield "csv/findings.csv", _text(_findings(report))
    yield "csv/coverage.csv", _text(_coverage(report))
    for probe in report.probes:
        for merged in probe.tables:
            name = f"csv/{probe.name}.{merged.table.name}"
            yield f"{name}.csv", _text(_rows(probe, merged))
            if any(host.intervals for host in merged.hosts):
                yield f"{name}.intervals.csv", _text(_intervals(probe, merged))


def _text(lines: Iterable[Line]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([cell(value) for value in line] for line in lines)
    return out.getvalue()


def cell(value: Value | None) -> Value:
    """Return a value as a cell holds it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return int(value)
    if not isinstance(value, str):
        return value
    return printable(_FORMULA.sub(r"\1'", value))


def _findings(report: Report) -> Iterator[Line]:
    yield (
        *(
            "severity",
            "kind",
            "host",
            "probe",
            "table",
            "measure",
            "key",
            "sentence",
            "value",
            "unit",
            "expected",
        ),
        *("spread", "ratio", "score", "chance", "peers", "peer_set", "losses"),
    )
    for item in report.all_findings:
        key = ", ".join(str(value) for value in item.key)
        yield (
            *(item.severity, item.kind, item.host, item.probe, item.table, item.measure, key, item.sentence),
            *(item.value, item.unit, item.expected, item.spread, item.ratio, item.score, item.chance),
            *(item.peers, item.peer_set, item.mark),
        )


def _coverage(report: Report) -> Iterator[Line]:
    yield (
        *(
            "host",
            "status",
            "reason",
            "remedy",
            "kernel",
            "distribution",
            "staprun",
            "peers",
            "clock_offset_s",
        ),
        *("clock_error_s", "late_s", "early_s"),
    )
    for row in report.coverage:
        yield (
            *(row.host, row.status, row.reason, row.remedy, row.kernel, row.distribution, row.staprun),
            *(report.peers.get(row.host), row.clock_offset_s, row.clock_error_s, row.late_s, row.early_s),
        )


def _rows(probe: ProbeReport, merged: results.MergedTable) -> Iterator[Line]:
    """Yield the head and the rows of all hosts, the worst first, then what the hosts have beyond them."""
    table = merged.table
    keys = [_head(column) for column in table.keys]
    yield ("host", "line", *keys, *_measure_heads(table.measures), "records", "losses")
    for row in merged.rows():
        figures = _figures(table.measures, row.values, row.rates)
        yield (row.host, "row", *row.key, *figures, row.rows, probe.mark(row.host))
    for host in merged.hosts:
        if host.other is not None:
            figures = _figures(table.measures, host.other.values, host.other.rates)
            nothing = [None] * len(keys)
            yield (host.host, "other", *nothing, *figures, host.other.rows, probe.mark(host.host))


def _intervals(probe: ProbeReport, merged: results.MergedTable) -> Iterator[Line]:
    """Yield totals of each host. from_s, to_s: since the window's start; empty where only the order is known."""
    measures = merged.table.measures
    yield ("host", "interval", "from_s", "to_s", *(_head(column) for column in measures), "losses")
    step = merged.interval_s
    for host in sorted(merged.hosts, key=lambda host: host.host):
        for number, values in host.intervals:
            span = ((number - 1) * step, number * step) if step else (None, None)
            yield (host.host, number, *span, *values, probe.mark(host.host))


def _head(column: Column) -> str:
    """Return the head of a column with its unit: `total_time (s)`."""
    unit = column.shown_unit
    return column.name if unit in ("", "1") else f"{column.name} ({printable(unit)})"


def _measure_heads(measures: Iterable[Column]) -> Iterator[str]:
    for column in measures:
        yield _head(column)
        if column.rate:
            yield f"{column.name} per second"


def _figures(measures: Iterable[Column], values: Cells, rates: Rates) -> Iterator[Value | None]:
    for column, value, rate in zip(measures, values, rates, strict=True):
        yield value
        if column.rate:
            yield rate


FORMAT = several_files("csv", "a file per table, for spreadsheets", render, by_default=True)
