# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sweep does where and when: pure functions from what is known to what comes next.

A sweep is `new_sweep` (what was asked), then `builds` (which host compiles for which kernel), `sessions` (what each
host is to arm) and `window` (when). Times are seconds unless the name says ms.
"""

from __future__ import annotations

import math
import secrets
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import parameters
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import policy
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import series
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl import SMOKE as SMOKE
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl import SessionPlan

MIN_LEAD_S = 3.0
MAX_LEAD_S = 86400.0
TOLD_LEAD_S = 2.0  # hosts count in whole seconds what they waited
LEAD_MARGIN = 1.3
PLACE_MARGIN = 1.1  # where all that it takes was measured together
FORESEEN_S = 5.0
"""Hosts that take longer to arm also vary by more than it takes to tell them the window once they are armed."""
LEAD_PER_HOST_S = 0.05  # what Ansible's main process, which is one, spends before it gets to the next
ARM_MARGIN_S = 30
FLUSH_S = 1.0  # staprun hands output on every 0.2 s; `end` probes print after the window
TTL_MARGIN_S = 120
COLLECT_S = 120  # to unload modules on a machine that is busy
COLLECT_S_PER_MB = 2  # of output that is redacted, packed and sent
TOLD_TTL_MARGIN_S = 60

# A script whose lines carry no time is told it between them, so often in a window.
STAMPS = 3000
MIN_STAMP_MS = 100


@dataclass(frozen=True)
class Build:
    """What one host has compiled, for its own kernel or another's. leader: that host; it waits, the builder works.

    builders: whom to ask, one after the other until one can; target_mode: the leader itself. names: of the modules.
    whole: they are all that is wanted for this kernel. stapruns: the versions of staprun on the kernel's hosts; where
    none can run a builder's modules, nothing is compiled.
    """

    kernel: str
    build_id: str
    builders: list[str]
    leader: str
    names: list[str]
    whole: bool
    target_mode: bool
    stapruns: list[str]


def new_id(now: datetime) -> str:
    """A sweep id, safe in file, unit and kernel module names: `20261123_071502_1f3a` (UTC)."""
    return f"{now.astimezone(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(2)}"


def new_sweep(
    *,
    now: datetime,
    version: str,
    probes: Sequence[Probe],
    values: Mapping[str, Mapping[str, object]],
    window_s: int,
    hosts: Sequence[str],
    peers: Mapping[str, str],
    conditions: Mapping[str, Any],
) -> dict[str, Any]:
    """sweep.json: what was asked, with the text of each script that is in no catalog.

    values: checked parameters per probe; peers: see `peer_sets`.
    """
    hashes = {
        probe.name: series.of_probe(
            policy.text_of(probe.script) if probe.script else "", probe.manifest, values.get(probe.name, {})
        )
        for probe in probes
    }
    return {
        "id": new_id(now),
        "created": now.astimezone(UTC).isoformat(timespec="seconds"),
        "fleetdiag": version,
        "window_s": window_s,
        "hosts": list(hosts),
        "peers": {host: peers.get(host, "") for host in hosts},
        "probes": [
            {
                "name": probe.name,
                "manifest": dict(probe.manifest),
                "parameters": dict(values.get(probe.name, {})),
                "nonce": secrets.token_hex(8),
                "hash": hashes[probe.name],
                **({"script": policy.text_of(probe.script)} if probe.unmodified and probe.script else {}),
            }
            for probe in probes
        ],
        "series": series.of_sweep(hashes.values(), window_s),
        "conditions": dict(conditions),
    }


def peer_sets(
    hosts: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    depths: Mapping[str, int],
    named: Mapping[str, str],
) -> dict[str, str]:
    """{host: name of the set of hosts it should be like}, "" for those that are in no group.

    named: what the inventory says itself (variable sweep_peers). Else it is the deepest of the host's groups,
    of those the one with most hosts of the inventory: `web` below `site`, and `web` rather than `room_b`. So the
    sets do not depend on which of the hosts are swept, or on how they are dealt out to shards.
    """
    sizes = Counter(group for named_groups in groups.values() for group in named_groups)

    def rank(group: str) -> tuple[int, int, str]:
        return -depths.get(group, 0), -sizes[group], group

    return {host: named.get(host) or min(groups.get(host, ()), key=rank, default="") for host in hosts}


def builds(
    preflights: Iterable[Mapping[str, Any]], builders: Sequence[str], names: Sequence[str]
) -> list[Build]:
    """Share the kernels of the hosts that can be probed among the builders.

    names: of the modules that every kernel needs. Where there are more builders than kernels, they share the modules
    of one kernel, as far as there are hosts to lead. Without a builder each kernel is built by its first host (target
    mode). Order of hosts decides; kernels are sorted.
    """
    leaders: dict[str, Mapping[str, Any]] = {}
    stapruns: dict[str, set[str]] = {}
    others: list[str] = []
    for facts in preflights:
        if facts.get("verdict") == "ok":
            kernel = str(facts["kernel"])
            if leaders.setdefault(kernel, facts) is not facts:
                others.append(str(facts["host"]))
            stapruns.setdefault(kernel, set()).add(str(facts.get("staprun", "")))
    found = []
    for position, (kernel, facts) in enumerate(sorted(leaders.items())):
        first = str(facts["host"])
        turns = _turns(position, len(leaders), builders) or [[first]]
        parts = min(len(turns), len(names), 1 + len(others))
        for part, asked in enumerate(turns[:parts]):
            found.append(
                Build(
                    kernel=kernel,
                    build_id=str(facts.get("kernel_build_id", "")),
                    builders=asked,
                    leader=others.pop(0) if part else first,
                    names=list(names[part::parts]),
                    whole=parts == 1,
                    target_mode=not builders,
                    stapruns=sorted(stapruns[kernel]),
                )
            )
    return found


def _turns(position: int, kernels: int, builders: Sequence[str]) -> list[list[str]]:
    """For each builder of a kernel's own: all builders in the order in which they are asked, that one first."""
    if not builders:
        return []
    own = list(builders[position::kernels]) or [builders[position % len(builders)]]
    rest = [builder for builder in builders if builder not in own]
    rest = rest[position % max(len(rest), 1) :] + rest[: position % max(len(rest), 1)]
    return [own[part:] + own[:part] + rest for part in range(len(own))]


