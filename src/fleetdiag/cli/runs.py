# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag runs`: what was swept, what of it is kept, and what goes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import (
    index,
    news_file,
    references,
    retention,
    slots,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from fleetdiag.cli import options
from fleetdiag.run.report import EXIT_INCOMPLETE, EXIT_OK

_COLUMNS = ("RUN", "SWEEP", "WHEN", "HOSTS", "FINDINGS", "NEWS", "KEPT")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `fleetdiag runs [list|show|keep|delete|prune|reindex]`."""
    parser = commands.add_parser(
        "runs",
        help="list runs, keep or delete them",
        description="List the runs of sweeps, the latest last; show one, keep it, delete it.",
    )
    _add_list(parser)
    parser.set_defaults(func=_list)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")
    listing = verbs.add_parser("list", help="list runs (the same as without a verb)")
    _add_list(listing)
    listing.set_defaults(func=_list)
    show = verbs.add_parser("show", help="say what is known of one run")
    options.add_run(show, "the run")
    options.add_json(show)
    show.set_defaults(func=_show)
    keep = verbs.add_parser("keep", help="keep a run until it is released")
    options.add_run(keep, "the run")
    keep.add_argument("--why", default="", metavar="TEXT", help="the reason, for those who find it later")
    keep.add_argument("--release", action="store_true", help="let it be removed again")
    keep.set_defaults(func=_keep)
    delete = verbs.add_parser("delete", help="delete runs")
    options.add_run(delete, "the runs", nargs="+", name="runs")
    delete.add_argument("--force", action="store_true", help="also what is kept, uncollected, or evidence")
    delete.set_defaults(func=_delete)
    prune = verbs.add_parser("prune", help="remove what is not to be kept")
    options.add_runs_dir(prune)
    _add_keep(prune)
    prune.set_defaults(func=_prune)
    reindex = verbs.add_parser("reindex", help="make the index of runs anew from the run directories")
    options.add_runs_dir(reindex)
    reindex.set_defaults(func=_reindex)


def _add_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sweep", default="", metavar="NAME", help="only runs of this name")
    parser.add_argument("--last", type=int, default=20, metavar="N", help="so many (default: 20; 0: all)")
    options.add_runs_dir(parser)
    options.add_json(parser)


def _add_keep(parser: argparse.ArgumentParser) -> None:
    add, usual = parser.add_argument, retention.Keep()
    for name, about in (
        ("last", "the last N"),
        ("daily", "the last of N days"),
        ("weekly", "the last of N weeks"),
    ):
        default = getattr(usual, name)
        add(
            f"--{name}",
            type=int,
            default=default,
            metavar="N",
            help=f"{about} of each name (default: {default})",
        )
    add(
        "--raw",
        default="7d",
        metavar="TIME",
        help="how long to keep what hosts sent (default: 7d; 0: for ever)",
    )
    add("--size", default="0", metavar="SIZE", help="all runs together, as 20GiB (default: no limit)")
    add("--dry-run", action="store_true", help="only say what would go")


def refreshed(runs_dir: Path) -> None:
    """Take in what is new; what is in the way of that is said, and no error."""
    trouble = index.refresh(runs_dir)
    if trouble:
        print(f"fleetdiag: {printable(trouble)}", file=sys.stderr)


def _list(args: argparse.Namespace) -> int:
    place = options.runs_dir(args)
    items = listed(place, args.sweep, args.last)
    if args.json:
        return options.print_json(items)
    if not items:
        print(f"no runs in {printable(str(place))}")
        return EXIT_OK
    rows = [_row(item) for item in items]
    _print([_COLUMNS, *rows])
    return EXIT_OK


def listed(place: Path, name: str = "", last: int = 0) -> list[dict[str, Any]]:
    """Return the runs, and the slots that had none, in the order of time. last: so many, 0 for all."""
    if not place.is_dir():
        return []
    refreshed(place)
    with index.reader(place) as database:
        cursor = database.execute(
            "SELECT * FROM runs WHERE sweep = ? OR ? = '' ORDER BY id DESC LIMIT ?", (name, name, last or -1)
        )
        keys = [column[0] for column in cursor.description]
        items = [dict(zip(keys, row, strict=True)) for row in cursor]
    items += [
        {"id": "", "sweep": slot.name, "slot": slot.slot, "status": slot.status, "reason": slot.reason}
        for slot in slots.read(place)
        if slot.name == name or not name
    ]
    items.sort(key=_when)
    return items[-last:] if last else items


def _when(item: dict[str, Any]) -> str:
    """Return the time of a run or a slot, as text that can be sorted."""
    if not item["id"]:
        return "".join(letter for letter in str(item["slot"]) if letter.isdigit())[:14]
    return str(item["id"]).replace("_", "")[:14]


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    if not item["id"]:
        return (
            "-",
            str(item["sweep"]),
            moment(str(item["slot"])),
            f"{item['status']}: {item['reason']}",
            "",
            "",
            "",
        )
    found = [f"{item[word]} {word}" for word in ("critical", "warning", "info") if item[word]]
    kept = "pinned" if item["kept"] else "raw" if item["raw"] else "figures"
    when = references.started(str(item["id"])).astimezone().strftime("%Y-%m-%d %H:%M")
    hosts = f"{item['covered']}/{item['hosts']}"
    return (
        str(item["id"]),
        str(item["sweep"]) or "-",
        when,
        hosts,
        ", ".join(found) or "-",
        str(item["news"]),
        kept,
    )


def moment(text: str) -> str:
    """Return an ISO time in local time, to the minute; what is none as it is."""
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return text


def _print(rows: Sequence[Sequence[str]]) -> None:
    safe = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in safe) for place in range(len(safe[0]))]
    for row in safe:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _show(args: argparse.Namespace) -> int:
    path = options.run_dir(args.run, args)
    place = path.parent
    refreshed(place)
    told = news_file.read(path) or {}
    with index.reader(place) as database:
        cursor = database.execute("SELECT * FROM runs WHERE id = ?", (path.name,))
        row = cursor.fetchone()
        if row is None:
            raise FleetdiagError(
                f"{path}: is not the run directory of a sweep; name one that a sweep has left"
            )
        item = dict(zip([column[0] for column in cursor.description], row, strict=True))
    item["path"], item["open"] = str(path), [one.sentence for one in news_file.records_of(told) if one.told]
    item["headline"], item["why_it_stays"] = (
        news_file.headline(told),
        retention.why_not(path, retention.evidence(place)),
    )
    if args.json:
        return options.print_json(item)
    for key, value in item.items():
        if value not in ("", None, []):
            print(f"{key:13} {printable(json.dumps(value) if isinstance(value, list) else str(value))}")
    return EXIT_OK


def _keep(args: argparse.Namespace) -> int:
    path = options.run_dir(args.run, args)
    if args.release:
        retention.unpin(path)
    else:
        retention.pin(path, args.why)
    refreshed(path.parent)
    print(f"{path.name}: {'may be removed again' if args.release else 'is kept'}")
    return EXIT_OK


def _delete(args: argparse.Namespace) -> int:
    paths = [options.run_dir(word, args) for word in args.runs]
    code = EXIT_OK
    for path in paths:
        if references.name_of(path) is None and not read.has_raw(path):
            raise FleetdiagError(f"{path}: is not the run directory of a sweep, so it is left alone")
        why = "" if args.force else retention.why_not(path, retention.evidence(path.parent))
        if why:
            print(f"fleetdiag: {path.name}: {printable(why)}; --force deletes it", file=sys.stderr)
            code = EXIT_INCOMPLETE
            continue
        retention.delete(path)
        print(f"{path.name}: deleted")
    for place in {path.parent for path in paths}:
        refreshed(place)
    return code


def _prune(args: argparse.Namespace) -> int:
    place = options.runs_dir(args)
    wanted = {
        "last": args.last,
        "daily": args.daily,
        "weekly": args.weekly,
        "raw": args.raw,
        "size": args.size,
    }
    keep = retention.parse(wanted, "runs prune")
    for line in retention.prune(place, keep, datetime.now(UTC), dry=args.dry_run):
        print(line)
    if not args.dry_run and place.is_dir():
        refreshed(place)
    return EXIT_OK


def _reindex(args: argparse.Namespace) -> int:
    place = options.runs_dir(args)
    kept = index.rebuild(place)
    with index.reader(place) as database:
        (many,) = database.execute("SELECT count(*) FROM runs").fetchone()
    old = f"; the damaged one is kept as {kept}" if kept else ""
    print(f"{printable(str(place / index.FILE))}: made of {many} runs{old}")
    return EXIT_OK
