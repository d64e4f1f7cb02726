# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose the window that all hosts sample, before they are armed where that can be. Runs on the controller."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction, ready
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import arming, batches, host_cache
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
        "began": {"type": "float", "default": 0.0},
        "batch": {"type": "int", "default": 0},
    }
    TOUCHES_HOSTS = True

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = Path(args["run_dir"])
        window_s = int(read.open_run(run).sweep["window_s"])
        now, batch = time.time(), args["batch"]
        known = read.read_json(run, "window.json")
        hosts, before = batches.part(known, batch, read.open_run(run).sweep["hosts"])
        given = args["start"] and batch < 2
        window: dict[str, float] | None
        if args["armed"]:
            window = None if given else self._told(run, hosts, before, args["forks"], now, window_s)
        elif given:
            window = given_window(args["start"], window_s, now)
        else:
            window = self._foreseen(run, hosts, args["forks"], now, window_s)
        began = args["began"] or now
        if window is None:
            return {"began": began}
        window |= {"began": began, "among": len(hosts)}
        write.write_json(
            run, "window.json", batches.opened(known, batch, window) if known and batch else window
        )
        return dict(window)

    def _told(
        self,
        run: Path,
        hosts: Sequence[str],
        before: Mapping[str, Any] | None,
        forks: int,
        now: float,
        window_s: int,
    ) -> dict[str, float] | None:
        armed = [host for host in read.armed_hosts(run) if host in hosts]
        contacts = self.of_each(run, armed, lambda host: contact_s(read.read_host(run, host, "arm") or {}))
        foreseen = {"start": float(before["start"])} if before else None
        return told_window(now, window_s, contacts=[*contacts.values()], forks=forks, foreseen=foreseen)

    def _foreseen(
        self, run: Path, hosts: Sequence[str], forks: int, now: float, window_s: int
    ) -> dict[str, float] | None:
        memory, builds = HostMemory(), read.read_builds(run)

        def arming_of(host: str) -> list[Arming | None] | None:
            """Return how its arming went, in a list of one; None where it will not be armed."""
            facts = ready(run, host)
            build = builds.get(str(facts["kernel"])) if facts else None
            if not build or build.get("error"):
                return None
            key = host_cache.modules_key(sources.checksums(build).values())
            return [host_cache.armings(memory.get(host)).get(key)]

        armings = [one for (one,) in self.of_each(run, hosts, arming_of).values()]
        timeout = arming.arm_timeout_s(sources.probes(read.open_run(run).sweep))
        return foreseen_window(now, window_s, armings=armings, forks=forks, arm_timeout=timeout)