def arm_timeout_s(probes: Iterable[Probe]) -> int:
    """How long a host may take to arm all its sessions: they register one after the other on a one-CPU machine."""
    return sum(probe.limits.arm_seconds for probe in probes) + ARM_MARGIN_S


def ttl_s(arm_timeout: int, window_s: int) -> int:
    """How long a session may live, whatever happens to the controller: the slowest host may arm last."""
    return 2 * arm_timeout + window_s + TTL_MARGIN_S


def collect_timeout_s(probes: Iterable[Probe]) -> int:
    """How long a host may take to hand over its output: as much as its limits allow, whatever the window."""
    return COLLECT_S + COLLECT_S_PER_MB * sum(probe.limits.output_mb for probe in probes)


def told_ttl_s(now: float, end: float) -> int:
    """How long a session that knows its window may live: it ends with the window, however late it was armed."""
    return math.ceil(max(0.0, end - now)) + TOLD_TTL_MARGIN_S


def check_start(start: float, now: float) -> None:
    """Refuse a start instant that no host could make. start: seconds since 1970, 0 for none given."""
    if not start:
        return
    ahead = start - now
    if not ahead >= MIN_LEAD_S:
        past = f"{-ahead:.1f} s ago" if ahead < 0 else f"only {ahead:.1f} s ahead"
        raise FleetdiagError(
            f"sweep_start {start:.0f}: is {past}, no host can be armed by then; choose one that leaves time for"
            " preflight, build and arming, or none"
        )
    if ahead > MAX_LEAD_S:
        raise FleetdiagError(
            f"sweep_start {start:.0f}: is {ahead:.0f} s ahead; it is in seconds since 1970, at most a day from now"
        )


def given_window(start: float, window_s: int, now: float) -> dict[str, float]:
    """window.json for a start that was given from outside; a host that is armed after it is late, and marked."""
    if start + window_s <= now:
        raise FleetdiagError(
            f"the window that sweep_start asks for ended {now - start - window_s:.1f} s ago: preflight and build took"
            " longer than it left; nothing was armed, choose a later one"
        )
    return {"start": start, "end": start + window_s}


