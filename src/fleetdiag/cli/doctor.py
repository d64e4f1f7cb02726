# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag doctor`: a line for each thing that sweeps rely on, with a remedy."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import names
from fleetdiag import config
from fleetdiag.config import Config, NamedSweep
from fleetdiag.doctor import examine
from fleetdiag.doctor.model import Case, Line
from fleetdiag.run import sweep
from fleetdiag.schedule import turn

RequestOf = Callable[[Sequence[str]], sweep.Request]
_EXIT_CODES = """exit codes:
  0    all is well
  2    something fails, or bad input
  3    only warnings
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser], request: RequestOf) -> None:
    """Add `fleetdiag doctor [NAME]`. request: what the command asks for with these options of sweep."""
    parser = commands.add_parser(
        "doctor",
        help="look at everything that sweeps rely on, and say what to do",
        description="Look at the controller, the configuration, timers, hosts as a timer reaches them, receivers and the"
        " last sweeps. Nothing is loaded or installed. Without NAME, and without -i, all sweeps with a schedule.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("name", nargs="?", default="", metavar="NAME", help="sweep of the configuration")
    add(
        "-i",
        "--inventory",
        action="append",
        default=[],
        metavar="INV",
        help="hosts to look at, without a named sweep",
    )
    add("-l", "--limit", default="", metavar="PATTERN", help="hosts or groups of -i (default: all)")
    add("--offline", action="store_true", help="ask no host")
    add("--json", action="store_true", help="print JSON")
    parser.set_defaults(func=lambda args: _run(args, request))


def _run(args: argparse.Namespace, request: RequestOf) -> int:
    if args.name and args.inventory:
        raise FleetdiagError("doctor: NAME has an inventory of its own; leave out -i")
    case = _case(args, request)
    lines: list[Line] = []
    for line in examine.look(case):
        lines.append(line)
        if not args.json:
            print(_words(line), flush=True)
    if args.json:
        json.dump([asdict(line) for line in lines], sys.stdout, indent=1)
        print()
    return examine.exit_code(lines)


def _case(args: argparse.Namespace, request: RequestOf) -> Case:
    fault, loaded = "", Config()
    try:
        loaded = config.load()
    except FleetdiagError as error:
        fault = str(error)
    sweeps = _sweeps(args, loaded, fault)
    places = list(dict.fromkeys(turn.runs_dir_of(one) for one in sweeps)) or [names.default_runs_dir()]
    reach = not args.offline
    return Case(loaded, sweeps, places, time.time(), fault, args.inventory, args.limit, reach, request)


def _sweeps(args: argparse.Namespace, loaded: Config, fault: str) -> Sequence[NamedSweep]:
    if args.inventory or fault:
        return []
    return [loaded.sweep(args.name)] if args.name else loaded.scheduled()


def _words(line: Line) -> str:
    remedy = f" -> {line.remedy}" if line.remedy else ""
    return f"{line.level:4}  {line.about:13} {printable(line.text + remedy)}"
