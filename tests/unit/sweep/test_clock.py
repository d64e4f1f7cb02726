# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock of a host: measured, read from answers, and narrowed by a second look."""

from __future__ import annotations

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.clock import (
    Clock,
    answered_clock,
    better_clock,
    measure_clock,
)


def test_the_clock_is_taken_from_the_quickest_answer() -> None:
    times = iter([100.0, 101.0, 200.0, 200.2, 300.0, 302.0])
    answers = iter(["150.0", "250.1", "nonsense"])
    clock = measure_clock(lambda: next(answers), now=lambda: next(times))
    assert clock.offset_s == pytest.approx(50.0)
    assert clock.error_s == pytest.approx(0.1)


def test_a_host_without_a_clock_is_an_error() -> None:
    with pytest.raises(FleetdiagError, match="clock could not be read"):
        measure_clock(lambda: "date: not found")


def test_a_shell_that_greets_before_it_answers_does_not_hide_the_clock() -> None:
    clock = measure_clock(lambda: "*** Authorized use only ***\n1000000050.0\n", now=lambda: 1e9)
    assert clock.offset_s == pytest.approx(50.0)


def test_a_shell_that_greets_on_the_line_of_its_answer_is_named() -> None:
    with pytest.raises(
        FleetdiagError, match=r"^its shell prints text .*\('hello there'\): let it .* \.bashrc"
    ):
        measure_clock(lambda: "hello\nthere 1000000050.000000001\n", now=lambda: 1e9)


def test_what_a_host_does_meanwhile_costs_its_clock_no_exactness() -> None:
    # sent at 100, asked at 100.2, done 7 s later, received at 107.4; the host is 50 s ahead
    clock = answered_clock(["came=150.2", "out x came=1", "left=157.2"], 100.0, 107.4)
    assert clock is not None
    assert clock.offset_s == pytest.approx(50.0)
    assert clock.error_s == pytest.approx(0.2)


@pytest.mark.parametrize(
    "lines", [[], ["came=1"], ["came=x", "left=2"], ["came=nan", "left=2"], ["came=1", "left=99"]]
)
def test_a_host_that_says_no_times_has_no_clock(lines: list[str]) -> None:
    assert answered_clock(lines, 0.0, 1.0) is None


def test_two_looks_at_a_clock_are_better_than_one() -> None:
    near, far = Clock(1.0, 0.5), Clock(1.2, 0.5)
    both = better_clock(near, far)
    assert both is not None
    assert (both.offset_s, both.error_s) == (pytest.approx(1.1), pytest.approx(0.4))
    assert better_clock(near, Clock(9.0, 0.1)) == Clock(9.0, 0.1)  # it was set meanwhile
    assert better_clock(None, near) == better_clock(near, None) == near


def test_an_offset_within_its_own_error_corrects_nothing() -> None:
    assert Clock(0.3, 0.5).correction_s == 0.0
    assert Clock(-3600.0, 0.5).correction_s == -3600.0
