# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide who is probed when: canaries, then batches. Runs on the controller, once per sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction, ready
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import peers
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import batches


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "run_dir": {"type": "str", "required": True},
        "canary": {"type": "str", "default": ""},
        "batch": {"type": "str", "default": ""},
    }

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = read.open_run(Path(args["run_dir"]))
        hosts = list(self.of_each(run.path, run.hosts, lambda host: ready(run.path, host)))
        alike = peers.recorded(run.request, run.hosts)
        planned = batches.plan(hosts, alike, canary=args["canary"], batch=args["batch"])
        if planned:
            write.write_json(run.path, "window.json", batches.planned(planned))
        listed = [
            {"number": number, "hosts": list(batch.hosts), "canary": batch.canary}
            for number, batch in enumerate(planned, 1)
        ]
        return {"batches": listed or [{"number": 0, "hosts": hosts, "canary": False}]}
