# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag config`: check the configuration, print its schema. `--config FILE` and `sweep NAME` are read here."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import config_file
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from fleetdiag import config
from fleetdiag.schedule import named

_OK, _BAD = 0, 2
_OPTION = "--config"


def add_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--config FILE`, which `taken` has read before."""
    parser.add_argument(
        _OPTION,
        metavar="FILE",
        help=f"configuration, before the command (default: ${config_file.VARIABLE}, ./{config_file.LOCAL},"
        f" ~/.config/fleetdiag/config.toml, {config_file.SYSTEM})",
    )


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `fleetdiag config check|schema`."""
    parser = commands.add_parser("config", help="check the configuration file, or print its JSON Schema")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    check = verbs.add_parser(
        "check",
        help="name every fault with file, line and field",
        description="Check the configuration without reaching any host. Exit code 2 if there is a fault.",
    )
    check.set_defaults(func=_check)
    schema = verbs.add_parser(
        "schema",
        help="print the JSON Schema, from which editors complete",
        description="Print the JSON Schema of the configuration. Its first line may name it to an editor:"
        " '#:schema FILE'.",
    )
    schema.set_defaults(func=_schema)


def taken(arguments: Sequence[str]) -> list[str]:
    """Return the command line with `--config FILE` put into the environment and `sweep NAME` spelt out.

    Raises FleetdiagError for a configuration with a fault, or without that sweep.
    """
    words = list(arguments)
    while words and words[0].partition("=")[0] == _OPTION:
        option, equals, value = words.pop(0).partition("=")
        if not equals:
            if not words:
                raise FleetdiagError(f"{option}: names no file; write {option} FILE")
            value = words.pop(0)
        # All that this command starts reads the same file.
        os.environ[config_file.VARIABLE] = str(config_file.absolute(value, Path.cwd()))
    if len(words) > 1 and words[0] == "sweep" and not words[1].startswith("-"):
        return ["sweep", *named.words(config.load().sweep(words[1]), words[2:])]
    return words


def add_identity(parser: argparse.ArgumentParser) -> None:
    """Add the options that only a named sweep and the timer give; nobody types them."""
    parser.add_argument("--slot", default="", help=argparse.SUPPRESS)
    parser.add_argument("--memory", default="{}", type=json.loads, help=argparse.SUPPRESS)


def identity(args: argparse.Namespace) -> dict[str, Any]:
    """Return what of a sweep's Request says which slot it is for and how it is compared."""
    return {"slot": args.slot, "trigger": "timer" if args.slot else "hand", "memory": args.memory}


def _check(_: argparse.Namespace) -> int:
    file = config_file.read()
    if file.path is None:
        raise FleetdiagError(
            f"there is no configuration; write {config_file.user_file()}, or name one with {_OPTION}"
        )
    found = config.faults(file)
    for sentence in found:
        print(sentence)
    if found:
        return _BAD
    loaded = config.load()
    missing = named.missing_files(loaded)
    for sentence in missing:
        print(sentence)
    if missing:
        return _BAD
    clock = len(loaded.scheduled())
    print(
        f"{file.path}: {plural(len(loaded.sweeps), 'sweep')} ({clock} with a schedule),"
        f" {plural(len(loaded.receivers), 'receiver')}"
    )
    return _OK


def _schema(_: argparse.Namespace) -> int:
    print(config.SCHEMA.read_text(encoding="utf-8"), end="")
    return _OK
