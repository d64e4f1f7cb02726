# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the lab keeps its files: the cache for what can be made again, the state directory for what runs."""

from __future__ import annotations

import os
from pathlib import Path

from fleetdiag import paths as fleetdiag_paths


def cache_dir() -> Path:
    """Return the directory of images, builder trees, keys: costs minutes to make again, nothing else."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG rule: a relative value counts as not set.
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "fleetdiag" / "lab"


def state_dir() -> Path:
    """Return the directory of the lab that runs: process ids, overlays, consoles, inventory."""
    return fleetdiag_paths.state_dir() / "lab"


def files_dir() -> Path:
    """Return the directory of the shell parts of the recipes, shipped beside this module."""
    return Path(__file__).parent / "files"
