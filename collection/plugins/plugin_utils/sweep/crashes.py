# SPDX-License-Identifier: GPL-3.0-or-later
"""The probes with which a host went down: they are not loaded there again before a person says so.

The host notes it itself (`guard.sh`, note_crash), so that every controller learns of it. What this controller has
learned it keeps as well, because a host may have lost its notes when it was installed anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import files, untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import PreflightRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.host_cache import HostMemory


def directory() -> Path:
    """Return where this controller keeps them: one small file for each host."""
    return files.state_dir() / "crashes"


def known(host: str) -> dict[str, str]:
    """Return {probe: sweep id} of what this controller has learned about the host."""
    kept = HostMemory(directory()).read(host).get("crashed")
    return untrusted.crashed(kept.items()) if isinstance(kept, dict) else {}


def learn(host: str, crashed: Mapping[str, str]) -> None:
    """Add these probes to what is known of the host."""
    if crashed:
        HostMemory(directory()).put(host, {"crashed": {**known(host), **crashed}})


def forget(host: str, probes: Iterable[str]) -> None:
    """Allow these probes on the host again."""
    before = known(host)
    after = {probe: sweep for probe, sweep in before.items() if probe not in set(probes)}
    if after != before:
        HostMemory(directory()).put(host, {"crashed": after})


def for_arming(host: str, facts: Mapping[str, Any], probes: Iterable[str], *, retry: bool) -> dict[str, Any]:
    """Return the arguments of `Guard.arm` that speak of crashes.

    facts: the host's preflight.json; what it says of crashes is learned unless it is only remembered. retry: a person
    has said that these probes may be loaded again.
    """
    if retry:
        forget(host, probes)
        return {"retry_crashed": True}
    told = PreflightRecord.from_json(facts)
    if not told.remembered:
        learn(host, told.crashed)
    return {"crashed": known(host)}
