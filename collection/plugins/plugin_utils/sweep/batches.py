# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is probed when: first the canaries, then batch after batch, and after each whether to go on.

Pure functions. A sweep with canaries or batches has them in window.json, each with the window that it got.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    ArmedSession,
    ArmRecord,
    CollectRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.stderr import read_losses
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import (
    BatchRecord,
    WindowFile,
)

_AMOUNT = re.compile(r"([0-9]{1,6})(%?)")
_GOOD_RESULTS = ("", "success", "stopped")


@dataclass(frozen=True)
class Batch:
    """Hosts that are probed in the same window. canary: the others wait for what becomes of them."""

    hosts: tuple[str, ...]
    canary: bool = False


@dataclass(frozen=True)
class Watched:
    """What the run directory holds of one host when its batch is over. errors: by probe, what staprun said."""

    host: str
    window_s: float
    arm: ArmRecord | None = None
    collect: CollectRecord | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    kept_out: str = ""


def amount(given: object, option: str) -> tuple[int, bool]:
    """Return (number, whether it is per cent) of `3` or `10%`; (0, False) for nothing. Errors name the option."""
    said = str(given).strip()
    found = _AMOUNT.fullmatch(said or "0")
    if not found or (found[2] and int(found[1]) > 100):
        raise FleetdiagError(f"{option}: {said!r} is no number of hosts; say for instance 1 or 10%")
    return int(found[1]), bool(found[2])


def plan(hosts: Sequence[str], peers: Mapping[str, str], *, canary: object, batch: object) -> list[Batch]:
    """Return the batches in order; none if neither canaries nor batches are wanted, which is one window for all.

    hosts: those that can be probed, in the inventory's order. peers: {host: set of hosts it should be like}; canaries
    are the first of each set. A per cent of anything is at least one host.
    """
    canaries = list(_canaries(hosts, peers, *amount(canary, "sweep_canary")))
    rest = [host for host in hosts if host not in set(canaries)]
    size = _of(len(hosts), *amount(batch, "sweep_batch"))
    planned = [Batch(tuple(canaries), canary=True)] if canaries else []
    if size:
        planned += [Batch(tuple(rest[at : at + size])) for at in range(0, len(rest), size)]
    elif planned and rest:
        planned.append(Batch(tuple(rest)))
    return planned


def _canaries(hosts: Sequence[str], peers: Mapping[str, str], count: int, percent: bool) -> Iterator[str]:
    alike: dict[str, list[str]] = {}
    for host in hosts:
        alike.setdefault(peers.get(host, ""), []).append(host)
    chosen = {host for listed in alike.values() for host in listed[: _of(len(listed), count, percent)]}
    return (host for host in hosts if host in chosen)


def _of(total: int, count: int, percent: bool) -> int:
    return max(1, total * count // 100) if percent and count else count


# --- whether to go on ---


def verdict(
    batch: Batch | BatchRecord, watched: Iterable[Watched], *, max_failed_percent: int, max_cpu_percent: int
) -> str:
    """Return the reason why no further batch may be probed; "" to go on.

    One canary with any trouble is enough; of another batch, trouble on more than this share of its hosts.
    """
    troubles = []
    for host in watched:
        said = trouble(host, max_cpu_percent=max_cpu_percent, canary=batch.canary)
        if said:
            troubles.append(f"{host.host}: {said}")
    if not troubles:
        return ""
    if batch.canary:
        more = f" (and {plural(len(troubles) - 1, 'more canary')})".replace("canarys", "canaries")
        return f"canary {troubles[0]}" + (more if len(troubles) > 1 else "")
    if 100 * len(troubles) <= max_failed_percent * len(batch.hosts):
        return ""
    return f"{len(troubles)} of {plural(len(batch.hosts), 'host')} of the batch before failed: {troubles[0]}"


def trouble(host: Watched, *, max_cpu_percent: int, canary: bool) -> str:
    """Return a clause that says what went wrong on one host, or "". Losses that only touch figures are no trouble."""
    if host.kept_out:
        return host.kept_out if canary else ""
    arm = host.arm or ArmRecord()
    if arm.verdict != "ok":
        return f"was not armed: {arm.reason or 'it did not answer'}"
    if host.collect is None:
        return "nothing came back from it; it may have lost its network"
    return next(_troubles(host, arm, host.collect, max_cpu_percent), "")


def _troubles(host: Watched, arm: ArmRecord, collect: CollectRecord, max_cpu_percent: int) -> Iterator[str]:
    yield from collect.kernel
    yield from (f"module {name} is still loaded" for name in collect.residue)
    for probe, said in host.errors.items():
        if read_losses(said).overload:
            yield f"{probe} cost too much and was ended by SystemTap"
    for probe, armed in arm.sessions.items():
        if armed.status == "failed":
            yield f"{probe} could not be armed: {armed.error or 'no reason was given'}"
    for probe, session in collect.sessions.items():
        if session.result not in _GOOD_RESULTS:
            yield f"{probe} ended with {session.result}"
        lived = host.window_s + (arm.sessions.get(probe, ArmedSession()).seconds or 0.0)
        used = 100 * (session.cpu_s or 0.0) / max(lived, 1.0)
        if max_cpu_percent and used > max_cpu_percent:
            yield f"{probe} used {used:.0f} % of a processor, more than {max_cpu_percent} %"


# --- window.json ---


def planned(batches: Sequence[Batch]) -> WindowFile:
    """Return window.json before the first window is chosen."""
    return WindowFile(batches=tuple(BatchRecord(hosts=one.hosts, canary=one.canary) for one in batches))
