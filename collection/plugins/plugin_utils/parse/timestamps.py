# SPDX-License-Identifier: GPL-3.0-or-later
"""When a line of free text was printed, as well as that can be known.

Two things are known of a line: the last time that the session told before it (`@time` records), and what the line
says of itself, if it begins with a time. Both are taken as `not before`, so the later of them holds, and no line is
earlier than the one printed before it: lines of a host are never put into another order than they were printed in.
A time that a line begins with is taken if it lies in the window, and soon after what the session told.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

AFTER_TOLD_MS = 5_000
"""How far a line's own time may lie after the last one that the session told."""
_BEFORE_MS = 60_000
"""A line may speak of something that lies so far back; it was printed later all the same."""
_QUARTER_MS = 15 * 60 * 1000
"""Time zones differ by multiples of this."""

_LEAD = r"\s*[\[(]?"
_CLOCK = r"(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?"
_EPOCH = re.compile(_LEAD + r"(\d{10}(?:\d{3}|\d{6}|\d{9})?)(?:\.(\d{1,9}))?(?!\d)")
_ISO = re.compile(_LEAD + r"(\d{4})-(\d\d)-(\d\d)[ T]" + _CLOCK + r"\s?(Z|[+-]\d\d:?\d\d)?")
_CTIME = re.compile(_LEAD + r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) " + _CLOCK + r" (\d{4})")
_OF_DAY = re.compile(_LEAD + _CLOCK + r"(?!\d)")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def begins_with_time(line: str) -> bool:
    """Return whether a line begins with its time. A bare number of seconds may be anything, so that is none here."""
    return any(pattern.match(line) for pattern in (_ISO, _CTIME, _OF_DAY))


class LineClock:
    """Says of the lines of one session, one after the other, when they were printed.

    window_ms: when the window began by the host's clock (epoch), None if it never came. length_ms: how long it was
    to be. Afterwards: `told` if the session told times between its lines, `own` if lines told their own.
    """

    def __init__(self, window_ms: int | None, length_ms: float) -> None:
        self.told = False
        self.own = False
        self._window_ms = window_ms
        self._end_ms = length_ms + 1000
        self._first: int | None = None
        self._last: int | None = None

    def time(self, line: str, told_ms: int | None) -> int | None:
        """Return milliseconds since the window's start; the line was printed then or later, before the next one."""
        if told_ms is None or self._window_ms is None:
            return None
        self._first = told_ms if self._first is None else self._first
        self.told = self.told or told_ms > self._first
        now = told_ms if self._last is None else max(told_ms, self._last)
        near = told_ms if self.told else now
        latest = min(self._end_ms, told_ms + AFTER_TOLD_MS if self.told else self._end_ms)
        own = self._own(line, near)
        if own is not None and near - _BEFORE_MS <= own <= latest:
            self.own = True
            now = max(now, own)
        self._last = now
        return now

    @property
    def known(self) -> bool:
        """Return whether more is known than that the lines were printed in the window."""
        return self.told or self.own

    def _own(self, line: str, near_ms: int) -> int | None:
        """Return the time that the line says of itself, in ms since the window's start; None if it says none."""
        window_ms = self._window_ms or 0
        for pattern, read in _READERS:
            match = pattern.match(line)
            if match is not None:
                found = read(match)
                return None if found is None else found - window_ms
        match = _OF_DAY.match(line)
        of_day = _of_day(*match.groups()) if match is not None else None
        if of_day is None:
            return None
        # The time zone is not known, but in the quarters of an hour all are alike.
        earliest = near_ms - _BEFORE_MS
        return earliest + (of_day - (window_ms + earliest)) % _QUARTER_MS


def _of_day(hour: str, minute: str, second: str, fraction: str | None) -> int | None:
    """Return milliseconds since midnight; None if there is no such time of day."""
    if int(hour) > 23 or int(minute) > 59 or int(second) > 60:
        return None
    return ((int(hour) * 60 + int(minute)) * 60 + int(second)) * 1000 + int(
        (fraction or "").ljust(3, "0")[:3]
    )


def _epoch(match: re.Match[str]) -> int | None:
    """Return ms since the epoch from seconds, milli-, micro- or nanoseconds, told apart by the number of digits."""
    whole, fraction = match.groups()
    if len(whole) > 10:
        return int(whole[:13])
    return int(whole) * 1000 + int((fraction or "").ljust(3, "0")[:3])


def _iso(match: re.Match[str]) -> int | None:
    year, month, day, *clock, zone = match.groups()
    return _epoch_of(int(year), int(month), int(day), _of_day(*clock), zone)


def _ctime(match: re.Match[str]) -> int | None:
    name, day, *clock, year = match.groups()
    month = _MONTHS.index(name) + 1 if name in _MONTHS else 0
    return _epoch_of(int(year), month, int(day), _of_day(*clock), None)


def _epoch_of(year: int, month: int, day: int, of_day: int | None, zone: str | None) -> int | None:
    """Return ms since the epoch. SystemTap's ctime() is in UTC, like everything that names no zone here."""
    if of_day is None:
        return None
    offset = timedelta()
    if zone and zone != "Z":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:])) * (-1 if zone[0] == "-" else 1)
    try:
        midnight = datetime(year, month, day, tzinfo=timezone(offset))
        return int((midnight - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000) + of_day
    except (ValueError, OverflowError):
        return None


_READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], int | None]], ...] = (
    (_EPOCH, _epoch),
    (_ISO, _iso),
    (_CTIME, _ctime),
)
