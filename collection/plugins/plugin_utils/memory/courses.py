# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host, or a set of hosts, had of a measure in the last sweeps: the strip beside a finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.untrusted import finite
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.figures_file import Sweep
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.finding_records import Record

MOST = 24
"""Sweeps of a strip, this one included."""

Course = tuple[float | None, ...]


def of(record: Record, sweeps: Sequence[Sweep]) -> Course:
    """Return the figures of a finding's measure in the last of these sweeps, in the order of the sweeps.

    None where it was not covered, or the sweep was of another script. Empty for what is no measure of a host or set.
    """
    same = sweeps[-1].hashes.get(record.probe)
    found = tuple(
        _figure(record, sweep) if sweep.hashes.get(record.probe) == same else None for sweep in sweeps[-MOST:]
    )
    return found if found[-1] is not None else ()


def _figure(record: Record, sweep: Sweep) -> float | None:
    levels = sweep.measures.get((record.probe, record.table, record.measure), {})
    if record.of == "set":
        values = [level.value for host, level in levels.items() if sweep.peers.get(host) == record.who]
        return median(values) if values else None
    level = levels.get(record.who)
    return None if level is None else level.value


def read(news: Mapping[str, Any], fingerprint: str) -> Course:
    """Return the course that a news.json has of a finding; empty if it has none that can be read."""
    courses = news.get("courses")
    listed = courses.get(fingerprint) if isinstance(courses, Mapping) else None
    if not isinstance(listed, list):
        return ()
    found = tuple(map(finite, listed[-MOST:]))
    return found if found and found[-1] is not None else ()
