# SPDX-License-Identifier: GPL-3.0-or-later
"""End the sessions of one host and bring their output into the run directory: bounded, checksummed, path-safe."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils import store, sweeprun
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.ansible_action import FleetdiagAction
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.guard import (
    REDACTION_GROWTH,
    Session,
)

MIB = 1 << 20


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {"run_dir": {"type": "str", "required": True}}
    TOUCHES_HOSTS = True

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = Path(args["run_dir"])
        sweep = store.open_run(run).sweep
        limits = {probe.name: probe.limits.output_mb * MIB for probe in sweeprun.probes(sweep)}
        guard = self.guard()
        accepted = {name: REDACTION_GROWTH * limit for name, limit in limits.items()}
        collected = guard.collect(sweep["id"], accepted)
        record = {"sessions": {}, "residue": collected.residue}
        for session in collected.sessions:
            store.write_host_bytes(run, self.host, f"{session.probe}.out.gz", session.out_gz)
            store.write_host_bytes(run, self.host, f"{session.probe}.err", session.err)
            record["sessions"][session.probe] = _session_record(session, limits[session.probe])
        store.write_host(run, self.host, "collect", record)
        guard.forget(sweep["id"])  # only now: what was not stored here is still there
        if collected.residue:
            raise FleetdiagError(
                f"{', '.join(collected.residue)} could not be unloaded on {self.host}; "
                "its output is safe here; unload it there with: staprun -d NAME"
            )
        sizes = {session.probe: session.out_bytes for session in collected.sessions}
        return {"collected_bytes": sizes, "results": {s.probe: s.result for s in collected.sessions}}


def _session_record(session: Session, limit: int) -> dict[str, Any]:
    return {
        "result": session.result,
        "exit_code": session.status,
        "cpu_s": round(session.cpu_s, 3),
        "out_bytes": session.out_bytes,
        "collected_bytes": len(session.out_gz),
        "sha256": session.sha256,
        "redacted_lines": session.redacted_lines,
        "truncated": session.status in ("XFSZ", "25", "153") or session.printed_bytes >= limit,
    }