def sessions(
    probes: Sequence[Probe],
    recorded: Mapping[str, Mapping[str, Any]],
    modules: Mapping[str, str],
    *,
    ttl: int,
    window_s: int,
) -> list[SessionPlan]:
    """What a host is to arm: every probe that has a module for its kernel.

    recorded: {probe: its entry in sweep.json}; modules: {probe: sha256}.
    """
    plans = []
    for probe in probes:
        if probe.name not in modules:
            continue
        entry = recorded[probe.name]
        load, _ = parameters.split(probe, entry["parameters"])
        values = [("fd_nonce", str(entry["nonce"])), ("fd_ttl_ms", str(ttl * 1000))]
        if probe.output != "rows":
            values.append(("fd_stamp_ms", str(max(MIN_STAMP_MS, window_s * 1000 // STAMPS))))
        for name, value in load.items():
            # What a script begins with need not be said, and a global that it never uses cannot be set.
            own = probe.unmodified and value == probe.parameters[name].default
            if value != "" and not own:
                values.append((name, _load_value(value)))
        plans.append(SessionPlan(probe.name, modules[probe.name], probe.limits.output_mb, values))
    return plans


def window(now: float, window_s: int, *, armed_hosts: int, forks: int, answer_s: float) -> dict[str, float]:
    """window.json: the common start lies far enough ahead for every host to hear of it.

    answer_s: how long one command took on the slowest host, which is more than it takes to hear of the window; the hosts
    are told `forks` at a time.
    """
    if armed_hosts < 1:
        raise FleetdiagError(
            "no host is armed, so there is nothing to watch; the report says why for each host"
        )
    turns = math.ceil(armed_hosts / max(forks, 1))
    start = now + max(MIN_LEAD_S, TOLD_LEAD_S + turns * answer_s)
    return {"start": start, "end": start + window_s}


def contact_s(armed: Mapping[str, Any]) -> float:
    """From arm.json: what of the arming was the way there and back, and not the sessions."""
    sessions = armed.get("sessions")
    waited = [
        untrusted.seconds(session.get("seconds")) or 0.0
        for session in (sessions.values() if isinstance(sessions, Mapping) else ())
        if isinstance(session, Mapping)
    ]
    return max(0.0, (untrusted.seconds(armed.get("took_s")) or 0.0) - max(waited, default=0.0))


def answer_s(facts: Mapping[str, Any], armed: Mapping[str, Any]) -> float:
    """How long a host takes to answer in this sweep, from preflight.json and arm.json. A preflight that is remembered
    says how it was then, which may have been a bad moment."""
    asked = 0.0 if facts.get("remembered") else untrusted.seconds(facts.get("answer_s")) or 0.0
    return max(asked, contact_s(armed))


@dataclass(frozen=True)
class Contact:
    """How one command to a host went before: seconds it took, and among how many hosts that were asked `at_once`.

    place_s: how long one of these `at_once` places was taken for a host, Ansible's own work included, where that was
    measured (`place_s()`).
    """

    seconds: float
    at_once: int
    place_s: float | None = None


def place_s(chosen: float, ended: Sequence[float], at_once: int) -> float:
    """Seconds for which each of `at_once` places was taken for one host; one host in ten may be slow and does not count.

    chosen: when the arming was about to begin; ended: when each host's was over, at least one.
    """
    most = sorted(ended)[: math.ceil(0.9 * len(ended))]
    return max(0.0, most[-1] - chosen) * at_once / max(at_once, len(most))


def foreseen_window(
    now: float,
    window_s: int,
    *,
    armings: Sequence[float],
    contacts: Sequence[Contact],
    forks: int,
    arm_timeout: int,
) -> dict[str, float] | None:
    """window.json before anybody is armed: the slowest host that is not out of all proportion still makes the start.

    None where arming is slow for most (FORESEEN_S): the window is better chosen when all are armed.
    armings: seconds each host took to arm these modules before; contacts: one for each. Now they are asked `forks` at a
    time.
    """
    usual = in_proportion(armings)
    if not usual or statistics.median(map(untrusted.sound, armings)) > FORESEEN_S:
        return None
    turns_s = _turns_s(contacts, forks)
    slowest = max(usual)
    lead = turns_s + LEAD_MARGIN * slowest
    start = now + min(max(MIN_LEAD_S, 1.0 + lead), turns_s + arm_timeout)
    return {"start": start, "end": start + window_s, "chosen": now}


def _turns_s(contacts: Sequence[Contact], forks: int) -> float:
    """How long it may take until all have been asked: as it did then, and no less than the quickest answer allows.

    Where the controller is what takes the time, hosts that are asked fewer at a time answer so much sooner.
    """
    hosts = len(contacts)
    as_then = 0.0
    for contact in contacts:
        places = max(1, min(contact.at_once, hosts))
        if contact.place_s is None:
            as_then += LEAD_MARGIN * (untrusted.sound(contact.seconds) / places + LEAD_PER_HOST_S)
        else:
            as_then += PLACE_MARGIN * untrusted.sound(contact.place_s) / places
    quickest = min((untrusted.sound(contact.seconds) for contact in contacts), default=0.0)
    return max(as_then, LEAD_MARGIN * quickest * hosts / max(1, min(forks, hosts)))


def in_proportion(seconds: Sequence[float]) -> list[float]:
    """Without those that would make everybody wait: more than ten times the median, and five seconds.

    A clock that was set makes times below zero, which are none.
    """
    measured = [max(0.0, one) for one in seconds if math.isfinite(one)]
    limit = 10 * statistics.median(measured) + 5 if measured else 0.0
    return [one for one in measured if one <= limit]


def on_host_clock(epoch: float, offset_s: float) -> int:
    """A controller time as epoch milliseconds of a host's clock."""
    return round((epoch + offset_s) * 1000)


def _load_value(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
