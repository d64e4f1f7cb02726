# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag notify`: try a receiver, see what was not delivered. Here, too, is what follows each named sweep."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import references
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import Report
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import names
from fleetdiag import config
from fleetdiag.config import Config, NamedSweep
from fleetdiag.notify import deliver, digest, last_good, message, outbox, tell, textfile
from fleetdiag.pages import index
from fleetdiag.schedule import turn, units

_OK, _FAILED = 0, 3


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `fleetdiag notify test|pending|digest`."""
    parser = commands.add_parser("notify", help="try a receiver, or list what was not delivered")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    test = verbs.add_parser("test", help="send a made-up finding, marked TEST, to a receiver")
    test.add_argument("receiver", metavar="RECEIVER", help="receiver of the configuration")
    test.set_defaults(func=_test)
    pending = verbs.add_parser("pending", help="list messages that were not delivered")
    pending.add_argument("--retry", action="store_true", help="try each once more")
    pending.add_argument("--json", action="store_true", help="print JSON")
    pending.set_defaults(func=_pending)
    week = verbs.add_parser("digest", help="print the digest of the last seven days")
    week.set_defaults(func=_digest)


def after_sweep(run_dir: Path, report: Report) -> str:
    """Tell receivers what is new in a run of a named sweep and make the pages; return "" or one sentence of trouble."""
    name = report.runs[0].name if report.runs else ""
    try:
        loaded = config.load()
        place = run_dir.absolute().parent
        if name and name in loaded.sweeps and _is_place(loaded.sweep(name), place):
            if _is_news(run_dir):
                tell.finished(loaded, loaded.sweep(name), run_dir)
            digest.send_due(loaded, place, time.time())
            refresh(loaded, place)
    except (FleetdiagError, OSError) as error:
        return f"the sweep is done, but nobody could be told: {error}"
    return ""


def _is_place(sweep: NamedSweep, place: Path) -> bool:
    """Return whether the runs of a sweep are there: nobody is told of one that was copied elsewhere."""
    own = turn.runs_dir_of(sweep)
    return own.is_dir() and own.samefile(place)


def _is_news(run_dir: Path) -> bool:
    """Return whether what a run found may still be told: for as long as a message is tried to be delivered."""
    age = datetime.now(UTC) - references.started(run_dir.name)
    return age.total_seconds() <= outbox.GIVE_UP_S


def after_skip(loaded: Config, sweep: NamedSweep) -> None:
    """Tell receivers when slots are skipped repeatedly; make the pages. Never fails."""
    try:
        runs_dir = turn.runs_dir_of(sweep)
        made = tell.skipped(sweep, runs_dir)
        if made is not None:
            tell_now(loaded, sweep, made)
        refresh(loaded, runs_dir)
    except (FleetdiagError, OSError) as error:
        _say(f"nobody could be told: {error}")


def tell_now(loaded: Config, sweep: NamedSweep, made: message.Message) -> bool:
    """Send a message about a sweep that has no run directory for an outbox; return whether all have taken it."""
    fine = True
    for receiver in tell.receivers(loaded, sweep):
        for _ in range(outbox.TRIES):
            taken, said = deliver.run(receiver.kind, receiver.settings, made.as_dict())
            if taken:
                break
        else:
            _say(f"receiver {receiver.name}: {said}")
            fine = False
    return fine


def refresh(loaded: Config, runs_dir: Path) -> None:
    """Make `index.html` of the runs and the textfile again."""
    now = time.time()
    if runs_dir.is_dir():
        index.write(loaded, runs_dir, now)
    if loaded.heartbeat.textfile is not None:
        textfile.write(loaded, loaded.heartbeat.textfile, now)


def failed(name: str) -> int:
    """Tell that the unit of a sweep failed, also where the configuration is what is broken. Returns the exit code."""
    trouble = ""
    try:
        loaded = config.load()
    except FleetdiagError as error:
        trouble = str(error)
        loaded = last_good.load()
    sweep = loaded.sweep(name)
    _record_failure(loaded, sweep, bool(trouble))
    lines = [trouble] if trouble else []
    lines.append(
        f"see: journalctl {_journal_option(name)} fleetdiag-{name}.service, or fleetdiag schedule list"
    )
    stamp = time.strftime("%Y%m%d%H%M", time.gmtime())
    made = message.simple(name, "the sweep failed or was ended", lines, f"failed-{name}-{stamp}")
    return _OK if tell_now(loaded, sweep, made) else _FAILED


def _record_failure(loaded: Config, sweep: NamedSweep, is_faulty: bool) -> None:
    """Note why the slot has no run. Trouble is one sentence: receivers are told all the same."""
    try:
        turn.failed(sweep, is_faulty, time.time())
        refresh(loaded, turn.runs_dir_of(sweep))
    except (FleetdiagError, OSError) as error:
        _say(f"that the slot has no run was not recorded: {error}")


def _journal_option(name: str) -> str:
    """Return how journalctl is asked for the unit of a sweep, which may be one of the machine or of a user."""
    of_user = name in units.installed("user") and name not in units.installed("system")
    return "--user-unit" if of_user else "-u"


def _test(args: argparse.Namespace) -> int:
    loaded = config.load()
    if args.receiver not in loaded.receivers:
        known = ", ".join(loaded.receivers) or "none"
        raise FleetdiagError(
            f"{loaded.path}: receivers.{printable(args.receiver)}: is not there; it has {known}"
        )
    receiver = loaded.receivers[args.receiver]
    lines = [
        "TEST  warning  web3: 14 files open longer than 1 s; the other 47 hosts: 0",
        "This finding is made up.",
    ]
    made = message.simple("TEST", "TEST: 1 new: a made-up finding", lines, f"test-{time.time_ns()}")
    began = time.monotonic()
    taken, said = deliver.run(receiver.kind, receiver.settings, made.as_dict())
    took = time.monotonic() - began
    words = f": {said}" if said else ""
    print(f"{receiver.name}: {receiver.kind} {'taken' if taken else 'NOT taken'} in {took:.1f} s{words}")
    return _OK if taken else _FAILED


def _pending(args: argparse.Namespace) -> int:
    loaded = config.load()
    places = _places(loaded)
    if args.retry:
        for place in places:
            tell.retry(loaded, place)
    found = [(run_dir, entry) for place in places for run_dir, entry in outbox.pending(place)]
    if args.json:
        print(json.dumps([_row(run_dir, entry) for run_dir, entry in found], indent=1))
    for run_dir, entry in [] if args.json else found:
        said = entry.tries[-1]["said"] if entry.tries else "not tried yet"
        line = f"{run_dir.name}  {entry.receiver}  {entry.state} after {len(entry.tries)} tries: {said}"
        print(f"{printable(line)}\n    {printable(entry.message.subject)}")
    if not found and not args.json:
        print("all messages were delivered")
    return _FAILED if found else _OK


def _row(run_dir: Path, entry: outbox.Entry) -> dict[str, object]:
    return {
        "run": run_dir.name,
        "receiver": entry.receiver,
        "state": entry.state,
        "subject": entry.message.subject,
        "tries": entry.tries,
    }


def _digest(_: argparse.Namespace) -> int:
    loaded = config.load()
    print(digest.body(loaded, time.time()), end="")
    return _OK


def _places(loaded: Config) -> Sequence[Path]:
    """Return every place of runs that sweeps name."""
    named = [turn.runs_dir_of(sweep) for sweep in loaded.sweeps.values()]
    return list(dict.fromkeys([*named, names.default_runs_dir()]))


def _say(sentence: str) -> None:
    print(f"fleetdiag: {printable(sentence)}", file=sys.stderr)
