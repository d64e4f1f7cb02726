# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag findings`: what is open now, over all sweeps; acknowledge it for a time, or accept it as normal."""

from __future__ import annotations

import argparse
import getpass
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import (
    decisions,
    finding_records,
    lifecycle,
    news_file,
    references,
    settings,
)
from fleetdiag.cli import options
from fleetdiag.run.report import EXIT_OK

_SHORT = 6
_SEVERITIES = {"critical": "crit", "warning": "warn", "info": "info"}


@dataclass(frozen=True)
class Open:
    """One open finding. sweep: name of the sweep it is of; run: the latest of its runs. ack: in force now."""

    sweep: str
    run: str
    record: finding_records.Record
    ack: Mapping[str, str] | None


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `fleetdiag findings [ack|accept]`."""
    parser = commands.add_parser(
        "findings",
        help="show what is open now, acknowledge it or accept it",
        description="Show what the latest run of each sweep leaves open. A host that is not reached keeps its findings.",
    )
    parser.add_argument("--sweep", default="", metavar="NAME", help="only of this sweep")
    parser.add_argument("--all", action="store_true", help="also what is not confirmed yet, or accepted")
    options.add_runs_dir(parser)
    options.add_json(parser)
    parser.set_defaults(func=_show)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")
    ack = verbs.add_parser("ack", help="keep a finding quiet for a time; it is told again when it gets worse")
    ack.add_argument("finding", metavar="FP", help="fingerprint, or its beginning, from 'fleetdiag findings'")
    ack.add_argument("--until", required=True, metavar="T", help="12h, 7d, 2w, or a date as 2026-12-24")
    ack.add_argument("--why", required=True, metavar="TEXT", help="the reason, for those who see it")
    options.add_runs_dir(ack)
    ack.set_defaults(func=_ack)
    accept = verbs.add_parser("accept", help="take what a finding tells of as the new normal")
    accept.add_argument(
        "finding", metavar="FP", help="fingerprint, or its beginning, from 'fleetdiag findings'"
    )
    options.add_runs_dir(accept)
    accept.set_defaults(func=_accept)


def open_now(runs_dir: Path, now: datetime, name: str | None = None) -> list[Open]:
    """Return the open findings by the latest run of each sweep, the worst first."""
    made = decisions.read(runs_dir)
    found: list[Open] = []
    seen: set[str] = set()
    for run in reversed(references.ids(runs_dir)):
        if references.is_ahead(run, now):
            continue
        told = news_file.read(runs_dir / run)
        sweep = str((told or {}).get("name", ""))
        if told is None or sweep in seen or (name is not None and sweep != name):
            continue
        seen.add(sweep)
        moment = lifecycle.Sweep(run, now, 0, made)
        found += [
            Open(sweep, run, record, lifecycle.acknowledgement(record, moment))
            for record in news_file.records_of(told)
        ]
    return sorted(
        found,
        key=lambda item: (finding_records.RANK[item.record.severity], item.record.since, item.record.who),
    )


def _show(args: argparse.Namespace) -> int:
    items = open_now(options.runs_dir(args), datetime.now(UTC), args.sweep or None)
    if not args.all:
        items = [item for item in items if item.record.told and not item.record.accepted]
    if args.json:
        return options.print_json([to_json(item) for item in items])
    shown = [item for item in items if item.record.state != "unknown"]
    if not items:
        print("nothing is open")
        return EXIT_OK
    sweeps = len({item.sweep for item in items}) > 1
    print(f"{'ID':{_SHORT}}  SEV   {'SINCE':16}  {'SWEEPS':6}  FINDING")
    for item in shown:
        print(_line(item, sweeps))
    for line in _unknown(items):
        print(line)
    return EXIT_OK


def to_json(item: Open) -> dict[str, Any]:
    """Return an open finding for programs."""
    return {"sweep": item.sweep, "run": item.run, **finding_records.to_json(item.record), "ack": item.ack}


def _line(item: Open, sweeps: bool) -> str:
    record = item.record
    words = [record.sentence]
    if item.ack:
        words.append(f"[ack until {item.ack['until'][:16].replace('T', ' ')}: {item.ack['why']}]")
    if record.state == "suspect":
        words.append("[not confirmed yet]")
    if record.accepted:
        words.append("[accepted]")
    if sweeps:
        words.append(f"({item.sweep or 'unnamed'})")
    severity = _SEVERITIES[record.severity]
    text = printable(" ".join(words))
    return f"{record.fingerprint[:_SHORT]}  {severity}  {when(record.since):16}  {record.sweeps:<6}  {text}"


def _unknown(items: list[Open]) -> list[str]:
    by_host: dict[str, list[Open]] = {}
    for item in items:
        if item.record.state == "unknown":
            by_host.setdefault(item.record.who or "all hosts", []).append(item)
    return [
        printable(
            f"unknown: {host} (not seen since {when(max(item.record.last_seen for item in found))}) has"
            f" {len(found)} finding{'s' if len(found) > 1 else ''} that {'were' if len(found) > 1 else 'was'} open then"
        )
        for host, found in by_host.items()
    ]


def when(run_id: str) -> str:
    """Return when a run was, in local time."""
    try:
        return references.started(run_id).astimezone().strftime("%Y-%m-%d %H:%M")
    except FleetdiagError:
        return run_id


# --- decisions ---


def _ack(args: argparse.Namespace) -> int:
    place, now = options.runs_dir(args), datetime.now(UTC)
    record = _one(place, args.finding, now)
    until = _until(args.until, now)
    decisions.acknowledge(place, record.fingerprint, until, args.why, _who(), now)
    print(f"{record.fingerprint}: quiet until {until.astimezone():%Y-%m-%d %H:%M}, or until it is worse")
    return EXIT_OK


def _accept(args: argparse.Namespace) -> int:
    place, now = options.runs_dir(args), datetime.now(UTC)
    record = _one(place, args.finding, now)
    decisions.accept(place, record.fingerprint, _who(), now)
    print(f"{record.fingerprint}: is the new normal from the next sweep on")
    return EXIT_OK


def _one(runs_dir: Path, prefix: str, now: datetime) -> finding_records.Record:
    """Return the open finding whose fingerprint begins so. FleetdiagError if there is none, or more than one."""
    found = [item.record for item in open_now(runs_dir, now) if item.record.fingerprint.startswith(prefix)]
    if len(found) == 1 and prefix:
        return found[0]
    what = f"the beginning of {len(found)} findings; say more of it" if found else "no finding that is open"
    raise FleetdiagError(f"{printable(prefix)}: is {what}; 'fleetdiag findings --all' lists them")


def _until(text: str, now: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC)
    except ValueError:
        return now + timedelta(seconds=settings.age_s(text, "--until"))


def _who() -> str:
    try:
        return f"{getpass.getuser()}@{platform.node()}"
    except (KeyError, OSError):  # a user without a name
        return f"{os.getuid()}@{platform.node()}"
