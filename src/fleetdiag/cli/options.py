# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several commands have, said once."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import references
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import user_catalogs
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import names
from fleetdiag.run import playbook
from fleetdiag.run.report import EXIT_OK


def add_catalog(parser: argparse.ArgumentParser, dest: str = "catalogs") -> None:
    """`--catalog DIR`, as often as one likes."""
    parser.add_argument(
        "--catalog",
        action="append",
        default=[],
        metavar="DIR",
        dest=dest,
        help="directory with your own probe folders; others are named by the variable"
        f" {user_catalogs.VARIABLE} (with colons between) and by `catalogs` in ~/.config/fleetdiag/config.toml",
    )


def add_inventory(parser: argparse.ArgumentParser) -> None:
    """`-i INV`, required."""
    parser.add_argument(
        "-i",
        "--inventory",
        action="append",
        required=True,
        metavar="INV",
        help="inventory file, directory, or 'web1,web2,'",
    )


def add_forks(parser: argparse.ArgumentParser) -> None:
    """`--forks N`."""
    parser.add_argument(
        "--forks",
        type=int,
        default=playbook.DEFAULT_FORKS,
        metavar="N",
        help=f"hosts worked on at the same time (default: {playbook.DEFAULT_FORKS})",
    )


def add_ansible(parser: argparse.ArgumentParser) -> None:
    """How Ansible is to reach the hosts, and how much it says."""
    add = parser.add_argument
    add(
        "-b",
        "--become",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="become root on the hosts (default)",
    )
    add("-K", "--ask-become-pass", action="store_true", help="ask for the password of sudo")
    add(
        "-e",
        "--extra-vars",
        action="append",
        default=[],
        metavar="VARS",
        help="more variables, as ansible-playbook takes them",
    )
    add("-v", "--verbose", action="count", default=0, help="show what Ansible says; repeat for more")


RUN_HELP = (
    "an id, the beginning of one, a path, 'latest', the NAME of a sweep, or NAME~2 (two before its latest)"
)


def add_run(parser: argparse.ArgumentParser, about: str, nargs: str | None = None, name: str = "run") -> None:
    """`RUN` and `--runs-dir DIR`. nargs: as argparse has it; one run without."""
    more = {} if nargs is None else {"nargs": nargs}
    parser.add_argument(name, metavar="RUN", help=f"{about}: {RUN_HELP}", **more)  # type: ignore[arg-type]
    add_runs_dir(parser)


def add_runs_dir(parser: argparse.ArgumentParser) -> None:
    """`--runs-dir DIR`."""
    parser.add_argument(
        "--runs-dir",
        default="",
        metavar="DIR",
        help=f"where run directories are (default: {names.default_runs_dir()})",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def print_json(value: object) -> int:
    """Print one JSON document, ASCII only; returns exit code 0."""
    print(json.dumps(value, indent=1, allow_nan=False, default=str))
    return EXIT_OK


def runs_dir(args: argparse.Namespace) -> Path:
    """Return the place of run directories, absolute."""
    return playbook.absolute(args.runs_dir) if args.runs_dir else names.default_runs_dir()


def run_dir(word: str, args: argparse.Namespace) -> Path:
    """Return the absolute path of the run directory that a RUN names."""
    return Path(os.path.abspath(references.resolve(word, runs_dir(args))))


def become_password(args: argparse.Namespace) -> str | None:
    """Asked for on the terminal if the command was told to."""
    return getpass.getpass("BECOME password: ", stream=sys.stderr) if args.ask_become_pass else None


def reach(args: argparse.Namespace, inventory: Sequence[str], limit: str = "") -> playbook.Reach:
    """How Ansible reaches the hosts, by what `add_forks` and `add_ansible` were given."""
    return playbook.Reach(
        inventory=inventory,
        limit=limit,
        forks=args.forks,
        become_password=become_password(args),
        extra_vars=args.extra_vars,
        verbosity=args.verbose,
    )
