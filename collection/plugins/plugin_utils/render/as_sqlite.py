# SPDX-License-Identifier: GPL-3.0-or-later
"""rows.sqlite: every record of every host, for one's own questions.

One table per probe and table, `<probe>_<table>`, with the host, `t_ms` (milliseconds since the window's start) and
`interval` (from 1) before the columns that the probe prints; of printed text `<probe>_lines`. Beside them `runs`,
`coverage`, `sessions`, `parameters`, `findings`, `columns` (what each column is, and its unit: bytes and seconds) and
`calls` (call trees, microseconds). Texts are safe to show: what acts on a terminal stands there as `\\x1b`.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.host import numbering
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Table, Value
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import raw_rows
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.format import Format
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import ProbeReport, Report
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.write import filled

FILE = "rows.sqlite"
BATCH = 5_000
"""Records that are in memory at once."""
EXAMPLE = "SELECT host, path, max(seconds) FROM slow_open_files GROUP BY host, path ORDER BY 3 DESC LIMIT 10"

_TYPES = {
    "string": "TEXT",
    "path": "TEXT",
    "int": "INTEGER",
    "bytes": "INTEGER",
    "bool": "INTEGER",
    "timestamp": "INTEGER",
    "float": "REAL",
    "duration": "REAL",
}
_OWN = ("host TEXT NOT NULL", "t_ms INTEGER", "interval INTEGER")
_TABLES = {
    "runs": "id TEXT, created TEXT, fleetdiag TEXT, window_s REAL, start REAL, end REAL, hosts INTEGER",
    "coverage": "host TEXT, run TEXT, peers TEXT, status TEXT, reason TEXT, remedy TEXT, kernel TEXT,"
    " distribution TEXT, staprun TEXT, clock_offset_s REAL, clock_error_s REAL, late_s REAL, early_s REAL",
    "sessions": "host TEXT, probe TEXT, status TEXT, error TEXT, sampled_s REAL, late_s REAL, early_s REAL,"
    " hits INTEGER, records INTEGER, cpu_s REAL, losses TEXT",
    "parameters": "probe TEXT, name TEXT, value",
    "findings": "severity TEXT, kind TEXT, host TEXT, probe TEXT, table_name TEXT, measure TEXT, key TEXT,"
    " sentence TEXT, value REAL, unit TEXT, expected REAL, spread REAL, ratio REAL, score REAL, chance REAL,"
    " peers INTEGER, peer_set TEXT, losses TEXT",
    "columns": "table_name TEXT, column_name TEXT, type TEXT, unit TEXT, role TEXT, merge TEXT, more_is TEXT,"
    " description TEXT",
    "calls": "probe TEXT, host TEXT, process TEXT, depth INTEGER, function TEXT, path TEXT, count INTEGER,"
    " total_us INTEGER, self_us INTEGER, unfinished INTEGER",
}

Line = Sequence[Value | None]


def write(report: Report, folder: Path) -> list[str]:
    """Fill a new database batch by batch; memory does not grow with the records."""
    try:
        with filled(folder, FILE) as path, contextlib.closing(_database(path)) as database:
            for name, columns in _TABLES.items():
                database.execute(f"CREATE TABLE {name} ({columns})")
            _describe(database, report)
            taken = set(_TABLES)
            for probe in report.probes:
                _records(database, report, probe, taken)
            database.execute("COMMIT")
    except sqlite3.Error as why:
        raise FleetdiagError(f"{folder / FILE}: cannot be written ({why}); is there room?") from why
    return [FILE]


def _database(path: Path) -> sqlite3.Connection:
    """Return a database whose bytes depend on what is put into it only: no journal beside it, nothing of a time."""
    database = sqlite3.connect(path, isolation_level=None)
    for setting in (
        "page_size=4096",
        "journal_mode=OFF",
        "synchronous=OFF",
        "secure_delete=ON",
        "user_version=1",
    ):
        database.execute(f"PRAGMA {setting}").fetchall()
    database.execute("BEGIN")
    return database


def _insert(database: sqlite3.Connection, table: str, width: int, lines: Iterable[Line]) -> None:
    places = ", ".join("?" * width)
    waiting = iter(lines)
    while batch := [[_cell(value) for value in line] for line in islice(waiting, BATCH)]:
        database.executemany(f"INSERT INTO {_quoted(table)} VALUES ({places})", batch)  # noqa: S608 - quoted


def _cell(value: Value | None) -> Value | None:
    return printable(value) if isinstance(value, str) else value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# --- what is known of the sweep ---


def _describe(database: sqlite3.Connection, report: Report) -> None:
    def fill(table: str, lines: Iterable[Line]) -> None:
        _insert(database, table, _TABLES[table].count(",") + 1, lines)

    fill(
        "runs",
        (
            (run.id, run.created, run.fleetdiag, run.window_s, run.start, run.end, run.hosts)
            for run in report.runs
        ),
    )
    fill(
        "coverage",
        (
            (
                *(row.host, report.homes.get(row.host), report.peers.get(row.host), row.status, row.reason),
                *(
                    row.remedy,
                    row.kernel,
                    row.distribution,
                    row.staprun,
                    row.clock_offset_s,
                    row.clock_error_s,
                ),
                *(row.late_s, row.early_s),
            )
            for row in report.coverage
        ),
    )
    fill(
        "sessions",
        (
            (
                *(row.host, name, session.status, session.error, session.sampled_s, session.late_s),
                *(session.early_s, session.hits, session.rows, session.cpu_s, session.mark),
            )
            for row in report.coverage
            for name, session in row.sessions.items()
        ),
    )
    fill(
        "parameters",
        ((probe.name, name, value) for probe in report.probes for name, value in probe.parameters.items()),
    )
    fill("findings", _findings(report))
    fill("calls", (line for probe in report.probes for line in _calls(probe)))


def _findings(report: Report) -> Iterator[Line]:
    for item in report.all_findings:
        key = json.dumps([_cell(value) for value in item.key], ensure_ascii=False) if item.key else None
        yield (
            *(item.severity, item.kind, item.host, item.probe, item.table, item.measure, key, item.sentence),
            *(item.value, item.unit, item.expected, item.spread, item.ratio, item.score, item.chance),
            *(item.peers, item.peer_set, item.mark),
        )


def _calls(probe: ProbeReport) -> Iterator[Line]:
    for calls in probe.calls:
        for tree in calls.trees:
            for node in tree.nodes:
                path = ";".join(node.path)
                figures = (node.count, node.total_us, node.self_us, node.unfinished)
                yield (probe.name, calls.host, tree.process, len(node.path), node.path[-1], path, *figures)


# --- records ---


def _records(database: sqlite3.Connection, report: Report, probe: ProbeReport, taken: set[str]) -> None:
    """Fill the tables of one probe. Sessions are read one after the other, a batch at a time."""
    names = {merged.table.name: _name(f"{probe.name}_{merged.table.name}", taken) for merged in probe.tables}
    tables = {merged.table.name: merged.table for merged in probe.tables}
    for name, table in tables.items():
        _create(database, names[name], table)
    if probe.form.lines:
        names[""] = _name(f"{probe.name}_lines", taken)
        columns = "host TEXT NOT NULL, t_ms INTEGER, number INTEGER, line TEXT"
        database.execute(f"CREATE TABLE {_quoted(names[''])} ({columns})")
    if not names:
        return
    for merged in probe.tables:
        if merged.joined:
            printed = len(merged.table.printed)
            joined = ((row.host, None, None, *row.key, *row.values[:printed]) for row in merged.rows())
            _insert(database, names[merged.table.name], len(_OWN) + len(merged.table.columns), joined)
    intervals = {merged.table.name: numbering(merged.table, merged.interval_s) for merged in probe.tables}
    for host, read in raw_rows.sessions(report, probe):
        rows = iter(read())
        while batch := list(islice(rows, BATCH)):
            for name, into in names.items():
                lines: list[Line] = [
                    (host, row.t_ms, intervals[name](row), *row.values) if name else _line(host, row)
                    for row in batch
                    if row.table == name
                ]
                if lines:
                    _insert(database, into, len(lines[0]), lines)


def _line(host: str, row: Row) -> Line:
    return (host, row.t_ms, row.seq, *row.values)


def _create(database: sqlite3.Connection, name: str, table: Table) -> None:
    used = {"host", "t_ms", "interval"}
    columns = [(_name(column.name, used), column) for column in table.columns]
    typed = ", ".join((*_OWN, *(f"{_quoted(shown)} {_TYPES[column.type]}" for shown, column in columns)))
    database.execute(f"CREATE TABLE {_quoted(name)} ({typed})")
    _insert(database, "columns", 8, (_column(name, shown, column) for shown, column in columns))


def _column(table: str, name: str, column: Column) -> Line:
    unit = column.shown_unit
    return (table, name, column.type, unit, column.role, column.merge, column.more_is, column.description)


def _name(wanted: str, taken: set[str]) -> str:
    """Return a name that no other has."""
    while wanted in taken:
        wanted += "_"
    taken.add(wanted)
    return wanted


FORMAT = Format("sqlite", "every record, for one's own questions", write)
