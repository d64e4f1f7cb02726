# SPDX-License-Identifier: GPL-3.0-or-later
"""When the window of a sweep starts, on each host by its own clock."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import ArmRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import WindowRecord

MIN_LEAD_S = 3.0
MAX_LEAD_S = 86400.0
TOLD_LEAD_S = 2.0
"""From the moment when all hosts have been told a start until it comes."""
SMALL_FLEET = 5
"""Fewer hosts are told the start when all are armed: that takes one command more, and none of them can be late."""
FORESEEN_LEAD_S = 1.0
LEAD_MARGIN = 1.3
WORTH_S = 1.0
"""A window is not brought forward by less: each host would have to be told."""
MOST = 0.9
"""Of the hosts, for which a start is chosen; the others may be late."""


@dataclass(frozen=True)
class Arming:
    """How the arming of a host went: seconds from the phase's beginning until it was armed, among how many hosts."""

    seconds: float
    hosts: int


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


def given_window(start: float, window_s: float, now: float) -> WindowRecord:
    """Return the window for a start that was given from outside; a host that is armed after it is late, and marked."""
    if start + window_s <= now:
        raise FleetdiagError(
            f"the window that sweep_start asks for ended {now - start - window_s:.1f} s ago: preflight and build took"
            " longer than it left; nothing was armed, choose a later one"
        )
    return WindowRecord(start, start + window_s)


def told_window(
    now: float,
    window_s: float,
    *,
    contacts: Sequence[float],
    forks: int,
    live_until: float,
    foreseen: WindowRecord | None,
) -> WindowRecord | None:
    """Return the window for hosts that are all armed: as soon as each can have heard of it.

    contacts: seconds that the way to each armed host and back took, at least one; they are told `forks` at a time.
    live_until: when the sessions that were armed first end by themselves; the window is over by then if it can be.
    foreseen: the window that they were armed with. None where that comes as soon, or has begun.
    """
    if not contacts:
        raise FleetdiagError(
            "no host is armed, so there is nothing to watch; the report says why for each host"
        )
    turns = math.ceil(len(contacts) / max(forks, 1))
    told = now + TOLD_LEAD_S + turns * _of_most(in_proportion(contacts))
    start = max(now + TOLD_LEAD_S, min(told, live_until - window_s))
    if foreseen and foreseen.start is not None and foreseen.start < start + WORTH_S:
        return None
    return WindowRecord(start, start + window_s)


def foreseen_window(
    now: float, window_s: float, *, armings: Sequence[Arming | None], forks: int, arm_timeout: int
) -> WindowRecord | None:
    """Return the window before anybody is armed: most hosts will be when it starts, as they were before.

    armings: one for each host that will be armed; None for one that is not known to have been armed with these modules.
    None where the hosts are better told when all are armed: few of them, and none that keeps the others waiting, or most
    of them unknown.
    """
    # Who was armed among fewer hosts waited for fewer. It is too long where the controller had places left: the window
    # is brought forward then.
    known = [one.seconds * max(1.0, len(armings) / one.hosts) for one in armings if one]
    usual = in_proportion(known)
    if 2 * len(known) <= len(armings) or (len(armings) < SMALL_FLEET and len(usual) == len(known)):
        return None
    longest = math.ceil(len(armings) / max(forks, 1)) * arm_timeout
    start = now + FORESEEN_LEAD_S + min(LEAD_MARGIN * _of_most(usual), longest)
    return WindowRecord(start, start + window_s)


def contact_s(armed: ArmRecord) -> float:
    """Return what of the arming was the way there and back and not the sessions; in seconds."""
    waited = [session.seconds or 0.0 for session in armed.sessions.values()]
    return max(0.0, (armed.took_s or 0.0) - max(waited, default=0.0))


def in_proportion(seconds: Sequence[float]) -> list[float]:
    """Return them without those that would make everybody wait: more than three times the median, and two seconds."""
    limit = 3 * statistics.median(seconds) + 2 if seconds else 0.0
    return [one for one in seconds if one <= limit]


def _of_most(seconds: Sequence[float]) -> float:
    return sorted(seconds)[math.ceil(MOST * len(seconds)) - 1]


def on_host_clock(epoch: float, offset_s: float) -> int:
    """Return a controller time as epoch milliseconds of a host's clock."""
    return round((epoch + offset_s) * 1000)
