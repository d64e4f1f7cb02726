# SPDX-License-Identifier: GPL-3.0-or-later
"""Take what is known of the hosts from earlier sweeps. Runs on the controller, once per sweep."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    ClockRecord,
    PreflightRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import host_cache, preflight
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.host_cache import HostMemory


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "run_dir": {"type": "str", "required": True},
        "min_free_mb": {"type": "int", "default": 200},
        "signed": {"type": "bool", "default": False},
    }

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = read.open_run(Path(args["run_dir"]))
        if self._task.check_mode:  # whoever only looks wants to know how the hosts are now
            return {"known": {}}
        memory = HostMemory()
        built: dict[str, bool] = {}
        seen: set[str] = set()

        def recall(host: str) -> str | None:
            known = memory.get(host)
            if known is None or bool(known.get("signer")) != args["signed"]:
                return None
            if preflight.refusal(known["facts"], min_free_mb=args["min_free_mb"], signed=args["signed"]):
                return None
            facts = PreflightRecord.from_json(known["facts"])
            if facts.boot_id in seen:
                return None  # another name of the same machine; which is probed is decided when it has been asked
            seen.add(facts.boot_id)
            if facts.kernel not in built:
                built[facts.kernel] = _recall_modules(run, facts, known)
            if not built[facts.kernel]:
                return None
            clock = host_cache.clock_now(known, time.time())
            measured = ClockRecord(clock.offset_s, clock.error_s)
            write.host_record(run.path, host, replace(facts, clock=measured, remembered=True))
            return facts.kernel

        # By name: every host looks for its own.
        return {"known": self.of_each(run.path, run.hosts, recall)}


def _recall_modules(run: read.Run, facts: PreflightRecord, known: Mapping[str, Any]) -> bool:
    """Return whether every module for this host's kernel was built before; then that is in `builds/`."""
    stap, signer = known.get("stap"), str(known.get("signer", ""))
    record = sources.built_before(run.request, stap=str(stap), facts=facts, signer=signer) if stap else None
    if record is not None:
        write.build(run.path, record)
    return record is not None
