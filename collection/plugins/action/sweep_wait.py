# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for the end of the window: one wait for the whole fleet, on the controller."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils import batches, store
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.ansible_action import FleetdiagAction

FLUSH_S = 1.0  # staprun hands output on every 0.2 s; `end` probes print after the window


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "run_dir": {"type": "str", "required": True},
        "batch": {"type": "int", "default": 0},
    }
    TOUCHES_HOSTS = True

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = Path(args["run_dir"])
        armed = store.armed_hosts(run)
        hosts, window = batches.part(store.read_json(run, "window.json"), args["batch"], armed)
        if not window or not set(armed).intersection(hosts):
            return {}
        until = float(window.get("end", 0.0)) + FLUSH_S
        while (left := until - time.time()) > 0:
            time.sleep(min(left, 1.0))  # short naps: a clock that is set back or forth meanwhile is followed
        return {"end": window.get("end")}
