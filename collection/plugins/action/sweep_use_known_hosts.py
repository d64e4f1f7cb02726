# SPDX-License-Identifier: GPL-3.0-or-later
"""Take what is known of the hosts from earlier sweeps. Runs on the controller, once per sweep."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import host_cache, preflight
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.host_cache import HostMemory


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "run_dir": {"type": "str", "required": True},
        "min_free_mb": {"type": "int", "default": 200},
        "signed": {"type": "bool", "default": False},
    }

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = Path(args["run_dir"])
        sweep = read.open_run(run).sweep
        if self._task.check_mode:  # whoever only looks wants to know how the hosts are now
            return {"known": {}}
        memory = HostMemory()
        built: dict[str, bool] = {}

        def recall(host: str) -> str | None:
            known = memory.get(host)
            if known is None or bool(known.get("signer")) != args["signed"]:
                return None
            if preflight.refusal(known["facts"], min_free_mb=args["min_free_mb"], signed=args["signed"]):
                return None
            kernel = str(known["facts"]["kernel"])
            if kernel not in built:
                built[kernel] = _recall_modules(run, sweep, known)
            if not built[kernel]:
                return None
            clock = host_cache.clock_now(known, time.time())
            write.write_host(
                run, host, "preflight", {**known["facts"], "clock": asdict(clock), "remembered": True}
            )
            return kernel

        # By name: every host looks for its own.
        return {"known": self.of_each(run, sweep["hosts"], recall)}


def _recall_modules(run: Path, sweep: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """True if every module of the sweep for this host's kernel was built before; then that is in `builds/`."""
    facts, stap = known["facts"], known.get("stap")
    signer = str(known.get("signer", ""))
    record = sources.built_before(sweep, stap=str(stap), facts=facts, signer=signer) if stap else None
    if record is not None:
        write.write_json(run, f"builds/{facts['kernel']}.json", record)
    return record is not None
