# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag lab ...`: the commands of the lab."""

from __future__ import annotations

import argparse
import os
import sys

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.lab import boot, machines_data, paths, workload
from fleetdiag.lab.processes import State, alive


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `lab` to the command line; each of its commands sets `func(args) -> exit status`."""
    add_commands(
        subparsers.add_parser("lab", help="real kernels to try sweeps on: emulated machines and a builder")
    )


def add_commands(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the lab's commands to `parser` and give it back."""
    commands = parser.add_subparsers(dest="lab_command", required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="boot the lab (what already runs is kept)")
    up.add_argument("--with-old", action="store_true", help="also old1, a Debian 12 whose staprun is too old")
    up.add_argument(
        "--with-arm", action="store_true", help="also arm1, an arm64 machine (an hour the first time)"
    )
    up.add_argument("--with-ghost", action="store_true", help="also an inventory host that never answers")
    which = up.add_mutually_exclusive_group()
    which.add_argument("--only", nargs="+", metavar="NAME", help="only these machines")
    which.add_argument(
        "--profile",
        choices=sorted(machines_data.PROFILES),
        default="web",
        help="web: three web machines; site: balancers, web machines and their file server",
    )
    up.add_argument("--fresh", action="store_true", help="restart from the images")
    up.set_defaults(func=_up)

    commands.add_parser("status", help="what runs").set_defaults(func=_status)
    commands.add_parser("inventory", help="print the path of the inventory").set_defaults(func=_inventory)
    commands.add_parser("down", help="end everything the lab started").set_defaults(func=_down)
    commands.add_parser("clean", help="end everything and remove images and keys").set_defaults(func=_clean)

    shell = commands.add_parser("ssh", help="log in to a machine as root, or run a command there")
    shell.add_argument("name", metavar="NAME")
    shell.add_argument("words", metavar="CMD", nargs=argparse.REMAINDER)
    shell.set_defaults(func=_ssh)

    load = commands.add_parser("workload", help="web requests, a slow download, writes, listings")
    load.add_argument("action", choices=("start", "stop"))
    load.set_defaults(func=_workload)

    show = commands.add_parser("demo", help="boot, load, sweep, report, end")
    show.add_argument("--keep", action="store_true", help="leave the lab up")
    show.add_argument("--profile", choices=sorted(machines_data.PROFILES), default="web", help="which story")
    show.set_defaults(func=_demo)

    soak = commands.add_parser(
        "soak", help="sweep again and again while things go wrong; exit 1 if any is left"
    )
    soak.add_argument("--minutes", type=float, default=5, help="how long, beside the last sweep (default: 5)")
    soak.add_argument("--seed", type=int, default=0, help="which faults come when (default: 0)")
    soak.set_defaults(func=_soak)
    return parser


def run(args: argparse.Namespace) -> int:
    """Call the chosen command; an error that a person can put right is one message and status 2."""
    try:
        status: int = args.func(args)
    except FleetdiagError as error:
        print(f"fleetdiag: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("fleetdiag: interrupted; `lab down` ends what already runs", file=sys.stderr)
        return 130
    return status


def _up(args: argparse.Namespace) -> int:
    boot.up(
        args.only,
        with_old=args.with_old,
        with_ghost=args.with_ghost,
        with_arm=args.with_arm,
        fresh=args.fresh,
        profile=args.profile,
    )
    return 0


def _status(_args: argparse.Namespace) -> int:
    state = State(paths.state_dir())
    processes = state.processes()
    for name in [
        machines_data.BUILDER,
        *machines_data.MACHINES,
        *(n for n in processes if n not in machines_data.MACHINES),
    ]:
        process = processes.pop(name, None)
        if process is None:
            continue
        condition = (
            ("up" if process.ready or process.kind == "workload" else "starting")
            if alive(process)
            else "dead"
        )
        ports = " ".join(f"{service}=127.0.0.1:{port}" for service, port in process.ports.items())
        print(f"{name:10} {condition:9} pid {process.pid:<8} {ports}")
    inventory = state.folder / "inventory.yml"
    print(f"inventory  {inventory}" if inventory.exists() else "the lab is down")
    return 0


def _inventory(_args: argparse.Namespace) -> int:
    path = boot.running().inventory
    if not path.exists():
        raise FleetdiagError("the lab is down; `fleetdiag lab up` boots it")
    print(path)
    return 0


def _ssh(args: argparse.Namespace) -> int:
    words = args.words[1:] if args.words[:1] == ["--"] else args.words
    command = boot.running().ssh_command(args.name, words)
    sys.stdout.flush()
    os.execvp(command[0], command)


def _down(_args: argparse.Namespace) -> int:
    ended = boot.down()
    print(f"ended: {', '.join(ended)}" if ended else "the lab was down")
    return 0


def _clean(_args: argparse.Namespace) -> int:
    boot.clean()
    print(f"removed what was in {paths.cache_dir()}")
    return 0


def _workload(args: argparse.Namespace) -> int:
    lab = boot.running()
    if args.action == "start":
        workload.start(lab)
    else:
        workload.stop(lab)
    return 0


def _demo(args: argparse.Namespace) -> int:
    from fleetdiag.lab.demos import site, web

    return site.run(keep=args.keep) if args.profile == "site" else web.run(keep=args.keep)


def _soak(args: argparse.Namespace) -> int:
    from fleetdiag.lab import soak

    return soak.run(args.minutes, args.seed)
