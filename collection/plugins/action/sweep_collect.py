# SPDX-License-Identifier: GPL-3.0-or-later
"""End the sessions of one host and bring their output into the run directory: bounded, checksummed, path-safe."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction, within
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    ArmRecord,
    CollectedSession,
    CollectRecord,
    PreflightRecord,
    SweepRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import (
    WindowFile,
    WindowRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import (
    crashes,
    host_cache,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.arming import (
    collect_bytes,
    collect_timeout_s,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.clock import Clock, better_clock
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.host_cache import HostMemory
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl import REDACTION_GROWTH
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl_replies import (
    Collected,
    Session,
    TransferError,
)

MIB = 1 << 20


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {"run_dir": {"type": "str", "required": True}}
    TOUCHES_HOSTS = True

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = Path(args["run_dir"])
        # Not a condition of the task, which would cost as much for each host as reading what it sent.
        if not read.is_awaited(run, self.host):
            return {"skipped": True, "skip_reason": "nothing was armed on this host, or its output is here"}
        sweep = read.open_run(run).request
        probes = sources.probes(sweep)
        limits = {probe.name: probe.limits.output_mb * MIB for probe in probes}
        guard = self.guard()
        accepted = {name: REDACTION_GROWTH * limit for name, limit in limits.items()}
        timeout_s = collect_timeout_s(probes)
        late = (
            f"it has not handed over its output within {timeout_s} s; bring it with: fleetdiag collect {run}"
        )
        large = "it sends more than all its sessions may print, so nothing of that is kept: look what answers so there"
        # Everybody waits for the report, and an answer without end would fill the memory.
        with within(timeout_s, late, most_bytes=collect_bytes(probes), large=large):
            try:
                collected = guard.collect(sweep.id, accepted)
            except TransferError:  # all is still on the host
                collected = guard.collect(sweep.id, accepted)
        crashes.learn(self.host, dict.fromkeys(collected.crashed, sweep.id))
        for session in collected.sessions:
            write.write_host_bytes(run, self.host, f"{session.probe}.out.gz", session.out_gz)
            write.write_host_bytes(run, self.host, f"{session.probe}.err", session.err)
        write.host_record(run, self.host, _record(collected, limits))
        guard.forget(sweep.id)  # only now: what was not stored here is still there
        self._remember(run, sweep, collected)
        if collected.residue:
            raise FleetdiagError(
                f"{', '.join(collected.residue)} could not be unloaded on {self.host}; "
                "its output is safe here; unload it there with: staprun -d NAME"
            )
        sizes = {session.probe: session.out_bytes for session in collected.sessions}
        return {"collected_bytes": sizes, "results": {s.probe: s.result for s in collected.sessions}}

    def _remember(self, run: Path, sweep: SweepRecord, collected: Collected) -> None:
        """Keep what the next sweep need not ask."""
        facts = read.read_host(run, self.host, PreflightRecord.PHASE) or {}
        told = PreflightRecord.from_json(facts)
        armed = read.of_host(run, self.host, ArmRecord) or ArmRecord()
        built = read.build_of(run, told.kernel)
        clock = Clock.recorded(armed.clock)
        if built is None or clock is None:
            return
        modules = list(built.checksums.values())
        memory = HostMemory()
        window = (read.window(run) or WindowFile()).of_host(self.host) or WindowRecord()
        before = memory.get(self.host)
        arming = (before or {}).get("arming", {})
        if took := host_cache.measured(window, armed):
            late = any(session.status == "late" for session in armed.sessions.values())
            arming = host_cache.with_arming(before, host_cache.modules_key(modules), took, late=late)
        better = better_clock(clock, collected.clock) or clock
        held = list(dict.fromkeys([*modules, *told.modules_held]))
        memory.put(
            self.host,
            {
                "facts": {**facts, "crashed": {}, "clock": asdict(better), "modules_held": held},
                "clock_at": time.time(),
                "stap": built.stap,
                "signer": built.signer,
                "arming": arming,
            },
        )


def _record(collected: Collected, limits: Mapping[str, int]) -> CollectRecord:
    return CollectRecord(
        sessions={one.probe: _session_record(one, limits[one.probe]) for one in collected.sessions},
        residue=tuple(collected.residue),
        kernel=tuple(collected.kernel),
    )


def _session_record(session: Session, limit: int) -> CollectedSession:
    return CollectedSession(
        result=session.result,
        exit_code=session.status,
        cpu_s=round(session.cpu_s, 3),
        out_bytes=session.out_bytes,
        collected_bytes=len(session.out_gz),
        sha256=session.sha256,
        redacted_lines=session.redacted_lines,
        truncated=session.status in ("XFSZ", "25", "153") or session.printed_bytes >= limit,
    )
