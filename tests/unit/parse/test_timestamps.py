# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.timestamps import LineClock

WINDOW = 1_790_000_000_000  # 2026-09-21 14:13:20 UTC


def times(*lines: str, told: int | list[int] = 0, length_ms: int = 30_000) -> list[int | None]:
    clock = LineClock(WINDOW, length_ms)
    each = told if isinstance(told, list) else [told] * len(lines)
    return [clock.time(line, at) for line, at in zip(lines, each, strict=True)]


@pytest.mark.parametrize(
    "line",
    [
        "1790000007 read 5",
        "1790000007.000 read 5",
        "1790000007000 read 5",
        "1790000007000000 read 5",
        "1790000007000000999 read 5",
        "[1790000007] read 5",
        "2026-09-21 14:13:27 read 5",
        "2026-09-21T14:13:27Z read 5",
        "2026-09-21 16:13:27+02:00 read 5",
        "2026-09-21 08:43:27 -0530 read 5",
        "Mon Sep 21 14:13:27 2026 read 5",
        "14:13:27 read 5",
        "  (14:13:27.000) read 5",
        "03:58:27 read 5",  # a clock of another zone, +13:45
    ],
)
def test_a_time_that_a_line_begins_with(line: str) -> None:
    clock = LineClock(WINDOW, 30_000)
    assert clock.time(line, 0) == 7000
    assert (clock.own, clock.told, clock.known) == (True, False, True)


@pytest.mark.parametrize(
    "line",
    [
        "read 5",
        "",
        "17900000 read",
        "17900000071 read",
        "1690000007 a time long ago",
        "1790000600 a time after the window",
        "14:13:95 no time",
        "24:13:27 no time",
        "2026-13-41 14:13:27 no date",
        "Mon Foo 21 14:13:27 2026 no month",
        "at 14:13:27 not at its beginning",
        "99999999999999999999999999999",
    ],
)
def test_what_is_no_time_of_the_window(line: str) -> None:
    clock = LineClock(WINDOW, 30_000)
    assert clock.time(line, 0) == 0
    assert not clock.own


def test_fractions_count() -> None:
    assert times("1790000007.25 a", "14:13:28.5 b", "1790000009123 c") == [7250, 8500, 9123]


def test_what_the_session_told_is_the_least() -> None:
    clock = LineClock(WINDOW, 30_000)
    assert [clock.time("a", at) for at in (0, 500, 500, 1000)] == [0, 500, 500, 1000]
    assert (clock.told, clock.own) == (True, False)
    # A second old, and finer than what the session told.
    assert clock.time("14:13:21 b", 1500) == 1500
    assert clock.time("14:13:22.7 c", 2500) == 2700


def test_a_line_is_never_earlier_than_the_one_before_it() -> None:
    assert times("1790000009 a", "1790000007 late", "and more of it") == [9000, 9000, 9000]


def test_a_time_far_after_what_the_session_told_is_not_believed() -> None:
    assert times("a", "b", "1790000029 forged", "c", told=[0, 500, 500, 1000]) == [0, 500, 500, 1000]


def test_times_of_day_go_on_for_hours() -> None:
    lines = [f"{14 + m // 60:02}:{m % 60:02}:20 x" for m in range(13, 193, 10)]
    assert times(*lines, length_ms=4 * 3_600_000) == [n * 600_000 for n in range(18)]


def test_without_a_window_nothing_is_known() -> None:
    assert LineClock(None, 30_000).time("1790000007 a", 0) is None
    assert LineClock(WINDOW, 30_000).time("1790000007 a", None) is None


@given(
    st.lists(
        st.tuples(st.text(max_size=30) | st.from_regex(r"\A\d{1,20}[ .:]\d{0,20}"), st.integers(0, 40_000)),
        max_size=20,
    )
)
def test_any_lines_keep_their_order(lines: list[tuple[str, int]]) -> None:
    clock = LineClock(WINDOW, 30_000)
    found = [clock.time(line, told) for line, told in lines]
    assert found == sorted(at for at in found if at is not None)
    assert all(at >= told for at, (_, told) in zip(found, lines, strict=True) if at is not None)
