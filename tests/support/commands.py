# SPDX-License-Identifier: GPL-3.0-or-later
"""The command as a person runs it: a process of its own, with directories of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def command_line(*arguments: str) -> list[str]:
    """argv of `fleetdiag ARGUMENTS` with this Python and the live sources."""
    return [sys.executable, "-m", "fleetdiag", *arguments]


def environment(home: Path) -> dict[str, str]:
    """What the command gets to see: nothing of the person who runs the tests but the path of programs."""
    return {
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(SOURCE),
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
    }
