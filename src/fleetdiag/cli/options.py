# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several commands have, said once."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import user_catalogs
from fleetdiag.run import playbook


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
