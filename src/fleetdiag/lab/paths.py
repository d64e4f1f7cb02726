# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the lab keeps its files: the cache for what can be made again, the state directory for what runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Images, builder trees, keys: costs minutes to make again, nothing else."""
    return _base("XDG_CACHE_HOME", ".cache") / "fleetdiag" / "lab"


def state_dir() -> Path:
    """The lab that runs: process ids, overlays, consoles, inventory."""
    return _base("XDG_STATE_HOME", ".local/state") / "fleetdiag" / "lab"


def files_dir() -> Path:
    """The shell parts of the recipes, shipped beside this module."""
    return Path(__file__).parent / "files"


def _base(variable: str, under_home: str) -> Path:
    value = os.environ.get(variable, "")
    # The XDG rule: a relative value counts as not set.
    return Path(value) if value.startswith("/") else Path.home() / under_home
