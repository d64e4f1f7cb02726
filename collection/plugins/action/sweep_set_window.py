# SPDX-License-Identifier: GPL-3.0-or-later
"""Give one host its window, in the time of its own clock."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, windows, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl import Clock
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.window import on_host_clock


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {"run_dir": {"type": "str", "required": True}}
    TOUCHES_HOSTS = True

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = Path(args["run_dir"])
        window = windows.window_of(read.read_json(run, "window.json"), self.host)
        if not window:
            raise FleetdiagError(f"{run}/window.json is missing: the window was not chosen; sweep again")
        armed = read.read_host(run, self.host, "arm") or {}
        clock = Clock.stored(armed.get("clock"))
        if clock is None:
            raise FleetdiagError("its arm.json does not say how its clock goes, so it was told no window; sweep again")
        offset = clock.correction_s
        start, end = (on_host_clock(window[edge], offset) for edge in ("start", "end"))
        accepted = self.guard().go(read.open_run(run).sweep["id"], start, end)
        late = max(0.0, round(time.time() - window["start"], 3))
        write.write_host(
            run, self.host, "go", {"start_ms": start, "end_ms": end, "late_s": late, "accepted": accepted}
        )
        return {"late_s": late, "accepted": accepted}
