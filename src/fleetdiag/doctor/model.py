# SPDX-License-Identifier: GPL-3.0-or-later
"""What is examined, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleetdiag.config import Config, NamedSweep
from fleetdiag.run.sweep import Request

OK, WARN, FAIL = "ok", "WARN", "FAIL"


@dataclass(frozen=True)
class Line:
    """One thing that was looked at. remedy: what to do, "" where nothing is to be done."""

    level: str
    about: str
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Case:
    """What the doctor is asked about. sweeps: empty without a configuration; inventory, limit: hosts to look at.

    fault: why the configuration could not be read, "" if it could. reach: whether hosts are asked. request: what the
    command asks for with these options of sweep.
    """

    config: Config
    sweeps: Sequence[NamedSweep]
    runs_dirs: Sequence[Path]
    now: float
    fault: str = ""
    inventory: Sequence[str] = ()
    limit: str = ""
    reach: bool = True
    request: Callable[[Sequence[str]], Request] | None = None
