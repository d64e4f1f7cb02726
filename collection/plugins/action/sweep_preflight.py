# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask one host what it can do, compare its clock with ours, and decide whether it can be probed."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils import guard, preflight, store
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.ansible_action import FleetdiagAction


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "run_dir": {"type": "str", "required": True},
        "min_free_mb": {"type": "int", "default": 200},
    }

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        began = time.monotonic()
        facts = self.guard().install_and_preflight()
        answer_s = time.monotonic() - began
        clock = guard.measure_clock(self._read_clock)
        refused = preflight.refusal(facts, min_free_mb=args["min_free_mb"])
        record = preflight.record(self.host, facts, refused)
        record.update(clock=asdict(clock), answer_s=round(answer_s, 3), at=time.time())
        store.write_host(Path(args["run_dir"]), self.host, "preflight", record)
        return {
            "verdict": record["verdict"],
            "reason": record["reason"],
            "remedy": record["remedy"],
            "kernel": record["kernel"],
            "runtime_missing": not facts.get("staprun"),
            "clock_offset_s": round(clock.offset_s, 4),
        }

    def _read_clock(self) -> str:
        return self.on_host("date +%s.%N", root=False)[1]
