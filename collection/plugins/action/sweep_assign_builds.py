# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which host compiles for which kernel, from the preflights in the run directory. Runs on the controller."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction, ready
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import assignment, sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.sources import SMOKE
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.program_files import ProgramsRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import preflight


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {"run_dir": {"type": "str", "required": True}}

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = Path(args["run_dir"])
        sweep = read.open_run(run).request
        asked = self.of_each(run, sweep.hosts, lambda host: ready(run, host))
        for find in (preflight.same_machines, preflight.other_machines):
            for again in find(asked.values()):
                write.host_record(run, again.host, again)
                del asked[again.host]
        preflights = [
            facts for facts in asked.values() if not facts.remembered
        ]  # the others have their modules
        probes = sources.probes(sweep)
        names = [SMOKE, *(probe.name for probe in probes)]
        probed = sources.programs(sweep)
        had = {
            facts.host: record.files
            for facts in preflights
            if probed and (record := read.of_host(run, facts.host, ProgramsRecord))
        }
        builds = assignment.builds(preflights, sweep.builders or (), names, had)
        return {
            "builds": {build.leader: asdict(build) for build in builds},
            "debuginfo_kernels": [b.kernel for b in builds]
            if any(p.requires_debuginfo for p in probes)
            else [],
            "module_files": sources.module_files(sweep),
        }
