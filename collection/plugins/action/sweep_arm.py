# SPDX-License-Identifier: GPL-3.0-or-later
"""Arm one host: send the modules it lacks, try a trivial one first, start its sessions."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import (
    FleetdiagAction,
    ready,
    shown,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import (
    programs,
    sources,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.module_cache import ModuleStore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.sources import SMOKE
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.target import VARIABLE
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import (
    KernelBuild,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.program_files import ProgramsRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    ArmRecord,
    ClockRecord,
    GoRecord,
    PreflightRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import (
    WindowFile,
    WindowRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import (
    armed,
    arming,
    crashes,
    preflight,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.clock import Clock, better_clock
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.host_cache import HostMemory
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl_replies import ArmReply
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.targets import of_host
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.window import on_host_clock

RETELL_MS = 50
TARGET_REMEDY = (
    "give the host the variable sweep_target: the number of a process, or a unit; then sweep again"
)
PROGRAM_REMEDY = "see what it says of each program, then sweep again"
SMOKE_RAN = {"verdict": "ok", "reason": "", "remedy": ""}


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "run_dir": {"type": "str", "required": True},
        "arm_timeout": {"type": "int", "default": 0},
        "min_free_mb": {"type": "int", "default": 200},
    }
    TOUCHES_HOSTS = True

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = read.open_run(Path(args["run_dir"]))
        began = time.monotonic()
        try:
            record = self._arm(run, args)
        except FleetdiagError as error:
            HostMemory().forget(self.host)  # what is remembered may be why: the next sweep asks everything
            record = ArmRecord("failed", str(error), "put that right on the host and sweep again")
        took_s, ended = round(time.monotonic() - began, 3), round(time.time(), 3)
        write.host_record(run.path, self.host, replace(record, took_s=took_s, ended=ended))
        failed = {name: one.error for name, one in record.sessions.items() if one.status == "failed"}
        return {
            "changed": record.pushed > 0,
            "armed": record.started,
            "failed_sessions": failed,
            "verdict": record.verdict,
            "reason": record.reason,
            "remedy": record.remedy,
            "pushed": record.pushed,
            "smoke": record.smoke,
        }

    def would(self, args: dict[str, Any]) -> dict[str, Any]:
        """Return which modules are sent; what is not compiled yet is."""
        run = read.open_run(Path(args["run_dir"]))
        facts = ready(run.path, self.host)
        if facts is None:
            return {"would_run": False, "would_push": []}
        probes = [probe.name for probe in run.request.probes]
        push = arming.to_push([SMOKE, *probes], run.builds().get(facts.kernel), facts)
        sent = f"sent: {', '.join(push)}" if push else "all it needs is there"
        return {
            **shown(f"would be probed with {', '.join(probes)} on kernel {facts.kernel}; {sent}"),
            "would_run": True,
            "would_push": push,
            "changed": bool(push),
        }

    def _arm(self, run: read.Run, args: dict[str, Any]) -> ArmRecord:
        """Return arm.json. A host that is not as it was remembered says how it is, and is then armed as it is."""
        facts = ready(run.path, self.host)
        if facts is None:
            told = run.of_host(self.host, PreflightRecord)
            if told is not None and told.verdict == "refused":
                return armed.refused(told.reason, told.remedy)
            raise FleetdiagError("it has no preflight.json that lets it be probed")
        outcome = self._arm_as(run, facts, args)
        if isinstance(outcome, ArmReply):
            HostMemory().forget(self.host)
            facts = self._facts_now(outcome, args["min_free_mb"], bool(facts.signed))
            write.host_record(run.path, self.host, facts)
            if facts.verdict != "ok":
                return ArmRecord(facts.verdict, facts.reason, facts.remedy)
            if not _has_modules(run, facts):
                return armed.refused(
                    f"it was booted into kernel {facts.kernel} since the last sweep, and nothing is compiled"
                    " for that",
                    "sweep again: now it is asked first",
                )
            outcome = self._arm_as(run, facts, args)
        if isinstance(outcome, ArmReply):
            return armed.refused("it is never as it was a moment ago", "see whether it boots again and again")
        return outcome

    def _facts_now(self, stale: ArmReply, min_free_mb: int, signed: bool) -> PreflightRecord:
        """Return what the host answered instead of arming; one without guard.sh has to be asked."""
        asked: dict[str, Any] = {"min_free_mb": min_free_mb, "signed": signed}
        if not stale.facts or not stale.clock:
            return preflight.ask(self.guard(), self.read_clock, self.host, **asked)
        return preflight.told(stale.facts, stale.clock, self.host, **asked)

    def _arm_as(self, run: read.Run, facts: PreflightRecord, args: dict[str, Any]) -> ArmRecord | ArmReply:
        """Arm the host by these facts; return its stale reply if they turn out not to be true any more."""
        targets = of_host(run.request, self.task_vars.get(VARIABLE), self.on_host)
        sweep = targets.sweep
        built = read.build_of(run.path, facts.kernel) or KernelBuild()
        if refused := armed.unusable(built, facts):
            return refused
        modules = built.checksums
        signed = sources.module_list(run.path, sweep, facts.kernel, modules)
        smoke = modules.pop(SMOKE)
        missing = {**targets.missing, **self._other_programs(run, built)}
        modules = {name: sha256 for name, sha256 in modules.items() if name not in missing}
        if not modules:
            remedy = TARGET_REMEDY if targets.missing else PROGRAM_REMEDY
            return armed.refused("; ".join(dict.fromkeys(missing.values())), remedy)
        known = Clock.recorded(facts.clock)
        if known is None:
            raise FleetdiagError("it does not say how its clock goes")
        verdicts = ModuleStore()
        combination = "|".join((self.host, facts.kernel, facts.kernel_build_id, facts.staprun, smoke))
        cached = verdicts.get_verdict(combination) == SMOKE_RAN
        window = (run.window() or WindowFile()).of_host(self.host)
        told = _told(window, known)
        wanted = arming.asked(sweep, modules, window if told else None, args["arm_timeout"], time.time())
        wanted.update(smoke="" if cached else smoke, window_ms=told, manifest=signed)
        wanted.update(crashes.for_arming(self.host, facts, modules, retry=sweep.retry_crashed))
        if facts.remembered:
            least = {"free_mb": args["min_free_mb"], "mem_available_mb": preflight.MIN_MEMORY_MB}
            wanted.update(boot_id=facts.boot_id, least=least)
        needed = {*modules.values(), *([] if cached else [smoke])}
        reply, pushed = self._with_modules(sweep.id, wanted, needed, facts)
        if reply.stale:
            return reply
        if reply.smoke == "passed":
            verdicts.put_verdict(combination, SMOKE_RAN)
        clock = better_clock(known, reply.clock) or known
        if window and told and reply.verdict == "ok":
            self._note_window(run, window, told, clock, reply)
        return replace(
            armed.record_of(reply, missing),
            pushed=pushed,
            smoke="cached" if cached else reply.smoke or "refused",
            clock=ClockRecord(clock.offset_s, clock.error_s),
            manifest=reply.manifest,
        )

    def _other_programs(self, run: read.Run, built: KernelBuild) -> dict[str, str]:
        """Return {probe: why} of those whose module is for other builds of programs than this host has."""
        probed = {name: module.programs for name, module in built.probes.items() if module.programs}
        if not probed:
            return {}
        own = run.of_host(self.host, ProgramsRecord) or ProgramsRecord()
        unlike = {name: programs.unlike(files, own.files) for name, files in probed.items()}
        return {name: why for name, why in unlike.items() if why}

    def _with_modules(
        self, sweep_id: str, wanted: dict[str, Any], needed: set[str], facts: PreflightRecord
    ) -> tuple[ArmReply, int]:
        """Return (the host's reply, modules sent): those it is not known to hold go along with the first question."""
        guard, modules = self.guard(), ModuleStore()
        lacking = needed - set(facts.modules_held)
        reply = guard.arm(sweep_id, **wanted, modules={sha256: modules.read(sha256) for sha256 in lacking})
        gone = needed & set(reply.missing)
        if gone:
            reply = guard.arm(sweep_id, **wanted, modules={sha256: modules.read(sha256) for sha256 in gone})
        return reply, len(lacking | gone)

    def _note_window(
        self, run: read.Run, window: WindowRecord, told: tuple[int, int], clock: Clock, reply: ArmReply
    ) -> None:
        """Keep what the sessions were told; tell them again if the host's clock is not what it was taken for."""
        accepted = dict.fromkeys(reply.sessions, True)
        better = _told(window, clock) or told
        if abs(better[0] - told[0]) > RETELL_MS:
            told = better
            accepted = self.guard().go(run.request.id, *told)
        write.host_record(run.path, self.host, GoRecord(*told, accepted))


def _has_modules(run: read.Run, facts: PreflightRecord) -> bool:
    """Return whether there are modules for the host's kernel, also of an earlier sweep; `builds/` names them then."""
    builds = run.builds()
    if facts.kernel in builds:
        return True
    made = next((built for built in builds.values() if built.stap), None)
    if made is None:
        return False
    record = sources.built_before(run.request, stap=made.stap, facts=facts, signer=made.signer)
    if record is not None:
        write.build(run.path, record)
    return record is not None


def _told(window: WindowRecord | None, clock: Clock) -> tuple[int, int] | None:
    """Return the window in the host's own time, if it is chosen already."""
    if window is None or window.start is None or window.end is None:
        return None
    offset = clock.correction_s
    return on_host_clock(window.start, offset), on_host_clock(window.end, offset)
