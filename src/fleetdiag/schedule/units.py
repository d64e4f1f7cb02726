# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of systemd for a named sweep: the variables of the role `schedule`, and what is installed of them."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import pwd
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag import paths
from fleetdiag.config import Config, NamedSweep
from fleetdiag.schedule import clock

SYSTEM_DIR = Path("/etc/systemd/system")
DEFAULT_RUNTIME_S = 3600
_FIRST = re.compile(
    r"# fleetdiag schedule (?P<name>\S+) \((?P<scope>system|user)\), sha256 (?P<sha256>[0-9a-f]{64})"
)


@dataclass(frozen=True)
class Installed:
    """A unit that is in place. sha256: of the settings it was made from."""

    name: str
    scope: str
    sha256: str
    path: Path


def variables(config: Config, sweep: NamedSweep, scope: str, user: str) -> dict[str, Any]:
    """Return the role's variables for a sweep. FleetdiagError if it has no schedule, or one systemd does not take.

    user: whom a system unit runs as; its state is where that user's own commands look for it.
    """
    return {
        **_configured(config, sweep, scope),
        "schedule_sha256": digest(config, sweep, scope),
        "schedule_command": command(),
        "schedule_user": user,
        "schedule_state_home": str(_state_home(scope, user)),
        "schedule_start": is_running(),
    }


def digest(config: Config, sweep: NamedSweep, scope: str) -> str:
    """Return the checksum of what of the configuration is in the units; all else takes effect without installing."""
    return hashlib.sha256(json.dumps(_configured(config, sweep, scope), sort_keys=True).encode()).hexdigest()


def _configured(config: Config, sweep: NamedSweep, scope: str) -> dict[str, Any]:
    if not sweep.scheduled or config.path is None:
        raise FleetdiagError(
            f"{config.path}: sweeps.{sweep.name}: has no schedule; add schedule = '*-*-* 01:30' or every = '6h'"
        )
    clock.following(sweep, 0)  # systemd reads the calendar
    return {
        "schedule_name": sweep.name,
        "schedule_scope": scope,
        "schedule_calendar": clock.on_calendar(sweep),
        "schedule_random_delay": sweep.seconds("random_delay") or 0,
        "schedule_max_runtime": sweep.seconds("max_runtime") or DEFAULT_RUNTIME_S,
        "schedule_config": str(config.path),
    }


def _state_home(scope: str, user: str) -> Path:
    own = paths.state_dir().parent
    if scope == "user" or user == getpass.getuser():
        return own
    try:
        return Path(pwd.getpwnam(user).pw_dir) / ".local" / "state"
    except KeyError:
        raise FleetdiagError(
            f"user {user}: there is no such user; make it, or name another with --as"
        ) from None


def command() -> str:
    """Return the absolute path of this command; the program beside this Python if it was not started as a script."""
    beside = Path(sys.executable).with_name("fleetdiag")
    started = Path(sys.argv[0])
    found = started.absolute() if started.name == "fleetdiag" and started.is_file() else beside
    return str(found)


def unit_dir(scope: str) -> Path:
    """Return where units of this scope are."""
    if scope == "system":
        return SYSTEM_DIR
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".config") / "systemd" / "user"


def installed(scope: str) -> dict[str, Installed]:
    """Return the sweeps whose timer is in place, by name."""
    found = {}
    for path in sorted(unit_dir(scope).glob("fleetdiag-*.timer")):
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                first = _FIRST.match(file.readline(1000))
        except OSError:
            continue
        if first:
            found[first["name"]] = Installed(first["name"], first["scope"], first["sha256"], path)
    return found


def is_running() -> bool:
    """Return whether systemd runs here; without it, units can be written but not started."""
    return Path("/run/systemd/system").is_dir()


def properties(unit: str, scope: str, *names: str) -> dict[str, str]:
    """Return properties of a unit as `systemctl show` says them, empty where systemd does not answer."""
    words = [
        "systemctl",
        *(["--user"] if scope == "user" else []),
        "show",
        f"--property={','.join(names)}",
        unit,
    ]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def lingers(user: str) -> bool:
    """Return whether the units of a user run also while he is not logged in."""
    return Path("/var/lib/systemd/linger", user).exists()
