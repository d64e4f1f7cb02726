# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: arguments become calls; what a person can put right is said in one sentence."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import version
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import parameters
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import history, names
from fleetdiag.cli import (
    abort,
    builder,
    collect,
    completion,
    diff,
    doctor,
    findings,
    notify,
    options,
    query,
    report,
    runs,
    schedule,
    trend,
)
from fleetdiag.cli import config as config_cli
from fleetdiag.cli import lab as lab_cli
from fleetdiag.cli import probes as probes_cli
from fleetdiag.cli.report import EXIT_CODES
from fleetdiag.run import login, progress, shards, sweep
from fleetdiag.run.report import EXIT_INTERRUPTED, EXIT_NOT_STARTED, EXIT_OK


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may be no text
    try:
        words = config_cli.taken(sys.argv[1:] if arguments is None else arguments)
        args = parser().parse_args(words)
        code: int = args.func(args)
        sys.stdout.flush()
    except FleetdiagError as error:
        return _complain(str(error))
    except BrokenPipeError:
        # Nobody reads any more (`fleetdiag ... | head`); keep Python from complaining about it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except OSError as error:
        return _complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return code


def _complain(sentence: str) -> int:
    print(f"fleetdiag: {printable(sentence)}", file=sys.stderr)
    return EXIT_NOT_STARTED


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command."""
    whole: argparse.ArgumentParser = options.Parser(
        prog="fleetdiag",
        description="Ask the kernels of a whole server group at once which host is different.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"fleetdiag {version.version()}")
    config_cli.add_option(whole)
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_sweep(commands)
    report.add_parser(commands)
    collect.add_parser(commands)
    runs.add_parser(commands)
    findings.add_parser(commands)
    diff.add_parser(commands)
    trend.add_parser(commands)
    query.add_parser(commands)
    abort.add_parser(commands)
    builder.add_parser(commands)
    probes_cli.add_parser(commands)
    config_cli.add_parser(commands)
    schedule.add_parser(commands, main)
    notify.add_parser(commands)
    doctor.add_parser(commands, lambda words: _request(parser().parse_args(["sweep", *words])))
    lab_cli.add_parser(commands)
    completion.add_parser(commands, whole)
    return whole


def _add_sweep(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "sweep",
        help="run probes on a server group and make one report",
        description="Run probes on all hosts of a pattern for the same window and merge one report."
        " 'fleetdiag sweep NAME [OPTIONS]' runs a sweep of the configuration; options given here win.",
        epilog=f"{report.made_by_sweep()}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    options.add_inventory(parser)
    add("-l", "--limit", default=None, metavar="PATTERN", help="hosts or groups to probe (default: all)")
    add(
        "--probe",
        action="append",
        required=True,
        metavar="NAME",
        dest="probes",
        help="probe to run; repeat for several",
    )
    add(
        "--param",
        action="append",
        default=[],
        metavar="PROBE.NAME=VALUE",
        dest="parameters",
        help="set a probe's parameter",
    )
    add("--window", default="30s", metavar="TIME", help="how long to look: 30, 30s, 5m (default: 30s)")
    add(
        "--drain",
        default="",
        metavar="WEIGHT",
        help="lower the hosts' weight on the load balancers (group load_balancers) while they are probed, as 50%% of"
        " what it is (default: leave it)",
    )
    add(
        "--canary",
        default="",
        metavar="N",
        help="probe N (or 10%%) of each set of peers first, and the others only if these have no trouble",
    )
    add("--batch", default="", metavar="N", help="probe N (or 25%%) of the hosts at a time (default: all)")
    add(
        "--retry-crashed",
        action="store_true",
        help="load probes also on hosts that went down while they were probed with them (default: these are left out)",
    )
    options.add_catalog(parser)
    add(
        "--runs-dir",
        default="",
        metavar="DIR",
        help=f"where run directories go (default: {names.default_runs_dir()})",
    )
    add(
        "--baseline",
        type=int,
        default=history.DEFAULT,
        metavar="N",
        help=f"compare each host with N earlier sweeps of this name there (default: {history.DEFAULT}; 0: with none)",
    )
    add(
        "--name",
        default="",
        metavar="NAME",
        help="name of a sweep that is run again and again: its runs are compared with each other, and the report says"
        " what is new and what is gone",
    )
    config_cli.add_identity(parser)
    options.add_forks(parser)
    _add_shards(parser)
    report.add_fail_on(parser)
    options.add_ansible(parser)
    options.add_list_hosts(parser)
    add(
        "-C",
        "--check",
        "--dry-run",
        "--preflight-only",
        action="store_true",
        dest="dry_run",
        help="only ask the hosts, and say which would be probed, and what would be compiled where",
    )
    options.add_look(parser)
    parser.set_defaults(func=_run_sweep)


def _add_shards(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("past one controller")
    group.add_argument(
        "--shards",
        type=int,
        default=1,
        metavar="N",
        help="deal the hosts out to N workers of ansible-runner that sweep at the same time, with the same window",
    )
    group.add_argument(
        "--worker",
        action="append",
        default=[],
        metavar="COMMAND",
        dest="workers",
        help="what runs a worker, for instance 'ssh other ansible-runner worker'; several are taken in turn"
        " (default: here)",
    )
    group.add_argument(
        "--lead",
        default="",
        metavar="TIME",
        help="how long until the window begins on all shards: what preflight, build and arming take (default: learned"
        f" from earlier sweeps, else {shards.DEFAULT_LEAD_S}s)",
    )


def _run_sweep(args: argparse.Namespace) -> int:
    return sweep.run(_request(args), [notify.after_sweep])


def _request(args: argparse.Namespace) -> sweep.Request:
    return sweep.Request(
        list_hosts=args.list_hosts,
        dry_run=args.dry_run,
        look=progress.Look(args.quiet, args.json, args.no_color),
        inventory=args.inventory,
        probes=args.probes,
        window=args.window,
        limit=args.limit,
        parameters=args.parameters,
        catalogs=args.catalogs,
        runs_dir=args.runs_dir,
        baseline=args.baseline,
        name=args.name,
        **config_cli.identity(args),
        forks=args.forks,
        become=args.become,
        login=login.log_in(args.ansible),
        extra_vars=args.extra_vars,
        verbosity=args.verbose,
        fail_on=args.fail_on,
        drain=args.drain,
        canary=args.canary,
        batch=args.batch,
        retry_crashed=args.retry_crashed,
        sharding=shards.Sharding(
            shards=args.shards,
            workers=args.workers,
            lead_s=parameters.parse_window(args.lead) if args.lead else 0,
        ),
    )
