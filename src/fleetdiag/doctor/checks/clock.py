# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's clock: slots and windows are by it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import references
from fleetdiag.doctor.model import OK, WARN, Case, Line

ORDER = 50


def look(case: Case) -> Iterator[Line]:
    """Yield whether the clock is synchronised, and runs that a wrong clock put into the future."""
    moment = datetime.fromtimestamp(case.now, UTC)
    ahead = [
        run for place in case.runs_dirs for run in references.ids(place) if references.is_ahead(run, moment)
    ]
    if ahead:
        yield Line(
            WARN, "clock", f"run {ahead[-1]} is ahead of the clock", "correct the clock, or delete the run"
        )
    said = _synchronised()
    if said == "no":
        yield Line(WARN, "clock", "the controller's clock is not synchronised", "timedatectl set-ntp true")
    elif not ahead:
        yield Line(
            OK,
            "clock",
            "synchronised" if said == "yes" else "systemd does not say whether it is synchronised",
        )


def _synchronised() -> str:
    words = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=20).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
