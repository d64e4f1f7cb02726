# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of each host that scripts ask for with target(): from the inventory, or the main process of a unit."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import target

Run = Callable[[str], tuple[int, str, str]]
"""Runs one shell command on the host; (exit code, stdout, stderr)."""


@dataclass(frozen=True)
class Targets:
    """sweep: as it was recorded, with the processes of one host. missing: probes that lack theirs, with the reason."""

    sweep: dict[str, Any]
    missing: Mapping[str, str]


def of_host(sweep: dict[str, Any], named: object, run: Run) -> Targets:
    """Return the sweep for one host. named: its variable, or None. run: asked only if that is the name of a unit."""
    asked = {
        entry["name"]: entry["manifest"]["target"]
        for entry in sweep["probes"]
        if entry["manifest"].get("target") and not entry["parameters"].get(target.NAME)
    }
    if not asked:
        return Targets(sweep, {})
    if named is None or str(named).strip() == "":
        why = f"it asks for a process (target()), and the host has no variable {target.VARIABLE}"
        return Targets(sweep, {name: why for name, need in asked.items() if need == "needed"})
    try:
        pid = _pid(named, run)
    except FleetdiagError as error:
        return Targets(sweep, dict.fromkeys(asked, str(error)))
    probes = [_given(entry, pid) if entry["name"] in asked else entry for entry in sweep["probes"]]
    return Targets({**sweep, "probes": probes}, {})


def _pid(named: object, run: Run) -> int:
    value = target.of_host(named, target.VARIABLE)
    if isinstance(value, int):
        return value
    code, out, err = run(f"systemctl show --property=MainPID -- {shlex.quote(value)}")
    pid = target.main_pid(out)
    if code or not pid:
        said = printable((err or out).strip().splitlines()[0])[:120] if code and (err or out).strip() else ""
        raise FleetdiagError(
            f"{target.VARIABLE}: the unit {value} has no main process on it{f' ({said})' if said else ''}; start it,"
            " or name another"
        )
    return pid


def _given(entry: Mapping[str, Any], pid: int) -> dict[str, Any]:
    return {**entry, "parameters": {**entry["parameters"], target.NAME: pid}}
