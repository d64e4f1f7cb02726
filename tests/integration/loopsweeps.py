# SPDX-License-Identifier: GPL-3.0-or-later
"""Sweeps of the loopback fleet (see loopback): the commands as a person gives them, and what their hosts were sent."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from loopback import Fleet
from sweeps import ENVIRONMENT, ROOT

PROBES = ("nettop", "slow_open")
HOSTS = 3


def sweep(made: Fleet, runs: Path, *args: str, **variables: object) -> subprocess.CompletedProcess[str]:
    """`fleetdiag sweep` of the two probes for two seconds."""
    return subprocess.run(command(made, runs, *args, **variables), **how(made), check=False)


def swept(made: Fleet, runs: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a sweep in which the environment says something of its own."""
    options = how(made)
    options["env"] = {**options["env"], **variables}
    return subprocess.run(command(made, runs, *words), **options, check=False)


def command(made: Fleet, runs: Path, *args: str, **variables: object) -> list[str]:
    words = [word for name in PROBES for word in ("--probe", name)]
    return [
        *(sys.executable, "-m", "fleetdiag", "sweep", "-i", str(made.inventory), "--runs-dir", str(runs)),
        *("--no-become", "--window", "2s", *words, *args),
        *("-e", "sweep_install=false"),  # a text, as a person gives it
        *(("-e", json.dumps(variables)) if variables else ()),
    ]


def how(made: Fleet) -> dict[str, Any]:
    environment = {**ENVIRONMENT, **made.environment()}
    return {
        "cwd": ROOT,
        "env": environment,
        "text": True,
        "stdin": subprocess.DEVNULL,
        "capture_output": True,
    }


def verbs(made: Fleet, number: int) -> list[str]:
    """The verbs of guard.sh that a host was sent."""
    known = re.compile(r"\b(preflight|arm|go|collect|forget|date)\b")
    return [(known.findall(line) or [line])[-1] for line in made.commands(number)]


def bring(made: Fleet, run: Path) -> subprocess.CompletedProcess[str]:
    """`fleetdiag collect`."""
    words = [sys.executable, "-m", "fleetdiag", "collect", str(run), "-i", str(made.inventory), "--no-become"]
    return subprocess.run(words, **how(made), check=False)
