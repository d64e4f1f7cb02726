# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of the modules of a builder's turn: which want more than headers have, and why those that failed did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import diagnosis
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.failover import Turn
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.programs import ProgramStore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.sources import SMOKE, Source
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import (
    FAILED,
    ModuleBuild,
    headline,
)


@dataclass(frozen=True)
class KernelInfo:
    """What a kernel tells of itself. given: a host handed it over; trouble: why none did; may_be_asked: none was yet."""

    given: bool
    trouble: str
    may_be_asked: bool


def explain(turn: Turn, probes: Mapping[str, Probe], info: KernelInfo, *, lacks: str) -> None:
    """Note of each module that failed whether it wants more than headers have, and its reason in one sentence.

    lacks: what the builder could not be given, "" for nothing.
    """
    for name, module in turn.entries.items():
        if not module.failed:
            continue
        if name in probes:
            if info.may_be_asked and _wants_more(module, probes[name]):
                turn.wanting.append(name)
            turn.entries[name] = _explained(module, probes[name], info)
        if lacks:
            turn.lacks = True
            known = turn.entries[name]
            said = f"{known.error}\nThe builder lacks something: {printable(lacks)}"
            turn.entries[name] = replace(known, error=said)


def leave_for_kernel_info(turn: Turn) -> list[str]:
    """Take out of a turn the probes that want more than the kernel's headers have, and return their names.

    They are compiled again with what a host of this kernel tells of it.
    """
    for name in turn.wanting:
        if name != SMOKE:  # the trivial one holds until the other one is there
            del turn.entries[name]
            turn.wanted.remove(name)
    return turn.wanting


def built_with_kernel_info(turn: Turn, done: Mapping[str, ModuleBuild]) -> list[str]:
    """Return the modules that were built with what the kernel tells of itself. done: those of earlier turns."""
    return [name for name, module in {**done, **turn.entries}.items() if module.types == "btf"]


def tested(turn: Turn, done: Mapping[str, ModuleBuild], test: ModuleBuild) -> None:
    """Put the module that tests what the kernel tells of itself into the smoke module's place.

    Where it cannot be compiled, no probe is handed out that was built with that. done: of earlier turns.
    """
    if not test.failed:
        turn.entries[SMOKE] = test
        return
    reason = (
        "it was built with what the kernel tells of itself (BTF), and the test of that does not compile:"
        f" {headline(test.error)}"
    )
    failed = ModuleBuild(FAILED, seconds=0.0, error=reason)
    turn.entries.update(dict.fromkeys(built_with_kernel_info(turn, done), failed))


def without_programs(
    sources: Iterable[Source], trouble: Sequence[str], entries: Mapping[str, ModuleBuild]
) -> dict[str, ModuleBuild]:
    """Return the failures of those sources of which a program could not be had. trouble: what hosts said of it."""
    found = {}
    for source in sources:
        for file in source.programs.values():
            if source.name in entries or (not file.trouble and ProgramStore().get(file.sha256)):
                continue
            why = f"on any host with this kernel: {file.trouble}"
            if not file.trouble:
                said = [sentence for sentence in trouble if file.path in sentence]
                why = f"as it could not be had: {(said or [f'{file.host} did not hand it over'])[0]}"
            error = printable(f"{file.path} {diagnosis.NO_PROGRAM} {why}")
            found[source.name] = ModuleBuild(FAILED, seconds=0.0, error=error)
    return found


def _wants_more(module: ModuleBuild, probe: Probe) -> bool:
    return not probe.requires_debuginfo and diagnosis.wants_more(module.error)


def _explained(module: ModuleBuild, probe: Probe, info: KernelInfo) -> ModuleBuild:
    """Return a failed module with a known reason in place of SystemTap's message, which is kept beside it."""
    said = module.error
    known = diagnosis.of_program(said)
    if known:
        pass
    elif info.given:
        known = diagnosis.beyond_btf(said)
    else:
        known = diagnosis.explain(said, debuginfo=probe.requires_debuginfo, unmodified=probe.unmodified)
        if known and info.trouble:
            known = f"{known}. Without it: {info.trouble}"
    return replace(module, said=said, error=printable(known), line=None) if known else module
