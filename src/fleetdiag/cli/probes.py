# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag probes ...`: the commands of the catalog."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import files
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog, user_catalogs
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import plain
from fleetdiag.cli import options
from fleetdiag.probes import check, dev, listing, scaffold
from fleetdiag.run import login
from fleetdiag.run.report import EXIT_NOT_STARTED, EXIT_OK

_EXIT_CODES = """exit codes:
  0    no fault
  2    bad input, or a fault: one line says what, where and what to do
  3    (dev) the host could not be probed: the report says why
  130  interrupted
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `probes`; each of its commands sets `func(args) -> exit code`."""
    parser = subparsers.add_parser(
        "probes",
        help="list the probes and what they answer; write and check your own",
        description="What can be asked, and probes of your own. Without a command: list.",
    )
    options.add_catalog(parser)
    parser.add_argument("--json", action="store_true", dest="list_json", help="the list for programs")
    parser.set_defaults(func=_list, json=False, examples=False, more_catalogs=[])
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    one = _add(commands, "list", _list, "names by topic, each with its cost and the question it answers")
    one.add_argument("--json", action="store_true", help="for programs")
    one.add_argument("--examples", action="store_true", help="instead, the names of SystemTap's own examples")

    one = _add(commands, "show", _show, "what a probe watches, costs, needs and prints, and how to run it")
    one.add_argument("name", metavar="NAME", help="name of a probe, or its folder")
    one.add_argument("--json", action="store_true", help="for programs: with the whole manifest")

    one = _add(commands, "new", _new, "make the folder of a probe of your own")
    one.add_argument("name", metavar="NAME", help="a-z, 0-9 and _, a letter first, at most 30 of them")

    one = _add(commands, "check", _check, "look for faults in manifest, script and recorded sample")
    one.add_argument(
        "targets", metavar="DIR", nargs="*", help="probe folder, catalog, script, or name (default: all)"
    )

    one = _add(commands, "dev", _dev, "try a probe on one host: its raw output beside the rows read from it")
    one.add_argument("name", metavar="NAME", help="name of a probe, or its folder")
    one.add_argument("--host", required=True, metavar="HOST", help="the host to try it on")
    options.add_inventory(one)
    one.add_argument("--window", default="5s", metavar="TIME", help="how long to look (default: 5s)")
    one.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="parameters",
        help="set a parameter of the probe",
    )
    one.add_argument("--lines", type=int, default=100, metavar="N", help="lines to show (default: 100)")
    one.add_argument("--record", action="store_true", help="keep the output as the probe's sample.out")
    one.add_argument("--runs-dir", default="", metavar="DIR", help="where the run directory goes")
    options.add_ansible(one)


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    func: Callable[[argparse.Namespace], int],
    what: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=what,
        description=what[0].upper() + what[1:] + ".",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # Its own name: what is said after `list` must not undo what is said before it.
    options.add_catalog(parser, "more_catalogs")
    parser.set_defaults(func=func)
    return parser


def _catalogs(args: argparse.Namespace) -> list[Path]:
    return [catalog.shipped(), *user_catalogs.catalogs([*args.catalogs, *args.more_catalogs])]


def _list(args: argparse.Namespace) -> int:
    if args.examples:
        return _list_examples(as_json=args.json or args.list_json)
    probes, faults = listing.load_all(_catalogs(args))
    if args.json or args.list_json:
        print(json.dumps([listing.summary(probe) for probe in probes], indent=1))
    else:
        print("\n".join(listing.listed(probes)))
    for fault in faults:
        print(f"fleetdiag: {fault}", file=sys.stderr)
    return EXIT_NOT_STARTED if faults else EXIT_OK


def _list_examples(*, as_json: bool) -> int:
    folder = plain.in_cache(files.cache_dir())
    if folder is None:
        raise FleetdiagError(
            "SystemTap's examples are not known here yet; a sweep of one asks its builder for them:"
            " fleetdiag sweep -i INVENTORY --probe example:io/iotop"
        )
    names = sorted(f"{plain.EXAMPLE}{printable(name)}" for name in plain.index(folder))
    print(json.dumps(names, indent=1) if as_json else "\n".join(names))
    return EXIT_OK


def _show(args: argparse.Namespace) -> int:
    probe = _probe(args.name, _catalogs(args))
    if args.json:
        print(json.dumps({**listing.summary(probe), "manifest": probe.manifest}, indent=1, default=str))
    else:
        print("\n".join(listing.shown(probe)))
    return EXIT_OK


def _new(args: argparse.Namespace) -> int:
    given = [*args.catalogs, *args.more_catalogs]
    if len(given) > 1:
        raise FleetdiagError(
            f"--catalog: {len(given)} are given; name the one in which the probe is to be made"
        )
    folder = scaffold.new(args.name, _path(given[0]) if given else None)
    print(f"{folder}: made; write what its TODOs say, then")
    print(f"  fleetdiag probes check {folder}")
    print(f"  fleetdiag probes dev {folder} --host HOST -i INVENTORY")
    return EXIT_OK


def _check(args: argparse.Namespace) -> int:
    return EXIT_OK if check.check(args.targets, _catalogs(args)) else EXIT_NOT_STARTED


def _dev(args: argparse.Namespace) -> int:
    return dev.run(
        dev.Wish(
            probe=_probe(args.name, _catalogs(args)),
            host=args.host,
            inventory=args.inventory,
            window=args.window,
            parameters=args.parameters,
            catalogs=[*args.catalogs, *args.more_catalogs],
            lines=args.lines,
            record=args.record,
            runs_dir=args.runs_dir,
            become=args.become,
            login=login.log_in(args.ansible),
            extra_vars=args.extra_vars,
            verbosity=args.verbose,
        )
    )


def _probe(name: str, catalogs: list[Path]) -> Probe:
    """Return the probe of a folder if a path is given (has a slash, or is a dot); else of a script, example or name."""
    path = _path(name)
    if path.is_dir() and ("/" in name or name in (".", "..")):
        return catalog.load_probe(path)
    if plain.is_script(name):
        return plain.load(name, plain.in_cache(files.cache_dir()))
    return catalog.lookup(name, catalogs)


def _path(name: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(name)))
