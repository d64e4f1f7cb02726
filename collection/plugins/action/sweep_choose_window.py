# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose the window that all hosts sample, before they are armed where that can be. Runs on the controller."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction, ready
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import ArmRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import (
    WindowFile,
    WindowRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import arming, host_cache
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.host_cache import HostMemory
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.window import (
    Arming,
    contact_s,
    foreseen_window,
    given_window,
    told_window,
)


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "run_dir": {"type": "str", "required": True},
        "forks": {"type": "int", "default": 5},
        "start": {"type": "float", "default": 0.0},
        "armed": {"type": "bool", "default": False},
        "arm_timeout": {"type": "int", "default": 0},
        "began": {"type": "float", "default": 0.0},
        "batch": {"type": "int", "default": 0},
    }
    TOUCHES_HOSTS = True

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = read.open_run(Path(args["run_dir"]))
        now, batch, window_s = time.time(), args["batch"], run.request.window_s
        known = run.window()
        hosts, before = known.part(batch, run.hosts) if known else (run.hosts, None)
        given, began = args["start"] and batch < 2, args["began"] or now
        timeout = args["arm_timeout"] or arming.arm_timeout_s(sources.probes(run.request))
        if args["armed"]:
            live_until = began + arming.ttl_s(timeout, window_s) - arming.FLUSH_S
            window = None if given else self._told(run, hosts, before, args["forks"], now, live_until)
        elif given:
            window = given_window(args["start"], window_s, now)
        else:
            armings = self._armings(run, hosts)
            window = foreseen_window(now, window_s, armings=armings, forks=args["forks"], arm_timeout=timeout)
        if window is None:
            return {"began": began}
        window = replace(window, began=began, among=len(hosts))
        file = known.opened(batch, window) if known and batch else WindowFile(**vars(window))
        write.window(run.path, file)
        return {"start": window.start, "end": window.end, "began": began}

    def _told(
        self,
        run: read.Run,
        hosts: Sequence[str],
        before: WindowRecord | None,
        forks: int,
        now: float,
        live_until: float,
    ) -> WindowRecord | None:
        armed = [host for host in read.armed_hosts(run.path) if host in hosts]

        def contact_of(host: str) -> float:
            return contact_s(run.of_host(host, ArmRecord) or ArmRecord())

        contacts = [*self.of_each(run.path, armed, contact_of).values()]
        return told_window(
            now,
            run.request.window_s,
            contacts=contacts,
            forks=forks,
            live_until=live_until,
            foreseen=before,
        )

    def _armings(self, run: read.Run, hosts: Sequence[str]) -> list[Arming | None]:
        """Return how the arming of each host went that will be armed; None where that is not known."""
        memory, builds = HostMemory(), run.builds()

        def arming_of(host: str) -> list[Arming | None] | None:
            """Return how its arming went, in a list of one; None where it will not be armed."""
            facts = ready(run.path, host)
            build = builds.get(facts.kernel) if facts else None
            if build is None or build.error:
                return None
            key = host_cache.modules_key(build.checksums.values())
            return [host_cache.armings(memory.get(host)).get(key)]

        return [one for (one,) in self.of_each(run.path, hosts, arming_of).values()]
