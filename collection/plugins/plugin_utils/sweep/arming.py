# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is armed with: its sessions and their time limits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import parameters
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import KernelBuild
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    PreflightRecord,
    ProbeRecord,
    SweepRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import WindowRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl import SessionPlan

ARM_MARGIN_S = 30
FLUSH_S = 1.0  # staprun hands output on every 0.2 s; `end` probes print after the window
TTL_MARGIN_S = 120
COLLECT_S = 120  # to unload modules on a machine that is busy
COLLECT_S_PER_MB = 2  # of output that is redacted, packed and sent
COLLECT_BYTES = 64 << 20
COLLECT_COPIES = 6  # of what was sent, while it is read and unpacked
TOLD_TTL_MARGIN_S = 60
# A script whose lines carry no time is told it between them, so often in a window.
STAMPS = 3000
MIN_STAMP_MS = 100


def arm_timeout_s(probes: Iterable[Probe]) -> int:
    """Return the seconds a host may take to arm its sessions: they register one after the other on a one-CPU machine."""
    return sum(probe.limits.arm_seconds for probe in probes) + ARM_MARGIN_S


def ttl_s(arm_timeout: int, window_s: float) -> int:
    """Return the seconds a session may live, whatever happens to the controller: the slowest host may arm last."""
    return 2 * arm_timeout + math.ceil(window_s) + TTL_MARGIN_S


def collect_timeout_s(probes: Iterable[Probe]) -> int:
    """Return the seconds a host may take to hand over its output: as its limits allow, whatever the window."""
    return COLLECT_S + COLLECT_S_PER_MB * sum(probe.limits.output_mb for probe in probes)


def collect_bytes(probes: Iterable[Probe]) -> int:
    """Return how much memory an answer with the output of one host may take: packed, it is in several copies."""
    return COLLECT_BYTES + COLLECT_COPIES * sum(probe.limits.output_mb << 20 for probe in probes)


def told_ttl_s(now: float, end: float) -> int:
    """Return the seconds a session that knows its window may live: it ends with the window, however late it is armed."""
    return math.ceil(max(0.0, end - now)) + TOLD_TTL_MARGIN_S


def to_push(names: Iterable[str], built: KernelBuild | None, facts: PreflightRecord) -> list[str]:
    """Return the modules that a host is not known to hold, among them those that are not compiled yet."""
    known = built.checksums if built else {}
    return [name for name in names if known.get(name) not in facts.modules_held]


def sessions(
    probes: Sequence[Probe],
    recorded: Mapping[str, ProbeRecord],
    modules: Mapping[str, str],
    *,
    ttl: int,
    window_s: float,
) -> list[SessionPlan]:
    """Return the sessions a host is to arm: one for every probe that has a module for its kernel.

    recorded: {probe: what sweep.json says of it}; modules: {probe: sha256}.
    """
    plans = []
    for probe in probes:
        if probe.name not in modules:
            continue
        entry = recorded[probe.name]
        load, _unused = parameters.split(probe, entry.parameters)
        values = [("fd_nonce", entry.nonce), ("fd_ttl_ms", str(ttl * 1000))]
        if not probe.form.records:
            values.append(("fd_stamp_ms", str(max(MIN_STAMP_MS, int(window_s) * 1000 // STAMPS))))
        for name, value in load.items():
            # What a script begins with need not be said, and a global that it never uses cannot be set.
            own = probe.unmodified and value == probe.parameters[name].default
            if value != "" and not own:
                values.append((name, _load_value(value)))
        plans.append(SessionPlan(probe.name, modules[probe.name], probe.limits.output_mb, values))
    return plans


def asked(
    sweep: SweepRecord, modules: Mapping[str, str], window: WindowRecord | None, arm_timeout: int, now: float
) -> dict[str, Any]:
    """Return what Guard.arm is asked for whatever the host, at `now` in seconds since 1970.

    modules: {probe: sha256}; window: None where it is not chosen yet; arm_timeout: seconds, 0: what the probes may take.
    """
    probes = sources.probes(sweep)
    timeout = arm_timeout or arm_timeout_s(probes)
    ttl = ttl_s(timeout, sweep.window_s)
    if window and window.start is not None and window.end is not None:
        ttl = told_ttl_s(now, window.end)
        # who is not armed when it starts is late, and nobody waits for that
        timeout = min(timeout, max(1, math.ceil(window.start - now)))
    recorded = {entry.name: entry for entry in sweep.probes}
    return {
        "ttl_s": ttl,
        "timeout_s": timeout,
        "plans": sessions(probes, recorded, modules, ttl=ttl, window_s=sweep.window_s),
        "redact": sweep.redact,
        "by": sweep.by,
    }


def _load_value(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
