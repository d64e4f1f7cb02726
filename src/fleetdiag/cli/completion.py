# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag completion` and `fleetdiag man`: what shells and man(1) need of the command, made from its own parser."""

from __future__ import annotations

import argparse

import shtab

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import version
from fleetdiag.cli import options
from fleetdiag.run.report import EXIT_OK


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], whole: argparse.ArgumentParser
) -> None:
    """Add `fleetdiag completion SHELL` and `fleetdiag man`, for all commands of the parser `whole`."""
    parser = commands.add_parser(
        "completion",
        help="print what a shell needs to complete this command",
        description="Print what a shell needs to complete this command, for instance:"
        " fleetdiag completion bash > ~/.local/share/bash-completion/completions/fleetdiag",
    )
    parser.add_argument(
        "shell", metavar="SHELL", choices=shtab.SUPPORTED_SHELLS, help=", ".join(shtab.SUPPORTED_SHELLS)
    )
    parser.set_defaults(func=lambda args: _run(args, whole))
    page = commands.add_parser(
        "man",
        help="print the manual page of this command",
        description="Print the manual page of this command, for instance: fleetdiag man | man -l -",
    )
    page.set_defaults(func=lambda _args: _man(whole))


def _man(whole: argparse.ArgumentParser) -> int:
    from argparse_manpage.manpage import Manpage  # late: slow to import, and no other command needs it

    _complete(whole)
    page = Manpage(whole)
    page.description = "SystemTap probes on a whole server group, in one report"
    page.source, page.manual = f"fleetdiag {version.version()}", "User Commands"
    print(page)
    return EXIT_OK


def _run(args: argparse.Namespace, whole: argparse.ArgumentParser) -> int:
    _complete(whole)
    print(shtab.complete(whole, shell=args.shell))
    return EXIT_OK


def _complete(parser: argparse.ArgumentParser) -> None:
    """Add the late options of the parser and of those below it."""
    if isinstance(parser, options.Parser):
        parser.complete()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                _complete(below)
