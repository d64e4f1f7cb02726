# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose the window that all hosts sample, before they are armed where that can be. Runs on the controller."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction, ready
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import (
    arming,
    batches,
    host_cache,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import window as sweep_window
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.host_cache import HostMemory
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.window import (
    Contact,
    foreseen_window,
    given_window,
)


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "run_dir": {"type": "str", "required": True},
        "forks": {"type": "int", "default": 5},
        "start": {"type": "float", "default": 0.0},
        "armed": {"type": "bool", "default": False},
        "batch": {"type": "int", "default": 0},
    }
    TOUCHES_HOSTS = True

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = Path(args["run_dir"])
        sweep = read.open_run(run).sweep
        now, batch = time.time(), args["batch"]
        known = read.read_json(run, "window.json") if batch else None
        hosts, _ = batches.part(known, batch, sweep["hosts"])
        if args["start"] and batch < 2:
            window = given_window(args["start"], sweep["window_s"], now)
        elif args["armed"] and (armed := [host for host in read.armed_hosts(run) if host in hosts]):
            answers_s = self.of_each(run, armed, lambda host: self._answer_s(run, host))
            answer_s = max(answers_s.values(), default=0.0)
            window = sweep_window.window(
                now, sweep["window_s"], armed_hosts=len(armed), forks=args["forks"], answer_s=answer_s
            )
        elif not args["armed"] and (armings := self._armings(run, hosts, args["forks"])):
            probes = sources.probes(sweep)
            window = foreseen_window(
                now, sweep["window_s"], **armings, forks=args["forks"], arm_timeout=arming.arm_timeout_s(probes)
            )
        else:
            window = None
        if window is None:
            return {}
        window["at_once"] = min(args["forks"], len(hosts))
        write.write_json(run, "window.json", batches.opened(known, batch, window) if known else window)
        return dict(window)

    @staticmethod
    def _answer_s(run: Path, host: str) -> float:
        facts, armed = (read.read_host(run, host, phase) or {} for phase in ("preflight", "arm"))
        return sweep_window.answer_s(facts, armed)

    def _armings(self, run: Path, hosts: Sequence[str], forks: int) -> dict[str, list[Any]] | None:
        """`armings` and `contacts` of those `hosts` that can be armed, for plan; None if one of them is not known."""
        memory, builds = HostMemory(), read.read_builds(run)
        keys: list[str] = []
        known: dict[str, list[float]] = {}
        contacts: list[Contact] = []
        for host, facts in self.of_each(run, hosts, lambda host: ready(run, host)).items():
            build = builds.get(str(facts["kernel"]))
            if not build or build.get("error"):
                continue
            key = host_cache.modules_key(sources.checksums(build).values())
            remembered = memory.get(host) or {}
            keys.append(key)
            contacts.append(host_cache.contact(remembered, facts.get("answer_s"), forks))
            if took := remembered.get("arming", {}).get(key):
                known.setdefault(key, []).append(took)
        if not keys or any(key not in known for key in keys):
            return None
        return {"armings": [second for key in set(keys) for second in known[key]], "contacts": contacts}
