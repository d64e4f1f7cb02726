# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag query`: SQL over the documented views of the index; it can only read, and only for a time."""

from __future__ import annotations

import argparse
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import index
from fleetdiag.cli import options, runs
from fleetdiag.run.report import EXIT_OK

LIMIT_S = 30.0
MAX_ROWS = 100_000
_STEPS = 10_000
"""Instructions of SQLite's machine between two looks at the clock."""
_ALLOWED = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        getattr(sqlite3, "SQLITE_RECURSIVE", 33),
    }
)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `fleetdiag query SQL`."""
    parser = commands.add_parser(
        "query",
        help="ask the index of runs in SQL",
        description="Ask the index of runs in SQL. Views: runs, coverage_of_hosts, probes, figures, findings"
        " (docs/sweeps.md). It can only read.",
    )
    parser.add_argument("sql", metavar="SQL", help="one SELECT")
    parser.add_argument(
        "--limit",
        type=float,
        default=LIMIT_S,
        metavar="SECONDS",
        help=f"how long it may take (default: {LIMIT_S:g})",
    )
    options.add_runs_dir(parser)
    options.add_json(parser)
    parser.set_defaults(func=_run)


def _run(args: argparse.Namespace) -> int:
    place = options.runs_dir(args)
    columns, rows = ask(place, args.sql, args.limit)
    if args.json:
        return options.print_json([dict(zip(columns, row, strict=True)) for row in rows])
    text = [columns, *(["" if value is None else str(value) for value in row] for row in rows)]
    widths = [max(len(printable(row[place])) for row in text) for place in range(len(columns))]
    for row in text:
        print(
            "  ".join(printable(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    return EXIT_OK


def ask(runs_dir: Path, sql: str, limit_s: float = LIMIT_S) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the names of the columns and the rows. FleetdiagError with what SQLite has to say."""
    if not runs_dir.is_dir():
        raise FleetdiagError(f"{runs_dir}: there are no runs; --runs-dir names another place")
    runs.refreshed(runs_dir)
    with index.reader(runs_dir) as database, _bounded(database, limit_s):
        try:
            cursor = database.execute(sql)
            rows = cursor.fetchmany(MAX_ROWS + 1)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise FleetdiagError(f"query: {_why(error, limit_s)}") from error
        if len(rows) > MAX_ROWS:
            raise FleetdiagError(f"query: more than {MAX_ROWS:,} rows; say LIMIT, or ask for sums")
        return [column[0] for column in cursor.description or []], rows


@contextmanager
def _bounded(database: sqlite3.Connection, limit_s: float) -> Iterator[None]:
    """Let nothing but reading be done, and end it after a time."""
    end = time.monotonic() + limit_s

    def authorise(action: int, *_: object) -> int:
        return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY

    database.set_authorizer(authorise)
    database.set_progress_handler(lambda: int(time.monotonic() > end), _STEPS)
    yield


def _why(error: Exception, limit_s: float) -> str:
    said = str(error)
    if said == "interrupted":
        return f"it took longer than {limit_s:g} s; ask for less, or say --limit SECONDS"
    if "not authorized" in said or "readonly" in said:
        return f"{said}; only reading is possible (SELECT)"
    return f"{said}; the views are runs, coverage_of_hosts, probes, figures, findings"
