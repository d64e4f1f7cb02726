# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the clock of a host is from ours, and how sure that is."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import ClockRecord

CLOCK_SAMPLES = 3
_TIME = re.compile(r"[0-9]{10}\.[0-9]{9}")


@dataclass(frozen=True)
class Clock:
    """Clock of a host against the controller's: host time = controller time + offset_s, give or take error_s."""

    offset_s: float
    error_s: float

    @classmethod
    def stored(cls, data: object) -> Clock | None:
        """Read a clock of a record; None if it is no clock."""
        found = untrusted.offset(data)
        return None if found is None else cls(*found)

    @classmethod
    def recorded(cls, record: ClockRecord | None) -> Clock | None:
        """Return the clock of a record; None if it is no clock."""
        return cls.stored(asdict(record)) if record else None

    @property
    def correction_s(self) -> float:
        """Return the seconds to add to a controller time; 0 if the clock's own error could explain them."""
        return self.offset_s if abs(self.offset_s) > self.error_s else 0.0


def answered_clock(lines: Iterable[str], sent: float, received: float) -> Clock | None:
    """Return the clock that an answer shows, if it does.

    What the host did meanwhile is between its two times and costs no exactness.
    """
    said = dict(untrusted.pairs(line for line in lines if line.startswith(("came=", "left="))))
    came, left = (untrusted.moment(said.get(key), sent) for key in ("came", "left"))
    if came is None or left is None:
        return None
    error = (received - sent - (left - came)) / 2
    return Clock((came - sent + left - received) / 2, error) if error >= 0 else None


def better_clock(known: Clock | None, new: Clock | None) -> Clock | None:
    """Return the clock that both allow. If they exclude each other it was set meanwhile, and the new one is right."""
    if known is None or new is None:
        return new or known
    low = max(known.offset_s - known.error_s, new.offset_s - new.error_s)
    high = min(known.offset_s + known.error_s, new.offset_s + new.error_s)
    return Clock((low + high) / 2, (high - low) / 2) if low <= high else new


def measure_clock(read_clock: Callable[[], str], *, now: Callable[[], float] = time.time) -> Clock:
    """Compare clocks by asking a few times and keeping the quickest answer; the error is half its round trip.

    read_clock: returns the host's `date +%s.%N`. Raises FleetdiagError if no answer was a time.
    """
    best: Clock | None = None
    answer = ""
    for _unused in range(CLOCK_SAMPLES):
        sent = now()
        answer = read_clock().strip()
        received = now()
        host = untrusted.moment(answer.rpartition("\n")[2], sent)  # a login shell may greet before it answers
        if host is None:
            continue
        sample = Clock(host - (sent + received) / 2, (received - sent) / 2)
        if best is None or sample.error_s < best.error_s:
            best = sample
    if best is None:
        raise FleetdiagError(_no_clock(answer))
    return best


def _no_clock(answer: str) -> str:
    """Return why an answer is no time of a host's clock, with what to do."""
    said = printable(" ".join(_TIME.sub("", answer).split()))[:100]
    if said and _TIME.search(answer):
        return (
            f"its shell prints text around the answer of a command ({said!r}): let it print on terminals only, see"
            " .bashrc, .profile and /etc/profile there"
        )
    return (
        "the host's clock could not be read, or is more than a year from ours: set it, and see that `date +%s.%N`"
        " answers there"
    )
