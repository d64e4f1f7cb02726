# SPDX-License-Identifier: GPL-3.0-or-later
"""Arm one host: push the modules it lacks, try a trivial one first, start its sessions and wait until they are armed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils import plan, skew, store, sweeprun
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.ansible_action import FleetdiagAction
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.guard import ArmReply, Guard
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.modulestore import ModuleStore

SMOKE_REMEDY = "install a SystemTap runtime on the host that matches the builder's version, then sweep again"


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "run_dir": {"type": "str", "required": True},
        "arm_timeout": {"type": "int", "default": 0},
    }
    TOUCHES_HOSTS = True

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = Path(args["run_dir"])
        record = {"verdict": "ok", "reason": "", "remedy": "", "smoke": "", "pushed": 0, "sessions": {}}
        try:
            record.update(self._arm(run, args["arm_timeout"]))
        except FleetdiagError as error:
            record.update(
                verdict="failed", reason=str(error), remedy="put that right on the host and sweep again"
            )
        store.write_host(run, self.host, "arm", record)
        armed = [name for name, session in record["sessions"].items() if session["status"] != "failed"]
        return {
            "changed": record["pushed"] > 0,
            "armed": armed,
            "failed_sessions": {
                n: s["error"] for n, s in record["sessions"].items() if s["status"] == "failed"
            },
            **{key: record[key] for key in ("verdict", "reason", "remedy", "pushed", "smoke")},
        }

    def _arm(self, run: Path, arm_timeout: int) -> dict[str, Any]:
        sweep = store.open_run(run).sweep
        facts = store.read_host(run, self.host, "preflight") or {}
        built = store.read_json(run, f"builds/{facts.get('kernel', '')}.json")
        if not built or built.get("error"):
            return _no_modules(facts, built or {})
        known_bad = skew.verdict(built["stap"], facts["staprun"], facts["kernel"])
        if not known_bad.ok:
            return {"verdict": "refused", "reason": known_bad.reason, "remedy": known_bad.remedy}
        probes = sweeprun.probes(sweep)
        modules = {name: entry["sha256"] for name, entry in built["probes"].items() if entry["sha256"]}
        smoke = modules.pop(plan.SMOKE, "")
        if not smoke:
            error = built["probes"].get(plan.SMOKE, {}).get("error", "")
            return _refused(
                f"not even a trivial script compiles for {facts['kernel']}: {_last_line(error)}",
                "see the builder",
            )
        if not modules:
            return _refused(
                "none of the probes compiled for its kernel", "see what SystemTap said about each probe"
            )
        timeout = arm_timeout or plan.arm_timeout_s(probes)
        ttl = plan.ttl_s(timeout, int(sweep["window_s"]))
        recorded = {entry["name"]: entry for entry in sweep["probes"]}
        sessions = plan.sessions(probes, recorded, modules, ttl=ttl, window_s=int(sweep["window_s"]))
        store_of_modules = ModuleStore()
        combination = "|".join(
            (self.host, facts["kernel"], facts["kernel_build_id"], facts["staprun"], smoke)
        )
        cached = (store_of_modules.get_verdict(combination) or {}).get("verdict") == "ok"
        guard = self.guard()
        wanted = {"ttl_s": ttl, "timeout_s": timeout, "smoke": "" if cached else smoke, "plans": sessions}
        wanted["redact"] = sweep.get("redact", True)
        reply = guard.arm(sweep["id"], **wanted)
        pushed = _push(guard, store_of_modules, reply.missing)
        if pushed:
            reply = guard.arm(sweep["id"], **wanted)
        if reply.smoke == "passed":
            store_of_modules.put_verdict(combination, {"verdict": "ok", "reason": "", "remedy": ""})
        return {
            **_reply_record(reply),
            "pushed": pushed,
            "smoke": "cached" if cached else reply.smoke or "refused",
        }


def _push(guard: Guard, modules: ModuleStore, wanted: Iterable[str]) -> int:
    pushed = 0
    for sha256 in wanted:
        guard.put(sha256, modules.read(sha256))
        pushed += 1
    return pushed


def _reply_record(reply: ArmReply) -> dict[str, Any]:
    if reply.missing:
        return {
            "verdict": "failed",
            "reason": "the host does not keep the modules sent to it",
            "remedy": "free space there",
        }
    if reply.verdict == "busy":
        return {
            "verdict": "refused",
            "reason": reply.reason,
            "remedy": "wait for that sweep to end, then sweep again",
        }
    if reply.verdict == "refused":
        return _refused(reply.reason, SMOKE_REMEDY)
    return {
        "verdict": reply.verdict or "failed",
        "reason": reply.reason,
        "sessions": {
            name: {"status": state, "seconds": seconds, "error": said}
            for name, (state, seconds, said) in reply.sessions.items()
        },
    }


def _no_modules(facts: dict[str, Any], built: dict[str, Any]) -> dict[str, Any]:
    reason = built.get("error") or f"no builder could compile for its kernel {facts.get('kernel', '')}"
    remedy = built.get("remedy") or "name a builder that can be reached in the group systemtap_builders"
    return _refused(reason, remedy)


def _refused(reason: str, remedy: str) -> dict[str, Any]:
    return {"verdict": "refused", "reason": reason, "remedy": remedy}


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]
