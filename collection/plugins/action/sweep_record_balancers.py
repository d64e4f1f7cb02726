# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep what load balancers said in the run directory. Runs on the controller."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import balancers, read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import balancer_record


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "run_dir": {"type": "str", "required": True},
        "moment": {"type": "str", "choices": list(balancers.MOMENTS), "required": True},
        "batch": {"type": "int", "default": 0},
        "results": {"type": "dict", "default": {}},
        "weight": {"type": "str", "default": ""},
        "servers": {"type": "dict", "default": {}},
        "ttl": {"type": "int", "default": 0},
        "probe_unfit": {"type": "bool", "default": False},
    }
    TOUCHES_HOSTS = True

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = Path(args["run_dir"])
        record = balancer_record.added(
            read.balancers(run),
            moment=args["moment"],
            batch=args["batch"],
            now=time.time(),
            results=args["results"],
            weight=args["weight"],
            servers=args["servers"],
            ttl_s=args["ttl"],
            probe_unfit=args["probe_unfit"],
        )
        write.balancers(run, record)
        return {"left_out": dict(record.left_out)}
