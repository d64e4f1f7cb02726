# SPDX-License-Identifier: GPL-3.0-or-later
"""When the window of a sweep starts, on each host by its own clock."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.sources import SMOKE as SMOKE

MIN_LEAD_S = 3.0
MAX_LEAD_S = 86400.0
TOLD_LEAD_S = 2.0  # hosts count in whole seconds what they waited
LEAD_MARGIN = 1.3
PLACE_MARGIN = 1.1  # where all that it takes was measured together
FORESEEN_S = 5.0
"""Hosts that take longer to arm also vary by more than it takes to tell them the window once they are armed."""
LEAD_PER_HOST_S = 0.05  # what Ansible's main process, which is one, spends before it gets to the next


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
