# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag trend`: one measure over the sweeps of one name: what is usual, since when it is not, what changed then."""

from __future__ import annotations

import argparse
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import index
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import sparkline
from fleetdiag.cli import findings, options, runs
from fleetdiag.run.report import EXIT_OK

WIDTH = 40
_MAD = 1.4826


@dataclass(frozen=True)
class Point:
    """A figure of one run. value: None where the host, or the set, was not covered."""

    run: str
    value: float | None
    kernel: str = ""
    hash: str = ""


@dataclass(frozen=True)
class Trend:
    """who: a host or a set. usual, spread: median of the sweeps before the last change, and its scatter in percent."""

    who: str
    points: Sequence[Point]
    usual: float | None
    spread: float | None
    since: str
    changed: Sequence[str]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `fleetdiag trend PROBE.TABLE.MEASURE`."""
    parser = commands.add_parser(
        "trend",
        help="show one measure over the runs of a sweep",
        description="Show one measure over the runs of a sweep: of hosts, or the median of a set of hosts.",
    )
    add = parser.add_argument
    add("measure", metavar="PROBE.TABLE.MEASURE", help="as in the view 'figures' (fleetdiag query)")
    add(
        "--host",
        action="append",
        default=[],
        metavar="HOST",
        dest="hosts",
        help="of this host; repeat for several",
    )
    add("--set", default="", metavar="SET", help="median of this set of hosts (default: of each)")
    add(
        "--sweep",
        default="",
        metavar="NAME",
        help="runs of this name (default: the latest that has the measure)",
    )
    add("--last", type=int, default=WIDTH, metavar="N", help=f"so many runs (default: {WIDTH}; 0: all)")
    options.add_runs_dir(parser)
    options.add_json(parser)
    parser.set_defaults(func=_run)


def _run(args: argparse.Namespace) -> int:
    found = trends(options.runs_dir(args), args.measure, args.hosts, args.set, args.sweep, args.last)
    if args.json:
        return options.print_json([asdict(item) for item in found])
    width = max(len(printable(item.who)) for item in found)
    for item in found:
        values = [point.value for point in item.points]
        top = max((value for value in values if value is not None), default=0)
        print(f"{printable(item.who):{width}}  {sparkline.line(values, top)}  {_words(item)}")
    return EXIT_OK


def trends(
    runs_dir: Path,
    measure: str,
    hosts: Sequence[str] = (),
    of_set: str = "",
    sweep: str = "",
    last: int = WIDTH,
) -> list[Trend]:
    """Return the trend of each host asked for, else of each set. FleetdiagError where there is none."""
    parts = measure.split(".")
    if len(parts) != 3 or not all(parts):
        raise FleetdiagError(
            f"{measure}: is no measure; say PROBE.TABLE.MEASURE, as slow_open.slow_files.files"
        )
    if not runs_dir.is_dir():
        raise FleetdiagError(f"{runs_dir}: there are no runs; --runs-dir names another place")
    runs.refreshed(runs_dir)
    with index.reader(runs_dir) as database:
        number = database.execute(
            'SELECT number FROM measure WHERE (probe, "table", measure) = (?, ?, ?)', parts
        ).fetchone()
        if number is None:
            raise FleetdiagError(f"{measure}: no run has it; {_known(database)}")
        name = sweep or _latest(database, number[0])
        listed = database.execute(
            "SELECT run.number, id, coalesce(hash, '') FROM run LEFT JOIN probe ON probe.run = run.number AND probe = ?"
            " WHERE name = ? ORDER BY id DESC LIMIT ?",
            (parts[0], name, last or -1),
        ).fetchall()[::-1]
        if hosts:
            return [_of_host(database, number[0], listed, host) for host in hosts]
        return _of_sets(database, number[0], listed, of_set)


def _known(database: sqlite3.Connection) -> str:
    names = [
        f"{probe}.{table}.{name}"
        for probe, table, name in database.execute(
            'SELECT probe, "table", measure FROM measure ORDER BY 1, 2, 3 LIMIT 6'
        )
    ]
    return f"there are {', '.join(names)}, ..." if names else "there is none yet"


def _latest(database: sqlite3.Connection, measure: int) -> str:
    found = database.execute(
        "SELECT name FROM run WHERE number IN (SELECT run FROM figure WHERE measure = ?) ORDER BY id DESC LIMIT 1",
        (measure,),
    ).fetchone()
    return str(found[0]) if found else ""


Listed = Sequence[tuple[int, str, str]]


def _of_host(database: sqlite3.Connection, measure: int, listed: Listed, host: str) -> Trend:
    found = database.execute("SELECT number FROM host WHERE name = ?", (host,)).fetchone()
    if found is None:
        raise FleetdiagError(f"{host}: no run has this host; name one as the inventory does")
    values = dict(
        database.execute("SELECT run, value FROM figure WHERE measure = ? AND host = ?", (measure, found[0]))
    )
    kernels = dict(database.execute("SELECT run, kernel FROM coverage WHERE host = ?", found))
    points = [Point(run, values.get(number), kernels.get(number, ""), hash_) for number, run, hash_ in listed]
    return _trend(host, points)


def _of_sets(database: sqlite3.Connection, measure: int, listed: Listed, of_set: str) -> list[Trend]:
    first = min((number for number, _, _ in listed), default=0)
    by_set: dict[str, dict[int, list[float]]] = {}
    kernels: dict[tuple[str, int], set[str]] = {}
    for run, name, value, kernel in database.execute(
        'SELECT figure.run, "set", value, kernel FROM figure JOIN coverage ON coverage.run = figure.run'
        " AND coverage.host = figure.host WHERE measure = ? AND figure.run >= ?",
        (measure, first),
    ):
        by_set.setdefault(name, {}).setdefault(run, []).append(value)
        kernels.setdefault((name, run), set()).add(kernel)
    names = [name for name in sorted(by_set) if not of_set or name == of_set]
    if not names:
        raise FleetdiagError(
            f"{of_set or 'all hosts'}: there are no figures of it; sets: {', '.join(sorted(by_set))}"
        )
    return [
        _trend(
            name or "all hosts",
            [
                Point(
                    run,
                    median(by_set[name][number]) if number in by_set[name] else None,
                    ", ".join(sorted(kernels.get((name, number), ()))),
                    hash_,
                )
                for number, run, hash_ in listed
            ],
        )
        for name in names
    ]


def _trend(who: str, points: Sequence[Point]) -> Trend:
    """Return what is usual: before the figures that lie further out than four spreads at the end, and they are since."""
    values = [point.value for point in points if point.value is not None]
    if len(values) < 2:
        return Trend(who, points, None, None, "", ())
    middle = median(values)
    spread = max(_MAD * median([abs(value - middle) for value in values]), 0.1 * middle)
    since = ""
    for point in reversed(points):
        if point.value is None:
            continue
        if abs(point.value - middle) <= 4 * spread:
            break
        since = point.run
    return Trend(
        who, points, middle, round(100 * spread / middle) if middle else None, since, _changes(points, since)
    )


def _changes(points: Sequence[Point], since: str) -> list[str]:
    """Return what changed with the first run that is not as usual: kernel and probe."""
    runs_ = [point.run for point in points]
    place = runs_.index(since) if since else 0
    if not place:
        return []
    then, now = points[place - 1], points[place]
    said = (
        [f"kernel {then.kernel} -> {now.kernel}"]
        if then.kernel and now.kernel and then.kernel != now.kernel
        else []
    )
    return said + (["the probe"] if then.hash and now.hash and then.hash != now.hash else [])


def _words(item: Trend) -> str:
    known = [point.value for point in item.points if point.value is not None]
    if item.usual is None:
        return f"{len(known)} of {len(item.points)} runs have it"
    said = f"now {known[-1]:.4g}, usual {item.usual:.4g} ({len(known)} runs, spread {item.spread or 0:g} %)"
    if item.since:
        said += f", since {findings.when(item.since)}"
    return said + (f" ({', '.join(map(printable, item.changed))} changed then)" if item.changed else "")
