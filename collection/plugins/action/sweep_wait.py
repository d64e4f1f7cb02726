# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for the end of the window: one wait for the whole fleet, on the controller."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import arming


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "run_dir": {"type": "str", "required": True},
        "batch": {"type": "int", "default": 0},
    }
    TOUCHES_HOSTS = True

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = Path(args["run_dir"])
        armed = read.armed_hosts(run)
        known = read.window(run)
        if known is None:
            return {}
        hosts, window = known.part(args["batch"], armed)
        if window is None or not set(armed).intersection(hosts):
            return {}
        until = (window.end or 0.0) + arming.FLUSH_S
        while (left := until - time.time()) > 0:
            time.sleep(min(left, 1.0))  # short naps: a clock that is set back or forth meanwhile is followed
        return {"end": window.end}
