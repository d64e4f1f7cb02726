# SPDX-License-Identifier: GPL-3.0-or-later
"""Arm one host: send the modules it lacks, try a trivial one first, start its sessions."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction, ready
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import compatibility, sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.module_cache import ModuleStore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.sources import SMOKE
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.target import VARIABLE
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, windows, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import (
    arming,
    crashes,
    preflight,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.host_cache import HostMemory
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl import (
    ArmReply,
    Clock,
    better_clock,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.targets import of_host
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.window import on_host_clock

RETELL_MS = 50
KEY_UNKNOWN = ("Required key not available", "Key was rejected by service")
KEY_REMEDY = (
    "enrol the certificate of the key that signs modules on this host (docs/secure_boot.md), then sweep again"
)
TARGET_REMEDY = (
    "give the host the variable sweep_target: the number of a process, or a unit; then sweep again"
)
SMOKE_REMEDY = "install a SystemTap runtime on the host that matches the builder's version, then sweep again"


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "run_dir": {"type": "str", "required": True},
        "arm_timeout": {"type": "int", "default": 0},
        "min_free_mb": {"type": "int", "default": 200},
    }
    TOUCHES_HOSTS = True

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = Path(args["run_dir"])
        record: dict[str, Any] = {
            "verdict": "ok",
            "reason": "",
            "remedy": "",
            "smoke": "",
            "pushed": 0,
            "sessions": {},
        }
        began = time.monotonic()
        try:
            record.update(self._arm(run, args))
        except FleetdiagError as error:
            HostMemory().forget(self.host)  # what is remembered may be why: the next sweep asks everything
            record.update(
                verdict="failed", reason=str(error), remedy="put that right on the host and sweep again"
            )
        record["took_s"] = round(time.monotonic() - began, 3)
        record["ended"] = round(time.time(), 3)
        write.write_host(run, self.host, "arm", record)
        armed = read.armed_sessions(record)
        return {
            "changed": record["pushed"] > 0,
            "armed": armed,
            "failed_sessions": {
                n: s["error"] for n, s in record["sessions"].items() if s["status"] == "failed"
            },
            **{key: record[key] for key in ("verdict", "reason", "remedy", "pushed", "smoke")},
        }

    def _arm(self, run: Path, args: dict[str, Any]) -> dict[str, Any]:
        """What arm.json says. A host that is not as it was remembered says how it is, and is then armed as it is."""
        facts = ready(run, self.host)
        if facts is None:
            raise FleetdiagError("it has no preflight.json that lets it be probed")
        outcome = self._arm_as(run, facts, args)
        if isinstance(outcome, ArmReply):
            HostMemory().forget(self.host)
            facts = self._facts_now(outcome, args["min_free_mb"], bool(facts.get("signed")))
            write.write_host(run, self.host, "preflight", facts)
            if facts["verdict"] != "ok":
                return {key: facts[key] for key in ("verdict", "reason", "remedy")}
            if not _has_modules(run, facts):
                return _refused(
                    f"it was booted into kernel {facts['kernel']} since the last sweep, and nothing is compiled"
                    " for that",
                    "sweep again: now it is asked first",
                )
            outcome = self._arm_as(run, facts, args)
        if isinstance(outcome, ArmReply):
            return _refused("it is never as it was a moment ago", "see whether it boots again and again")
        return outcome

    def _facts_now(self, stale: ArmReply, min_free_mb: int, signed: bool) -> dict[str, Any]:
        """preflight.json from what the host answered instead of arming; one without guard.sh has to be asked."""
        asked: dict[str, Any] = {"min_free_mb": min_free_mb, "signed": signed}
        if not stale.facts or not stale.clock:
            return preflight.ask(self.guard(), self.read_clock, self.host, **asked)
        return preflight.told(stale.facts, stale.clock, self.host, answer_s=stale.took_s, **asked)

    def _arm_as(self, run: Path, facts: dict[str, Any], args: dict[str, Any]) -> dict[str, Any] | ArmReply:
        """Arm it by these facts; the host's stale reply if they turn out not to be true any more."""
        targets = of_host(read.open_run(run).sweep, self.task_vars.get(VARIABLE), self.on_host)
        sweep = targets.sweep
        built = read.read_json(run, f"builds/{facts.get('kernel', '')}.json") or {}
        if refused := _unusable(built, facts):
            return refused
        modules = sources.checksums(built)
        signed = sources.manifest(run, sweep, facts["kernel"], modules)
        smoke = modules.pop(SMOKE)
        modules = {name: sha256 for name, sha256 in modules.items() if name not in targets.missing}
        if not modules:
            return _refused("; ".join(dict.fromkeys(targets.missing.values())), TARGET_REMEDY)
        verdicts = ModuleStore()
        combination = "|".join(
            (self.host, facts["kernel"], facts["kernel_build_id"], facts["staprun"], smoke)
        )
        cached = (verdicts.get_verdict(combination) or {}).get("verdict") == "ok"
        window = windows.window_of(read.read_json(run, "window.json"), self.host)
        wanted = _wanted(sweep, modules, window, args["arm_timeout"])
        wanted.update(smoke="" if cached else smoke, window_ms=_told(window, Clock(**facts["clock"])))
        wanted["manifest"] = signed
        wanted.update(crashes.for_arming(self.host, facts, modules, retry=bool(sweep.get("retry_crashed"))))
        if facts.get("remembered"):
            least = {"free_mb": args["min_free_mb"], "mem_available_mb": preflight.MIN_MEMORY_MB}
            wanted.update(boot_id=facts["boot_id"], least=least)
        needed = {*modules.values(), *([] if cached else [smoke])}
        reply, pushed = self._with_modules(sweep["id"], wanted, needed, facts)
        if reply.stale:
            return reply
        if reply.smoke == "passed":
            verdicts.put_verdict(combination, {"verdict": "ok", "reason": "", "remedy": ""})
        clock = better_clock(Clock(**facts["clock"]), reply.clock) or Clock(**facts["clock"])
        if window and reply.verdict == "ok":
            self._note_window(run, sweep["id"], window, wanted["window_ms"], clock, reply)
        said = _reply_record(reply)
        if "sessions" in said:
            lacking = {
                name: {"status": "failed", "seconds": 0.0, "error": why}
                for name, why in targets.missing.items()
            }
            said["sessions"] |= lacking
        return {
            **said,
            "pushed": pushed,
            "smoke": "cached" if cached else reply.smoke or "refused",
            "clock": asdict(clock),
            "manifest": reply.manifest,
        }

    def _with_modules(
        self, sweep_id: str, wanted: dict[str, Any], needed: set[str], facts: dict[str, Any]
    ) -> tuple[ArmReply, int]:
        """(the host's reply, modules sent): those that it is not known to hold go along with the first question."""
        guard, modules = self.guard(), ModuleStore()
        lacking = needed - set(facts.get("modules_held", []))
        reply = guard.arm(sweep_id, **wanted, modules={sha256: modules.read(sha256) for sha256 in lacking})
        gone = needed & set(reply.missing)
        if gone:
            reply = guard.arm(sweep_id, **wanted, modules={sha256: modules.read(sha256) for sha256 in gone})
        return reply, len(lacking | gone)

    def _note_window(
        self,
        run: Path,
        sweep_id: str,
        window: Mapping[str, Any],
        told: tuple[int, int],
        clock: Clock,
        reply: ArmReply,
    ) -> None:
        """Keep what the sessions were told; tell them again if the host's clock is not what it was taken for."""
        accepted = dict.fromkeys(reply.sessions, True)
        better = _told(window, clock) or told
        if abs(better[0] - told[0]) > RETELL_MS:
            told = better
            accepted = self.guard().go(sweep_id, *told)
        write.write_host(run, self.host, "go", {"start_ms": told[0], "end_ms": told[1], "accepted": accepted})


