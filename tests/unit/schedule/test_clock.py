# SPDX-License-Identifier: GPL-3.0-or-later
"""Slots of schedules; systemd-analyze itself reads calendars, and the units' calendars give the same slots."""

from __future__ import annotations

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.config import NamedSweep
from fleetdiag.schedule import clock

NOON = clock.of_iso("2026-11-29T12:00:00Z") or 0.0


def sweep(**settings: str) -> NamedSweep:
    return NamedSweep("web", settings)


@pytest.mark.parametrize(
    ("settings", "slot", "following", "per_week"),
    [
        ({"every": "1h"}, "2026-11-29T12:00:00Z", "2026-11-29T13:00:00Z", 168),
        ({"every": "90min"}, "2026-11-29T12:00:00Z", "2026-11-29T13:30:00Z", 112),
        ({"every": "1d"}, "2026-11-29T00:00:00Z", "2026-11-30T00:00:00Z", 7),
        ({"schedule": "*-*-* 01:30 UTC"}, "2026-11-29T01:30:00Z", "2026-11-30T01:30:00Z", 7),
        ({"schedule": "Mon 03:00 UTC"}, "2026-11-23T03:00:00Z", "2026-11-30T03:00:00Z", 1),
        ({"schedule": "*-*-01 04:00 UTC"}, "2026-11-01T04:00:00Z", "2026-12-01T04:00:00Z", 0.226),
        ({"schedule": "*-*-* 12:00 UTC"}, "2026-11-29T12:00:00Z", "2026-11-30T12:00:00Z", 7),
        ({"schedule": "*-02-29 10:00 UTC"}, "2024-02-29T10:00:00Z", "2028-02-29T10:00:00Z", 0.0048),
    ],
)
def test_the_slots_around_noon(settings: dict[str, str], slot: str, following: str, per_week: float) -> None:
    found = clock.slot(sweep(**settings), NOON)
    assert found is not None
    assert clock.iso(found) == slot
    assert clock.iso(clock.following(sweep(**settings), NOON) or 0) == following
    assert clock.per_week(sweep(**settings), NOON) == pytest.approx(per_week, rel=0.02)


def test_the_local_zone_is_that_of_the_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """01:30 in Berlin; on the night the clock goes back, 02:30 comes twice and is two slots."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    assert clock.iso(clock.slot(sweep(schedule="*-*-* 01:30"), NOON) or 0) == "2026-11-29T00:30:00Z"


def test_a_schedule_that_is_over() -> None:
    assert clock.following(sweep(schedule="2024-01-01 10:00"), NOON) is None
    assert clock.slot(sweep(schedule="2031-01-01 10:00"), NOON) is None
    assert clock.per_week(sweep(schedule="2024-01-01 10:00"), NOON) == 0


@pytest.mark.parametrize("every", ["1min", "15min", "45min", "90min", "1h", "6h", "12h", "1d"])
def test_the_calendar_of_an_interval_gives_its_slots(every: str) -> None:
    interval = sweep(every=every)
    slots = clock.after(interval, NOON, NOON + 86_400)
    from_calendar = sorted(
        time
        for calendar in clock.on_calendar(interval)
        for time in clock.after(sweep(schedule=calendar), NOON, NOON + 86_400)
    )
    assert slots == from_calendar


def test_after_is_bounded() -> None:
    assert len(clock.after(sweep(every="1min"), 0, NOON)) == clock.MAX_ELAPSES


def test_max_late() -> None:
    assert clock.max_late_s(sweep(every="1h"), NOON) == 360
    assert clock.max_late_s(sweep(every="1d"), NOON) == 600
    assert clock.max_late_s(sweep(every="1d", random_delay="1h"), NOON) == 4200
    assert clock.max_late_s(sweep(schedule="*-*-* 01:30", max_late="5min"), NOON) == 300


def test_what_systemd_does_not_take() -> None:
    with pytest.raises(
        FleetdiagError, match=r"schedule 'at noon': systemd does not take it \(.*; write it as"
    ):
        clock.slot(sweep(schedule="at noon"), NOON)


def test_without_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FleetdiagError, match=r'systemd-analyze, which reads it, cannot be run.*every = "1h"'):
        clock.slot(sweep(schedule="*-*-* 01:30"), NOON)
