# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag schedule`: install, list and remove timers of named sweeps; `run` is what a timer starts."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import retention, slots
from fleetdiag import config
from fleetdiag.cli import notify
from fleetdiag.config import Config, NamedSweep
from fleetdiag.notify import heartbeat, last_good
from fleetdiag.run import inventory
from fleetdiag.run.login import Login
from fleetdiag.schedule import clock, install, turn, units

Main = Callable[[Sequence[str]], int]
_EXIT_CODES = """exit codes of run: those of sweep, and
  5    skipped: the sweep before still runs, the slot is done, or it is too late
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser], main: Main) -> None:
    """Add `fleetdiag schedule install|list|run|remove|cron`. main: runs another command line of this command."""
    parser = commands.add_parser("schedule", help="run named sweeps of the configuration by the clock")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for verb, func, about in (
        ("install", _install, "write, verify and start the systemd timer of a sweep; safe to repeat"),
        ("remove", _remove, "stop and remove the timer of a sweep"),
    ):
        sub = verbs.add_parser(verb, help=about, description=f"{about[0].upper()}{about[1:]}.")
        sub.add_argument("name", metavar="NAME", help="sweep of the configuration")
        sub.add_argument("--user", action="store_true", help="a unit of yours instead of the machine's")
        sub.add_argument("--check", action="store_true", help="show what would change, change nothing")
        if verb == "install":
            sub.add_argument(
                "--as",
                dest="run_as",
                default="",
                metavar="USER",
                help="whom a unit of the machine runs as (default: you, also behind sudo)",
            )
        sub.set_defaults(func=func)
    listing = verbs.add_parser(
        "list", help="list sweeps with a schedule: next, last, missed, and their timers"
    )
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(func=_list)
    run = verbs.add_parser(
        "run",
        help="run a sweep for its slot, or record why not: what timers and cron start",
        description="Run a sweep for the latest slot of its schedule. It is skipped, with a record and exit code 5,"
        " if the sweep before still runs, the slot has one already, or it is too late. Nothing is ever caught up.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("name", metavar="NAME", help="sweep of the configuration")
    run.set_defaults(func=lambda args: _run(args, main))
    failed = verbs.add_parser(
        "failed", help="tell the receivers of a sweep that its unit failed: what systemd starts then"
    )
    failed.add_argument("name", metavar="NAME", help="sweep of the configuration")
    failed.set_defaults(func=_failed)
    cron = verbs.add_parser("cron", help="print the line of a crontab, where there is no systemd")
    cron.add_argument("name", metavar="NAME", help="sweep of the configuration, with every = ...")
    cron.set_defaults(func=_cron)


# --- install and remove ---


def _install(args: argparse.Namespace) -> int:
    loaded = config.load()
    scope = _scope(args)
    user = args.run_as or (os.environ.get("SUDO_USER", "") if scope == "system" else "") or getpass.getuser()
    sweep = loaded.sweep(args.name)
    made = units.variables(loaded, sweep, scope, user)
    changes = install.apply(made, args.check)
    _show(changes, args.check)
    place = units.unit_dir(scope) / f"fleetdiag-{sweep.name}"
    done = ("would be written" if args.check else "written") if changes else "as they are"
    coming = clock.following(sweep, time.time())
    print(f"{place}.{{service,timer}}: {done}; verified; next: {_moment(coming)}")
    if not units.is_running():
        print("fleetdiag: systemd does not run here, so the timer was not started", file=sys.stderr)
    elif scope == "user" and not units.lingers(getpass.getuser()):
        print(
            "fleetdiag: the timer runs only while you are logged in; for longer: loginctl enable-linger",
            file=sys.stderr,
        )
    return 0


def _remove(args: argparse.Namespace) -> int:
    scope = _scope(args)
    if args.name not in units.installed(scope):
        raise FleetdiagError(
            f"{units.unit_dir(scope)}: there is no timer of a sweep {printable(args.name)}; see: fleetdiag schedule list"
        )
    variables = {"schedule_name": args.name, "schedule_scope": scope, "schedule_state": "absent"}
    changes = install.apply({**variables, "schedule_start": units.is_running()}, args.check)
    _show(changes, args.check)
    place = units.unit_dir(scope) / f"fleetdiag-{args.name}"
    print(f"{place}.{{service,timer}}: {'would be removed' if args.check else 'removed'}")
    return 0


def _scope(args: argparse.Namespace) -> str:
    scope = "user" if args.user else "system"
    if scope == "system" and os.geteuid() != 0:
        raise FleetdiagError(
            f"schedule: {units.SYSTEM_DIR} is root's; run it with sudo, or with --user for a timer of yours"
        )
    return scope


def _show(changes: Sequence[str], check: bool) -> None:
    if check and changes:
        print("\n".join(changes))


# --- list ---


def _list(args: argparse.Namespace) -> int:
    loaded, now = config.load(), time.time()
    timers = {scope: units.installed(scope) for scope in ("system", "user")}
    rows = [_row(loaded, sweep, timers, now) for sweep in loaded.scheduled()]
    gone = {name for found in timers.values() for name in found} - set(loaded.sweeps)
    rows += [_orphan(name, timers) for name in sorted(gone)]
    if args.json:
        print(json.dumps(rows, indent=1))
        return 0
    heads = {
        "sweep": "SWEEP",
        "when": "WHEN",
        "next": "NEXT",
        "last": "LAST",
        "missed": "MISSED (7 d)",
        "unit": "UNIT",
    }
    table = [heads, *({**row, "missed": _counted(row)} for row in rows)]
    widths = {key: max(len(str(row[key])) for row in table) for key in heads}
    for row in table:
        print("  ".join(printable(str(row[key])).ljust(widths[key]) for key in heads).rstrip())
    return 0


def _row(
    loaded: Config, sweep: NamedSweep, timers: dict[str, dict[str, units.Installed]], now: float
) -> dict[str, Any]:
    runs_dir = turn.runs_dir_of(sweep)
    week = clock.iso(now - clock.WEEK_S)
    lately = [slot for slot in slots.read(runs_dir) if slot.name == sweep.name and slot.slot >= week]
    running = turn.running_since(sweep.name)
    last = slots.last(runs_dir, sweep.name)
    return {
        "sweep": sweep.name,
        "when": sweep.text("schedule") or f"every {sweep.text('every')}",
        "next": _moment(clock.following(sweep, now)),
        "last": f"runs for {turn.duration(now - running)}" if running else last or "-",
        "missed": sum(slot.status == "missed" for slot in lately),
        "skipped": sum(slot.status == "skipped" for slot in lately),
        "unit": _unit(loaded, sweep, timers),
    }


def _orphan(name: str, timers: dict[str, dict[str, units.Installed]]) -> dict[str, Any]:
    scope = "user" if name in timers["user"] else "system"
    remedy = f"is no longer in the configuration: fleetdiag schedule remove {name}" + " --user" * (
        scope == "user"
    )
    return {"sweep": name, "when": "-", "next": "-", "last": "-", "missed": 0, "skipped": 0, "unit": remedy}


def _counted(row: dict[str, Any]) -> str:
    return f"{row['missed']}" + (f", {row['skipped']} skipped" if row["skipped"] else "")


def _unit(loaded: Config, sweep: NamedSweep, timers: dict[str, dict[str, units.Installed]]) -> str:
    """Return how the timer stands: its scope, or what to do."""
    said = []
    for scope, found in timers.items():
        if sweep.name in found:
            same = found[sweep.name].sha256 == units.digest(loaded, sweep, scope)
            said.append(scope if same else f"{scope}, differs from the configuration: install again")
    return "; ".join(said) or "not installed"


def _moment(time_: float | None) -> str:
    return (
        "never" if time_ is None else datetime.fromtimestamp(time_).astimezone().strftime("%a %Y-%m-%d %H:%M")
    )


# --- run ---


def _run(args: argparse.Namespace, main: Main) -> int:
    os.umask(0o077)
    loaded = config.load()
    sweep = loaded.sweep(args.name)
    if not sweep.scheduled:
        raise FleetdiagError(
            f"sweeps.{sweep.name}: has no schedule; by hand it runs with: fleetdiag sweep {sweep.name}"
        )

    last_good.keep()

    def hosts() -> list[str]:
        sources = inventory.sources(sweep.texts("inventory"))
        return inventory.hosts_of(sources, sweep.text("limit"), Login())

    def start(slot: str) -> int:
        _say(heartbeat.ping(loaded.heartbeat, "start"))
        code = main(["sweep", sweep.name, f"--slot={slot}"])
        _say(heartbeat.ping(loaded.heartbeat, str(code)))
        return code

    code = turn.run(sweep, start, hosts, _say)
    if code == turn.EXIT_SKIPPED:
        notify.after_skip(loaded, sweep)
    elif code != turn.EXIT_NOT_STARTED:
        _prune(sweep)
    return code


def _prune(sweep: NamedSweep) -> None:
    """Remove earlier runs of a sweep that says what is kept. Trouble is one sentence, and no error."""
    if "keep" not in sweep.settings:
        return
    try:
        keep = retention.parse(sweep.table("keep"), f"sweeps.{sweep.name}.keep")
        for line in retention.prune(turn.runs_dir_of(sweep), keep, datetime.now(UTC), names=[sweep.name]):
            _say(line)
    except (FleetdiagError, OSError) as error:
        _say(f"earlier runs were not removed: {error}")


def _say(sentence: str) -> None:
    if sentence:
        print(f"fleetdiag: {printable(sentence)}", file=sys.stderr)


def _failed(args: argparse.Namespace) -> int:
    return notify.failed(args.name)


def _cron(args: argparse.Namespace) -> int:
    loaded = config.load()
    sweep = loaded.sweep(args.name)
    length = sweep.seconds("every")
    if not length or length % 60 or (3600 % length and length % 3600):
        raise FleetdiagError(
            f"{loaded.path}: sweeps.{sweep.name}: cron has no words for its schedule; say every = '15min', '1h',"
            " '6h' or '1d'"
        )
    when = f"*/{length // 60} * * * *" if length < 3600 else f"0 */{length // 3600} * * *"
    when = "0 0 * * *" if length == config.DAY_S else "0 * * * *" if length == 3600 else when
    words = shlex.join([units.command(), "--config", str(loaded.path), "schedule", "run", sweep.name])
    print("CRON_TZ=UTC")
    print(f"{when} {words.replace('%', chr(92) + '%')}")
    return 0
