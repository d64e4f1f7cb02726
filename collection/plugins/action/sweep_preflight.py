# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask one host what it can do, compare its clock with ours, and decide whether it can be probed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction, shown
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import programs
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.program_files import ProgramsRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import ClockRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import preflight

INSTALLED_FIRST = "a sweep installs what is missing first, and asks again"


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "run_dir": {"type": "str", "required": True},
        "min_free_mb": {"type": "int", "default": 200},
        "signed": {"type": "bool", "default": False},
        "install": {"type": "bool", "default": False},
        "programs": {"type": "list", "elements": "str", "default": []},
    }

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        told = preflight.ask(
            self.guard(), self.read_clock, self.host, min_free_mb=args["min_free_mb"], signed=args["signed"]
        )
        if not told.staprun and args["install"] and self.only_looks:
            told = replace(told, remedy=INSTALLED_FIRST)
        write.host_record(Path(args["run_dir"]), self.host, told)
        if args["programs"] and told.verdict == "ok":
            out = self.on_host(programs.question(args["programs"]))[1]
            files = programs.answered(out, args["programs"], self.host)
            write.host_record(Path(args["run_dir"]), self.host, ProgramsRecord(files))
        clock = told.clock or ClockRecord()
        refused = self.only_looks and told.verdict != "ok"
        return {
            **(shown(f"would not be probed as it is: {told.reason} -> {told.remedy}") if refused else {}),
            "verdict": told.verdict,
            "reason": told.reason,
            "remedy": told.remedy,
            "kernel": told.kernel,
            "runtime_missing": not told.staprun,
            "clock_offset_s": round(clock.offset_s or 0.0, 4),
        }
