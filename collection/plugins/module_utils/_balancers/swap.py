# SPDX-License-Identifier: GPL-3.0-or-later
"""Change weights through a driver: lower all or none, and give back by compare-and-swap.

A weight that is no longer the one set here belongs to somebody else and is left alone. One that could not be asked for
or set is owed: it stays in the record, and the timer's program tries until none is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import record as records
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers.driver import Driver
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers.policy import (
    BalancerError,
    Entry,
    GoneError,
    WeightlessError,
)

_LOOK_S = 0.5  # between looks at the sessions


@dataclass(frozen=True)
class Given:
    """What became of weights that were to be given back, by label.

    weights: those that are given back. left: why those that are somebody else's were left alone. owed: those that are
    still lowered, as {"weight": what to set, "why"}.
    """

    weights: dict[str, int] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    owed: dict[str, dict[str, Any]] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """Return for each weight that is owed which one, why, and what becomes of it."""
        return [
            f"{label}: weight {owed['weight']} is not given back yet: {owed['why']}; the balancer tries again by itself"
            for label, owed in self.owed.items()
        ]


def lower(
    driver: Driver, entries: Sequence[Entry], record: str, *, leave_out: bool = False
) -> dict[str, str]:
    """Set the weights, all or none; the record is on disk before the first one changes.

    leave_out: a server in a backend that takes no weights is left as it is everywhere, and the others are lowered.
    Returns these servers, {name: why}. Raises BalancerError where one is refused. The record then has what could not
    be taken back, and is gone if that is nothing.
    """
    records.keep(record, entries)
    done: list[Entry] = []
    left_out: dict[str, str] = {}
    try:
        for entry in entries:
            if entry.server in left_out:
                continue
            done.append(entry)
            try:
                _set(driver, entry, entry.set)
            except WeightlessError as why:
                if not leave_out:
                    raise
                done.pop()
                left_out[entry.server] = str(why)
                _take_back(driver, done, entry.server)
        if left_out:
            records.keep(record, done)
    except BalancerError as why:
        given = give_back(driver, done)
        records.keep(record, [entry for entry in done if entry.label in given.owed])
        raise BalancerError("; ".join([str(why), *given.sentences()])) from why
    return left_out


def _set(driver: Driver, entry: Entry, weight: int) -> None:
    """Set a weight and read it back. Raises BalancerError where it is not so then."""
    driver.set_weight(entry.socket, entry.backend, entry.server, weight)
    now = driver.read_weight(entry.socket, entry.backend, entry.server)
    if now != weight:
        raise BalancerError(f"{entry.label}: the weight is {now} after it was set to {weight}")


def _take_back(driver: Driver, done: list[Entry], server: str) -> None:
    """Give back what was lowered of one server, and take it out of what is done."""
    for entry in [entry for entry in done if entry.server == server]:
        _set(driver, entry, entry.before)
        done.remove(entry)


def give_back(driver: Driver, entries: Sequence[Entry]) -> Given:
    """Compare-and-swap every weight."""
    given = Given()
    for entry in entries:
        try:
            now = driver.read_weight(entry.socket, entry.backend, entry.server)
            if now != entry.set:
                given.left[entry.label] = f"its weight is {now}, not the {entry.set} we had set"
                continue
            _set(driver, entry, entry.before)
            given.weights[entry.label] = entry.before
        except GoneError as why:
            given.left[entry.label] = str(why)
        except BalancerError as why:
            given.owed[entry.label] = {"weight": entry.before, "why": str(why)}
    return given


def restore(driver: Driver, record: str) -> Given:
    """Give back what the record says; it keeps what is owed, and goes with its program when that is nothing.

    Where it cannot be written anew it keeps all: what was given back is then somebody else's, and left alone.
    """
    entries = records.read_record(record)
    given = give_back(driver, entries)
    try:
        records.keep(record, [entry for entry in entries if entry.label in given.owed])
    except OSError:
        if not given.owed:
            raise
        # A full disk must not end who tries until nothing is owed.
    return given


def wait_for_sessions(
    driver: Driver, entries: Sequence[Entry], before: Mapping[str, int], timeout_s: float
) -> tuple[dict[str, int], bool]:
    """Wait until each server has no more sessions than its lower weight's share.

    before: {label: sessions} when the weights were changed. Returns {label: sessions now} and whether they fell in time.
    """
    limit = {e.label: math.ceil(before.get(e.label, 0) * e.set / max(1, e.before)) for e in entries}
    deadline = time.monotonic() + timeout_s
    while True:
        now = {
            label: count
            for path in sorted({entry.socket for entry in entries})
            for label, count in driver.sessions(path).items()
            if label in limit
        }
        settled = all(now.get(label, 0) <= most for label, most in limit.items())
        if settled or time.monotonic() >= deadline:
            return now, settled
        time.sleep(_LOOK_S)
