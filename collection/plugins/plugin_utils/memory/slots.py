# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments of a schedule that had no run, and why: slots.jsonl beside the run directories, only ever added to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import decisions, references
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.read import request

FILE = "slots.jsonl"


@dataclass(frozen=True)
class Slot:
    """One moment of a sweep's schedule without a run. slot, at: ISO 8601, UTC; at: when that was noted."""

    name: str
    slot: str
    status: Literal["skipped", "missed"]
    reason: str = ""
    at: str = ""


def record(
    runs_dir: Path, name: str, slot: str, status: Literal["skipped", "missed"], reason: str, now: datetime
) -> None:
    """Note that a slot had no run. FleetdiagError if it cannot be written."""
    at = now.astimezone(UTC).isoformat(timespec="seconds")
    decisions.append(runs_dir, FILE, Slot(name, slot, status, reason, at))


def read(runs_dir: Path) -> list[Slot]:
    """Return all records in the order they were made; a damaged line is none."""
    found = []
    for item in decisions.read_lines(runs_dir / FILE):
        status = item.get("status")
        texts = [item.get(key, "") for key in ("name", "slot", "reason", "at")]
        if status in ("skipped", "missed") and all(isinstance(text, str) for text in texts):
            found.append(Slot(texts[0], texts[1], status, texts[2], texts[3]))
    return found


def known(runs_dir: Path, name: str) -> set[str]:
    """Return the slots of a sweep that had a run, or have a record that says why not."""
    slots = {item.slot for item in read(runs_dir) if item.name == name}
    for run in references.ids(runs_dir):
        try:
            sweep = request(runs_dir / run)
        except FleetdiagError:
            continue
        if sweep is not None and sweep.name == name:
            slots.add(sweep.slot)
    return slots - {""}


def last(runs_dir: Path, name: str) -> str:
    """Return the latest slot of a sweep that is known; "" if none is."""
    return max(known(runs_dir, name), default="")
