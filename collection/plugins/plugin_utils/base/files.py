# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's own directories, by the XDG base directory specification."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Return `$XDG_CACHE_HOME/fleetdiag`, by default `~/.cache/fleetdiag`."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "fleetdiag"


def state_dir() -> Path:
    """Return `$XDG_STATE_HOME/fleetdiag`, by default `~/.local/state/fleetdiag`."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "fleetdiag"
