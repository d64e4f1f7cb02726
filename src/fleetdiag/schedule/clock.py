# SPDX-License-Identifier: GPL-3.0-or-later
"""Slots: the times at which a named sweep is due. Seconds since 1970; systemd itself reads its calendar."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from fleetdiag.config import DAY_S, NamedSweep

WEEK_S = 7 * DAY_S
MAX_ELAPSES = 1500
_SPANS = (3600, DAY_S, 8 * DAY_S, 32 * DAY_S, 400 * DAY_S, 5 * 366 * DAY_S)
_LINE = re.compile(r"(?:Next elapse|Iter\. #\d+|\(in UTC\)): (.*)")
_MAX_LATE_S = 600
_MAX_LATE_SHARE = 0.1


def slot(sweep: NamedSweep, now: float) -> float | None:
    """Return the latest slot that is not after `now`, None if the schedule has none in five years."""
    length = sweep.seconds("every")
    if length:
        return now // length * length
    for span in _SPANS:
        found = after(sweep, now - span, now)
        if found:
            return found[-1]
    return None


def after(sweep: NamedSweep, start: float, end: float) -> list[float]:
    """Return the slots later than `start` and not later than `end`, at most MAX_ELAPSES, the latest of them."""
    length = sweep.seconds("every")
    if length:
        first = max(start // length + 1, end // length - MAX_ELAPSES + 1)
        return [number * length for number in _whole(first, end // length)]
    found: list[float] = []
    while start < end:
        more = _elapses(sweep.text("schedule"), start, 200)
        found += [time for time in more if time <= end]
        if not more or more[-1] > end or len(found) > MAX_ELAPSES:
            break
        start = more[-1]
    return found[-MAX_ELAPSES:]


def following(sweep: NamedSweep, now: float) -> float | None:
    """Return the next slot after `now`, None if there is none."""
    length = sweep.seconds("every")
    if length:
        return (now // length + 1) * length
    return next(iter(_elapses(sweep.text("schedule"), now, 1)), None)


def per_week(sweep: NamedSweep, now: float) -> float:
    """Return how many slots there are in the week after `now`; a rarer sweep counts by its next interval."""
    length = sweep.seconds("every")
    if length:
        return WEEK_S / length
    coming = _elapses(sweep.text("schedule"), now, 2)
    if len(coming) < 2:
        return 0.0
    gap = coming[1] - coming[0]
    return WEEK_S / gap if gap >= WEEK_S else float(len(after(sweep, now, now + WEEK_S)))


def interval_s(sweep: NamedSweep, now: float) -> float:
    """Return the seconds between the two slots after `now`."""
    length = sweep.seconds("every")
    if length:
        return length
    coming = _elapses(sweep.text("schedule"), now, 2)
    return coming[1] - coming[0] if len(coming) == 2 else DAY_S


def max_late_s(sweep: NamedSweep, now: float) -> float:
    """Return how late a sweep may begin: `max_late`, by default a tenth of the interval but 10 minutes at most.

    The random delay of the timer is no lateness, so it comes on top.
    """
    given = sweep.seconds("max_late")
    late = given if given is not None else min(_MAX_LATE_S, _MAX_LATE_SHARE * interval_s(sweep, now))
    return late + (sweep.seconds("random_delay") or 0)


def on_calendar(sweep: NamedSweep) -> list[str]:
    """Return the schedule as values of OnCalendar=."""
    length = sweep.seconds("every")
    if not length:
        return [sweep.text("schedule")]
    if length == DAY_S:
        return ["*-*-* 00:00:00 UTC"]
    if length % 3600 == 0:
        return [f"*-*-* 00/{length // 3600}:00:00 UTC"]
    if 3600 % length == 0 and length % 60 == 0:
        return [f"*-*-* *:00/{length // 60}:00 UTC"]
    return [f"*-*-* {datetime.fromtimestamp(time, UTC):%H:%M:%S} UTC" for time in range(0, DAY_S, length)]


def iso(time: float) -> str:
    """Return a slot as runs and records name it: ISO 8601, UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def of_iso(text: str) -> float | None:
    """Return the time of a slot's name, None if it is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def _whole(first: float, last: float) -> range:
    return range(int(first), int(last) + 1)


def _elapses(calendar: str, start: float, count: int) -> list[float]:
    """Ask systemd for the `count` times of a calendar that follow `start`."""
    command = [
        "systemd-analyze",
        "calendar",
        f"--iterations={count}",
        f"--base-time=@{int(start)}",
        "--",
        calendar,
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FleetdiagError(
            f"schedule {printable(calendar)!r}: systemd-analyze, which reads it, cannot be run ({error});"
            ' install systemd, or say every = "1h" instead'
        ) from error
    if done.returncode:
        said = printable((done.stderr.strip().splitlines() or ["no message"])[0])
        raise FleetdiagError(
            f"schedule {printable(calendar)!r}: systemd does not take it ({said}); write it as OnCalendar has it,"
            " for instance '*-*-* 01:30'"
        )
    return _times(done.stdout)


def _times(output: str) -> list[float]:
    """Read the answer; where the local zone is not UTC, each time is followed by the same in UTC."""
    times: list[float] = []
    for line in output.splitlines():
        found = _LINE.match(line.strip())
        if found and found[1].endswith(" UTC"):
            moment = datetime.strptime(found[1].removesuffix(" UTC")[4:], "%Y-%m-%d %H:%M:%S")
            times.append(moment.replace(tzinfo=UTC).timestamp())
    return times
