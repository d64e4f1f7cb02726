# SPDX-License-Identifier: GPL-3.0-or-later
"""Before a batch begins, see what became of the one before it. Runs on the controller."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.balancers import BalancersRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    ArmRecord,
    CollectRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import WindowFile
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import arming, batches


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "run_dir": {"type": "str", "required": True},
        "number": {"type": "int", "required": True},
        "hosts": {"type": "list", "elements": "str", "default": []},
        "max_failed_percent": {"type": "int", "default": 50},
        "max_cpu_percent": {"type": "int", "default": 50},
        "arm_timeout": {"type": "int", "default": 0},
        "start": {"type": "float", "default": 0.0},
    }

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = read.open_run(Path(args["run_dir"]))
        window = run.window() or WindowFile()
        why = window.stopped
        if not why and args["number"] > 1 and not self._task.check_mode:
            why = self._judged(run, window, args)
            if why:
                write.window(run.path, replace(window, stopped=why))
        arm_timeout = args["arm_timeout"] or arming.arm_timeout_s(sources.probes(run.request))
        ahead = max(0.0, args["start"] - time.time()) if args["number"] < 2 else 0.0
        return {
            "go": not why,
            "msg": why,
            "servers": self._servers(args["hosts"]),
            "token": f"{run.request.id}_{args['number']}",
            "ttl_s": int(ahead) + arming.ttl_s(arm_timeout, int(run.request.window_s)),
        }

    def _servers(self, hosts: list[str]) -> dict[str, str]:
        """Return {host: the name that it has in the load balancers}."""
        everything = self.task_vars.get("hostvars", {})
        return {host: str(everything[host].get("drain_server") or host) for host in hosts}

    def _judged(self, run: read.Run, window: WindowFile, args: dict[str, Any]) -> str:
        batch = window.batch(args["number"] - 1)
        balancers = run.balancers() or BalancersRecord()

        def watched(host: str) -> batches.Watched:
            collect = run.of_host(host, CollectRecord)
            probes = collect.sessions if collect else ()
            errors = {probe: run.read_err(host, probe) or "" for probe in probes}
            return batches.Watched(
                host=host,
                window_s=run.request.window_s,
                arm=run.of_host(host, ArmRecord),
                collect=collect,
                errors=errors,
                kept_out=balancers.why_not(host),
            )

        found = self.of_each(run.path, batch.hosts, watched)
        unknown = ArmRecord(verdict="failed", reason="its records cannot be read")  # no reason to go on
        return batches.verdict(
            batch,
            [found.get(host) or batches.Watched(host, 0.0, unknown, None) for host in batch.hosts],
            max_failed_percent=args["max_failed_percent"],
            max_cpu_percent=args["max_cpu_percent"],
        )
