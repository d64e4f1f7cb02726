# SPDX-License-Identifier: GPL-3.0-or-later
"""Give one host its window, in the time of its own clock."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import ArmRecord, GoRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import WindowFile
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.clock import Clock
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.window import on_host_clock


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {"run_dir": {"type": "str", "required": True}}
    TOUCHES_HOSTS = True

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = read.open_run(Path(args["run_dir"]))
        window = (run.window() or WindowFile()).of_host(self.host)
        if window is None or window.start is None or window.end is None:
            raise FleetdiagError(f"{run.path}/window.json is missing: the window was not chosen; sweep again")
        armed = run.of_host(self.host, ArmRecord) or ArmRecord()
        clock = Clock.recorded(armed.clock)
        if clock is None:
            raise FleetdiagError(
                "its arm.json does not say how its clock goes, so it was told no window; sweep again"
            )
        start, end = (on_host_clock(edge, clock.correction_s) for edge in (window.start, window.end))
        accepted = self.guard().go(run.request.id, start, end)
        late = max(0.0, round(time.time() - window.start, 3))
        write.host_record(run.path, self.host, GoRecord(start, end, accepted, late))
        return {"late_s": late, "accepted": accepted}
