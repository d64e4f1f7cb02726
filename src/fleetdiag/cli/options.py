# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several commands have, said once."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import references
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import user_catalogs
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import names
from fleetdiag.run import inventory, login, playbook
from fleetdiag.run.report import EXIT_NOT_STARTED, EXIT_OK


class Parser(argparse.ArgumentParser):
    """Complains in one sentence, without the whole usage before it.

    late: what adds options that are slow to find out, called when arguments are parsed.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**{"allow_abbrev": False, **kwargs})  # type: ignore[arg-type]
        self.late: list[Callable[[], None]] = []

    def complete(self) -> None:
        """Add the late options."""
        while self.late:
            self.late.pop()()

    def parse_known_args(self, *args: Any, **kwargs: Any) -> Any:
        """Parse as always, with the late options."""
        self.complete()
        return super().parse_known_args(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        """End the command with one sentence."""
        self.exit(EXIT_NOT_STARTED, f"fleetdiag: {printable(message)}; see '{self.prog} --help'\n")


class _HandOn(argparse.Action):
    """Keeps an option and its value as words of Ansible's command line."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        _option: str | None = None,
    ) -> None:
        long = next(one for one in self.option_strings if one.startswith("--"))
        value = ":".join(map(str, values)) if isinstance(values, list) else str(values)
        words = [long] if self.nargs == 0 else [f"{long}={value}"]
        setattr(namespace, self.dest, [*getattr(namespace, self.dest), *words])


def add_catalog(parser: argparse.ArgumentParser, dest: str = "catalogs") -> None:
    """Add `--catalog DIR`, which may be given several times."""
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
    """Add `-i INV`."""
    parser.add_argument(
        "-i",
        "--inventory",
        action="append",
        default=[],
        metavar="INV",
        help="inventory file, directory, or 'web1,web2,' (default: what ansible.cfg names)",
    )


def add_forks(parser: argparse.ArgumentParser) -> None:
    """Add `--forks N`."""
    parser.add_argument(
        "-f",
        "--forks",
        type=int,
        default=playbook.DEFAULT_FORKS,
        metavar="N",
        help=f"hosts worked on at the same time (default: {playbook.DEFAULT_FORKS})",
    )


def add_ansible(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how Ansible is to reach the hosts, and how much it says."""
    add = parser.add_argument
    add(
        "-b",
        "--become",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="become root on the hosts (default)",
    )
    add(
        "-e",
        "--extra-vars",
        action="append",
        default=[],
        metavar="VARS",
        help="more variables, as ansible-playbook takes them",
    )
    add("-v", "--verbose", action="count", default=0, help="show what Ansible says; repeat for more")
    parser.set_defaults(ansible=[])
    if isinstance(
        parser, Parser
    ):  # Ansible's parser takes half a second to load, and other commands need none
        parser.late.append(lambda: _add_ansibles_own(parser))
    else:
        _add_ansibles_own(parser)


RUN_HELP = (
    "an id, the beginning of one, a path, 'latest', the NAME of a sweep, or NAME~2 (two before its latest)"
)


def add_run(parser: argparse.ArgumentParser, about: str, nargs: str | None = None, name: str = "run") -> None:
    """Add `RUN` and `--runs-dir DIR`. nargs: as argparse has it; one run without."""
    more = {} if nargs is None else {"nargs": nargs}
    parser.add_argument(name, metavar="RUN", help=f"{about}: {RUN_HELP}", **more)  # type: ignore[arg-type]
    add_runs_dir(parser)


def add_runs_dir(parser: argparse.ArgumentParser) -> None:
    """Add `--runs-dir DIR`."""
    parser.add_argument(
        "--runs-dir",
        default="",
        metavar="DIR",
        help=f"where run directories are (default: {names.default_runs_dir()})",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
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


def add_list_hosts(parser: argparse.ArgumentParser) -> None:
    """Add `--list-hosts`, for `listed`."""
    parser.add_argument(
        "--list-hosts", action="store_true", help="name the hosts that this would be done on, and do nothing"
    )


def add_look(parser: argparse.ArgumentParser) -> None:
    """Add `--quiet`, `--json`, `--no-color`: how progress is shown on standard error."""
    one = parser.add_mutually_exclusive_group()
    one.add_argument("-q", "--quiet", action="store_true", help="show no progress, only the report")
    one.add_argument(
        "--json", action="store_true", help="show progress as lines of JSON on standard error, for programs"
    )
    parser.add_argument(
        "--no-color", action="store_true", help="show progress without colours (also: variable NO_COLOR)"
    )


def _add_ansibles_own(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("Ansible's own options", "handed on to ansible-playbook as they are")
    for one in login.options():
        more: dict[str, Any] = (
            {"nargs": 0} if one.nargs == 0 else {"type": one.type, "metavar": one.metavar or one.dest.upper()}
        )
        group.add_argument(
            *one.option_strings,
            action=_HandOn,
            dest="ansible",
            default=argparse.SUPPRESS,
            help=one.help,
            **more,
        )


def reach(args: argparse.Namespace, limit: str | None = None) -> playbook.Reach:
    """Return how Ansible reaches the hosts, by the options of `add_inventory`, `add_forks` and `add_ansible`.

    What has to be asked for is asked on the terminal.
    """
    return playbook.Reach(
        inventory=inventory.sources(args.inventory),
        limit=inventory.check_limit(limit),
        forks=args.forks,
        login=login.log_in(args.ansible),
        extra_vars=args.extra_vars,
        verbosity=args.verbose,
    )


def listed(args: argparse.Namespace, hosts: Sequence[str]) -> bool:
    """Print the hosts if `--list-hosts` is given, and return whether it is."""
    if args.list_hosts:
        print("\n".join(map(printable, hosts)))
    return bool(args.list_hosts)
