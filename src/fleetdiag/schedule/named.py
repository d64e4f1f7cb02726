# SPDX-License-Identifier: GPL-3.0-or-later
"""A named sweep as options of `fleetdiag sweep`, so that both are checked and carried out by the same code."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.config import Config, NamedSweep
from fleetdiag.run import login
from fleetdiag.schedule import clock

# What is repeated on the command line: given there, it takes the place of the configuration's.
_REPEATED = {
    "inventory": ("-i", "--inventory"),
    "probes": ("--probe",),
    "catalogs": ("--catalog",),
    "extra_vars": ("-e", "--extra-vars"),
    "workers": ("--worker",),
}
_SINGLE = {
    "limit": "--limit",
    "window": "--window",
    "drain": "--drain",
    "canary": "--canary",
    "batch": "--batch",
    "runs_dir": "--runs-dir",
    "forks": "--forks",
    "shards": "--shards",
    "lead": "--lead",
    "fail_on": "--fail-on",
    "become_password_file": "--become-password-file",
}
# What, beside Ansible's options to log in, does not change what is measured: with these a sweep by hand still belongs
# to the others of its name.
_SWITCHES = ("-v", "-vv", "-vvv", "--verbose", "-q", "--quiet", "--json", "--no-color", "--list-hosts")
_WITH_VALUE = ("--fail-on", "-f", "--forks", "--slot")


def words(sweep: NamedSweep, given: Sequence[str]) -> list[str]:
    """Return the options of a named sweep followed by those given, which win.

    With an option that changes what is measured, the sweep carries no name: it is no part of the baseline.
    """
    options: list[str] = [] if overrides(given) else [f"--name={sweep.name}"]
    for key, names in _REPEATED.items():
        if not any(_has(given, name) for name in names):
            options += [f"{names[-1]}={value}" for value in sweep.texts(key)]
    options += [f"{name}={sweep.text(key)}" for key, name in _SINGLE.items() if key in sweep.settings]
    for probe, values in sweep.table("parameters").items():
        for name, value in values.items():
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            if not any(text.startswith(f"{probe}.{name}=") for text in _values(given, "--param")):
                options.append(f"--param={probe}.{name}={shown}")
    baseline = dict(sweep.table("baseline"))
    if "sweeps" in baseline:
        options.append(f"--baseline={baseline.pop('sweeps')}")
    if sweep.scheduled:
        with suppress(FleetdiagError):  # a sweep by hand needs no systemd
            baseline["per_week"] = round(clock.per_week(sweep, time.time()), 1)
    if baseline:
        options.append(f"--memory={json.dumps(baseline)}")
    if sweep.settings.get("retry_crashed"):
        options.append("--retry-crashed")
    if sweep.settings.get("become") is False:
        options.append("--no-become")
    return [*options, *given]


def overrides(given: Sequence[str]) -> bool:
    """Return whether options given by hand change what is measured."""
    switches, with_value = set(_SWITCHES), set(_WITH_VALUE)
    for option in login.options() if given else ():
        (switches if option.nargs == 0 else with_value).update(option.option_strings)
    words = iter(given)
    for word in words:
        name, equals, _ = word.partition("=")
        if name in with_value:
            if not equals:
                next(words, "")
        elif name not in switches:
            return True
    return False


def missing_files(config: Config) -> list[str]:
    """Return a sentence for each file that sweeps and receivers name and that is not there."""
    return [
        f"{config.path}: {where}: {name}: there is no such file; correct it or make it"
        for where, name in _files(config)
        if not Path(name).exists()
    ]


def _files(config: Config) -> Iterator[tuple[str, str]]:
    for sweep in config.sweeps.values():
        for name in sweep.texts("inventory"):
            if "," not in name:
                yield f"sweeps.{sweep.name}.inventory", name
        for name in sweep.texts("catalogs"):
            yield f"sweeps.{sweep.name}.catalogs", name
        if "become_password_file" in sweep.settings:
            yield f"sweeps.{sweep.name}.become_password_file", sweep.text("become_password_file")
    for receiver in config.receivers.values():
        for key, value in receiver.settings.items() if isinstance(receiver.settings, dict) else ():
            if key.endswith("_file"):
                yield f"receivers.{receiver.name}.{receiver.kind}.{key}", str(value)
    if config.heartbeat.url_file is not None:
        yield "heartbeat.url_file", str(config.heartbeat.url_file)


def _has(given: Sequence[str], name: str) -> bool:
    short = not name.startswith("--")
    return any(word == name or word.startswith(name if short else f"{name}=") for word in given)


def _values(given: Sequence[str], name: str) -> Iterator[str]:
    for position, word in enumerate(given):
        if word == name and position + 1 < len(given):
            yield given[position + 1]
        elif word.startswith(f"{name}="):
            yield word.partition("=")[2]
