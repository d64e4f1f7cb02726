# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose the window that all hosts sample, once they are armed. Runs on the controller."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils import plan, store
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.ansible_action import FleetdiagAction


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {"run_dir": {"type": "str", "required": True}, "forks": {"type": "int", "default": 5}}
    TOUCHES_HOSTS = True

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = Path(args["run_dir"])
        sweep = store.open_run(run).sweep
        armed = [
            host
            for host in sweep["hosts"]
            if (store.read_host(run, host, "arm") or {}).get("verdict") == "ok"
        ]
        if not armed:
            return {"armed_hosts": 0}
        answers = [
            float((store.read_host(run, host, "preflight") or {}).get("answer_s", 0)) for host in armed
        ]
        window = plan.window(
            time.time(),
            sweep["window_s"],
            armed_hosts=len(armed),
            forks=args["forks"],
            answer_s=max(answers),
        )
        store.write_json(run, "window.json", window)
        return {"armed_hosts": len(armed), **window}
