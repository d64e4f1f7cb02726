# SPDX-License-Identifier: GPL-3.0-or-later
"""A script that is run as it is, looked over as a sweep does before any host is touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import files
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import (
    plain,
    policy,
    reading,
    target,
)


@dataclass(frozen=True)
class LookedOver:
    """faults: a sentence for each, with file and line. remarks: what a sweep of it needs or does besides."""

    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def look_over(name: str) -> LookedOver:
    """Return all faults of a script and of the file that says how its output is read."""
    path = Path(name).expanduser()
    faults: list[str] = []
    try:
        if not plain.is_example(name) and path.is_file():
            faults += [fault.sentence(path) for fault in policy.faults(policy.text_of(path), "script")]
            reading.read(path, faults)
        if faults:
            return LookedOver(faults)
        probe = plain.load(name, plain.in_cache(files.cache_dir()))
    except FleetdiagError as error:
        return LookedOver([str(error)])
    return LookedOver([], list(_remarks(probe)))


def _remarks(probe: Probe) -> Iterator[str]:
    arguments = probe.parameters.get("args")
    if arguments is not None and arguments.min:
        yield f"needs arguments: --param {probe.name}.args='...' ({arguments.description.rstrip('.')})"
    if probe.target == "needed":
        yield f"asks for a process: give hosts the variable {target.VARIABLE}, or --param {probe.name}.{target.NAME}=PID"
    if probe.flags:
        yield f"is compiled with {' '.join(probe.flags)}, as its first line says"
    if probe.reading:
        yield f"its output is read as {reading.file_of(Path(probe.origin))} says: {', '.join(probe.reading)}"
