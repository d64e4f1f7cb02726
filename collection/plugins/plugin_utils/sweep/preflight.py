# SPDX-License-Identifier: GPL-3.0-or-later
"""Can this host be probed? One verdict from the facts of `guard.sh preflight`, before anything is loaded."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    ClockRecord,
    PreflightRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.clock import Clock, measure_clock
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl import Guard

Facts = Mapping[str, str]

MIN_MEMORY_MB = 64


@dataclass(frozen=True)
class Refusal:
    """Why a host is not probed, and what would change that. Both are sentences without a final stop."""

    reason: str
    remedy: str


@dataclass(frozen=True)
class Rule:
    """One condition under which a host is refused."""

    applies: Callable[[Facts], bool]
    reason: str
    remedy: str


def _wants_signatures(facts: Facts) -> bool:
    return facts.get("sig_enforce") == "Y" or facts.get("lockdown") == "integrity"


RULES = (
    Rule(
        lambda f: f.get("uid") != "0", "commands do not run as root here", "use become (sudo) for this host"
    ),
    Rule(
        lambda f: bool(f.get("container")),
        "this is a container ({container}): it has no kernel of its own",
        "probe its host",
    ),
    Rule(
        lambda f: not f.get("systemd") or f.get("init") != "systemd",
        "systemd does not run here (process 1 is {init})",
        "sessions need systemd to end by themselves; probe a host that has it",
    ),
    Rule(
        lambda f: f.get("modules_disabled") == "1",
        "this kernel takes no more modules (kernel.modules_disabled=1)",
        "only a reboot without that setting changes it",
    ),
    Rule(
        lambda f: f.get("lockdown") == "confidentiality",
        "this kernel allows no probes (lockdown=confidentiality)",
        "boot it with lockdown=integrity or none",
    ),
    Rule(
        lambda f: _wants_signatures(f) and not f.get("signed"),
        "this kernel loads signed modules only (Secure Boot or lockdown={lockdown}), and no builder has a key",
        "enrol a machine owner key and name it (builder_sign_key, builder_sign_cert; docs/secure_boot.md),"
        " or switch Secure Boot off on this host",
    ),
    Rule(
        lambda f: f.get("fips") == "1",
        "FIPS mode is on: staprun refuses to load modules because some kernels panic",
        "probe a host without FIPS mode",
    ),
)


def ask(
    guard: Guard, read_clock: Callable[[], str], host: str, *, min_free_mb: int, signed: bool
) -> PreflightRecord:
    """Return preflight.json of a host, from itself: one round trip for its facts and short ones to compare clocks."""
    facts = guard.install_and_preflight()
    return told(facts, measure_clock(read_clock), host, min_free_mb=min_free_mb, signed=signed)


def told(facts: Facts, clock: Clock, host: str, *, min_free_mb: int, signed: bool) -> PreflightRecord:
    """Return preflight.json of a host that has said its facts.

    Raises FleetdiagError for a host that does not say what a sweep relies on, or says it in words that have no place in
    a path or a shell.
    """
    facts = untrusted.facts(facts, host)
    said = record(host, facts, refusal(facts, min_free_mb=min_free_mb, signed=signed))
    measured = ClockRecord(clock.offset_s, clock.error_s)
    return replace(said, clock=measured, at=time.time(), signed=signed)


def refusal(facts: Facts, *, min_free_mb: int, signed: bool = False) -> Refusal | None:
    """Return the first reason not to probe this host, or None. signed: modules are signed where kernels ask for it."""
    asked = {**facts, "signed": "yes" if signed else ""}
    for rule in RULES:
        if rule.applies(asked):
            known = {"lockdown": "", "container": "", "init": "", **facts}
            return Refusal(rule.reason.format(**known), rule.remedy)
    free, memory = number(facts, "free_mb"), number(facts, "mem_available_mb")
    if free < min_free_mb:
        return Refusal(
            f"only {free} MB are free under /var/lib/fleetdiag, {min_free_mb} are needed",
            "free space there, or sweep with smaller output limits",
        )
    if memory < MIN_MEMORY_MB:
        return Refusal(
            f"only {memory} MB of memory are available, {MIN_MEMORY_MB} are needed",
            "free memory on this host",
        )
    if not facts.get("staprun"):
        return Refusal(
            "staprun is not installed", "run the sweep with sweep_install=true, or install systemtap-runtime"
        )
    return None


def number(facts: Facts, name: str) -> int:
    """Return a whole number of the facts; 0 when the host did not say."""
    found = facts.get(name)
    return found if isinstance(found, int) else untrusted.whole(found) or 0


def unusable(facts: Mapping[str, Any]) -> str:
    """Return why a stored preflight.json cannot be used for anything but the report, or "" if it can."""
    if wrong := untrusted.unfit(facts):
        return wrong
    return (
        "" if Clock.recorded(PreflightRecord.from_json(facts).clock) else "it does not say how its clock goes"
    )


def same_machines(hosts: Iterable[PreflightRecord]) -> list[PreflightRecord]:
    """Return the refusals of hosts that are another name of one before them: two machines share no boot id."""
    first: dict[str, str] = {}
    refused = []
    for facts in hosts:
        name = first.setdefault(facts.boot_id, facts.host)
        if facts.boot_id and name != facts.host:
            reason = f"is the same machine as {name}, which is probed"
            remedy = "name it once in the inventory, or leave one of the names out"
            refused.append(replace(facts, verdict="refused", reason=reason, remedy=remedy))
    return refused


def other_machines(hosts: Iterable[PreflightRecord]) -> list[PreflightRecord]:
    """Return the refusals of hosts that are another machine than most with their kernel's release.

    Modules are told apart by that release: one module cannot be for both.
    """
    by_kernel: dict[str, list[PreflightRecord]] = {}
    for facts in hosts:
        if facts.verdict != "ok":
            continue
        by_kernel.setdefault(facts.kernel, []).append(facts)
    refused = []
    for kernel, group in by_kernel.items():
        machine, _times = Counter(facts.machine for facts in group).most_common(1)[0]
        reason = f"is {{0}}, while most hosts with kernel {kernel} are {machine}: a module is for one of them"
        remedy = "sweep the hosts of each machine by themselves"
        refused += [
            replace(
                facts,
                verdict="refused",
                reason=reason.format(facts.machine or "of no machine"),
                remedy=remedy,
            )
            for facts in group
            if facts.machine != machine
        ]
    return refused


def record(host: str, facts: Facts, refused: Refusal | None) -> PreflightRecord:
    """Return preflight.json of a host: its facts with numbers as numbers, and the verdict."""
    words = (word.partition(":") for word in facts.get("crashed", "").split())
    return replace(
        PreflightRecord.from_json(facts),
        host=host,
        addresses=tuple(facts.get("addresses", "").split()),
        modules_held=tuple(facts.get("modules_held", "").split()),
        crashed=untrusted.crashed((probe, sweep) for probe, _unused, sweep in words),
        load1=untrusted.decimal(facts.get("load1")) or 0.0,
        free_mb=number(facts, "free_mb"),
        mem_available_mb=number(facts, "mem_available_mb"),
        cpus=number(facts, "cpus"),
        verdict="refused" if refused else "ok",
        reason=refused.reason if refused else "",
        remedy=refused.remedy if refused else "",
    )