def _has_modules(run: Path, facts: dict[str, Any]) -> bool:
    """True if modules for the host's kernel are there, also those of an earlier sweep; `builds/` names them then."""
    builds = read.read_builds(run)
    if facts["kernel"] in builds:
        return True
    made = [
        (str(built["stap"]), str(built.get("signer", ""))) for built in builds.values() if built.get("stap")
    ]
    if not made:
        return False
    (stap, signer), sweep = made[0], read.open_run(run).sweep
    record = sources.built_before(sweep, stap=stap, facts=facts, signer=signer)
    if record is not None:
        write.write_json(run, f"builds/{facts['kernel']}.json", record)
    return record is not None


def _unusable(built: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any] | None:
    """Why nothing that was built can be armed on this host, or None."""
    if not built or built.get("error"):
        return _no_modules(facts, built)
    known_bad = compatibility.verdict(built["stap"], facts["staprun"], facts["kernel"])
    if not known_bad.ok:
        return _refused(known_bad.reason, known_bad.remedy)
    modules = sources.checksums(built)
    if SMOKE not in modules:
        said = _last_line(built["probes"].get(SMOKE, {}).get("error", ""))
        return _refused(
            f"not even a trivial script compiles for {facts['kernel']}: {said}", "see the builder"
        )
    if len(modules) == 1:
        return _refused(
            "none of the probes compiled for its kernel", "see what SystemTap said about each probe"
        )
    return None


def _wanted(
    sweep: dict[str, Any], modules: dict[str, str], window: Mapping[str, Any] | None, arm_timeout: int
) -> dict[str, Any]:
    """What Guard.arm is asked for whatever the host."""
    probes = sources.probes(sweep)
    timeout, now = arm_timeout or arming.arm_timeout_s(probes), time.time()
    window_s = int(sweep["window_s"])
    ttl = arming.told_ttl_s(now, window["end"]) if window else arming.ttl_s(timeout, window_s)
    if window:  # who is not armed when it starts is late, and nobody waits for that
        timeout = min(timeout, max(1, math.ceil(window["start"] - now)))
    recorded = {entry["name"]: entry for entry in sweep["probes"]}
    return {
        "ttl_s": ttl,
        "timeout_s": timeout,
        "plans": arming.sessions(probes, recorded, modules, ttl=ttl, window_s=window_s),
        "redact": sweep.get("redact", True),
        "by": sweep.get("by", ""),
    }


def _told(window: Mapping[str, Any] | None, clock: Clock) -> tuple[int, int] | None:
    """The window in the host's own time, if it is chosen already."""
    if not window:
        return None
    offset = clock.correction_s
    return on_host_clock(window["start"], offset), on_host_clock(window["end"], offset)


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
        unknown_key = any(words in reply.reason for words in KEY_UNKNOWN)
        return _refused(reply.reason, KEY_REMEDY if unknown_key else SMOKE_REMEDY)
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
