# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of arming a host: its sessions, or why it has none and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import compatibility
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.sources import SMOKE
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import (
    KernelBuild,
    ModuleBuild,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    ArmedSession,
    ArmRecord,
    PreflightRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl_replies import ArmReply

KEY_UNKNOWN = ("Required key not available", "Key was rejected by service")
KEY_REMEDY = (
    "enrol the certificate of the key that signs modules on this host (docs/secure_boot.md), then sweep again"
)
SMOKE_REMEDY = "install a SystemTap runtime on the host that matches the builder's version, then sweep again"


def refused(reason: str, remedy: str) -> ArmRecord:
    """Return the record of a host that is not armed: one clause why, and what to do about it."""
    return ArmRecord("refused", reason, remedy)


def unusable(built: KernelBuild, facts: PreflightRecord) -> ArmRecord | None:
    """Return why nothing that was built can be armed on this host, or None."""
    if built.error or not built.kernel:
        return refused(
            built.error or f"no builder could compile for its kernel {facts.kernel}",
            built.remedy or "name a builder that can be reached in the group systemtap_builders",
        )
    known_bad = compatibility.verdict(built.stap, facts.staprun, facts.kernel)
    if not known_bad.ok:
        return refused(known_bad.reason, known_bad.remedy)
    if SMOKE not in built.checksums:
        said = _last_line(built.probes.get(SMOKE, ModuleBuild()).error)
        return refused(f"not even a trivial script compiles for {facts.kernel}: {said}", "see the builder")
    if len(built.checksums) == 1:
        return refused(
            "none of the probes compiled for its kernel", "see what SystemTap said about each probe"
        )
    return None


def record_of(reply: ArmReply, lacking: Mapping[str, str]) -> ArmRecord:
    """Return what a host made of the arming. lacking: {probe: why} of those that it was not asked for."""
    if reply.missing:
        return ArmRecord("failed", "the host does not keep the modules sent to it", "free space there")
    if reply.verdict == "busy":
        return refused(reply.reason, "wait for that sweep to end, then sweep again")
    if reply.verdict == "refused":
        unknown_key = any(words in reply.reason for words in KEY_UNKNOWN)
        return refused(reply.reason, KEY_REMEDY if unknown_key else SMOKE_REMEDY)
    sessions = {name: ArmedSession(*said) for name, said in reply.sessions.items()}
    sessions |= {name: ArmedSession("failed", 0.0, why) for name, why in lacking.items()}
    return ArmRecord(reply.verdict or "failed", reply.reason, sessions=sessions)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]
