# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of files and folders in a run directory: what may stand there, and under which name."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.files import state_dir

FORMAT = 1
CHECKED = ".check"
"""Folder beside the run directories of sweeps, for those of check mode: in them hosts were only asked."""
PHASES = ("preflight", "programs", "arm", "go", "collect")
SHARDS = "shards"
"""In the run directory of a sweep that was dealt out: the run directories of its shards."""
PLAIN_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
HASHED_HOST = re.compile(r"h_[0-9a-f]{16}")
HOST_FILE = re.compile(r"[a-z][a-z0-9_]*\.(out\.gz|err)")
RUN_FILE = re.compile(r"((?!hosts/)[a-z][a-z0-9_]{0,30}/)?[A-Za-z0-9][A-Za-z0-9._+~-]{0,150}\.[a-z0-9]{1,16}")
"""A file of a run directory: in it, or in a folder other than that of the hosts; formats bring folders and suffixes."""


def host_dir(name: str) -> str:
    """Return the directory name of a host: its name where that is a safe file name, else `h_` + 16 hex of sha256.

    Two hosts never share one: a name that looks like a hashed one is hashed too.
    """
    if PLAIN_HOST.fullmatch(name) and not HASHED_HOST.fullmatch(name):
        return name
    return "h_" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def is_id(name: str) -> bool:
    """Return whether this is the name of a run directory, which is the id of its sweep."""
    return untrusted.SWEEP.fits(name)


def default_runs_dir() -> Path:
    """Return where run directories go unless told otherwise: `runs` in the state directory."""
    return state_dir() / "runs"


def run_file(name: str) -> tuple[list[str], str]:
    """Return folders and file name of a file of the run directory itself."""
    if not RUN_FILE.fullmatch(name) or ".." in name:
        raise FleetdiagError(
            f"{name!r} is not the name of a file of a run directory; nothing was read or written"
        )
    folder, _unused, file_name = name.rpartition("/")
    return ([folder] if folder else []), file_name


def check_phase(phase: str) -> None:
    if phase not in PHASES:
        raise FleetdiagError(f"{phase!r} is not a phase of a host; it is one of {', '.join(PHASES)}")


def host_file_name(probe: str, suffix: str) -> str:
    name = f"{probe}.{suffix}"
    if not HOST_FILE.fullmatch(name):
        raise FleetdiagError(f"{probe!r} is not the name of a probe; nothing was read")
    return name
