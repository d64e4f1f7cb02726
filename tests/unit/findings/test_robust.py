# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import robust
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.robust import (
    AGGREGATE,
    SINGLE,
    Rate,
)

RULES = [AGGREGATE, SINGLE]
values = st.floats(min_value=0, max_value=1e15)


@pytest.mark.parametrize(
    ("a", "b", "x", "expected"),
    [
        (1, 1, 0.25, 0.25),
        (2, 1, 0.5, 0.25),
        (3, 0.5, 0.01, 3.1367895544724357e-07),
        (3, 0.5, 0.99, 0.8137462499999999),
        (200, 1000, 0.2, 0.9985039919583307),
        (1000, 200000, 0.004, 1.3646917974356605e-11),
    ],
)
def test_the_incomplete_beta_function(a: float, b: float, x: float, expected: float) -> None:
    assert robust.incomplete_beta(a, b, x) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("deviation", "degrees", "expected"),
    [(0, 6, 1.0), (1, 1, 0.5), (5, 6, 0.002452341760758551), (20, 6, 1.0142552751699574e-06)],
)
def test_students_distribution(deviation: float, degrees: float, expected: float) -> None:
    assert robust.student(deviation, degrees) == pytest.approx(expected, rel=1e-9)


@given(st.lists(values, min_size=2, max_size=60), values, st.floats(min_value=1e-9, max_value=1e6))
def test_a_chance_is_one_whatever_the_figures(figures: list[float], value: float, offset: float) -> None:
    for rule in RULES:
        scale = robust.scale(figures, offset, rule, 0.1)
        assert math.isfinite(scale.score(value))
        assert 0 <= robust.chance(scale, value, rule) <= 1


@pytest.mark.parametrize("rule", RULES)
def test_further_out_is_less_likely(rule: robust.Rule) -> None:
    scale = robust.scale([10, 11, 12, 9, 10], 0.01, rule)
    for side in ([11, 15, 20, 40, 1000], [9, 7, 5, 2, 0.1]):
        chances = [robust.chance(scale, value, rule) for value in side]
        assert chances == sorted(chances, reverse=True)
    assert scale.score(40) > 0 > scale.score(2)


@pytest.mark.parametrize("rule", RULES)
def test_hosts_that_differ_do_not_hide_each_other_up_to_a_fifth(rule: robust.Rule) -> None:
    alike = [10 + number / 10 for number in range(40)]
    few = robust.scale([*alike, *[1000.0] * 8], 0.01, rule)
    many = robust.scale([*alike, *[1000.0] * 16], 0.01, rule)
    assert few.score(1000) > 10
    assert many.score(1000) < 5


def test_a_skewed_distribution_is_not_narrow_above() -> None:
    """Half of the hosts have next to nothing, so the deviations from the median are small; the others have much."""
    figures = [1.0] * 30 + [2.0**number for number in range(20)]
    scale = robust.scale(figures, 0.01, SINGLE)
    assert scale.above > 3 * scale.below


def test_three_hosts_say_little_about_how_far_alike_hosts_lie_apart() -> None:
    few, many = (robust.scale([10.0, 10.1, 10.2] * times, 0.01, AGGREGATE) for times in (1, 20))
    assert few.above > 2 * many.above


def test_what_chance_makes_of_few_records_counts() -> None:
    sure = robust.scale([10, 11, 12], 0.01, AGGREGATE)
    unsure = robust.scale([10, 11, 12], 0.01, AGGREGATE, 0.5)
    assert unsure.score(50) < sure.score(50) / 2


def test_so_many_events_on_one_host_only() -> None:
    none = Rate(0, 5)
    assert robust.count_chance(14, 1, none) < 1e-5
    assert robust.count_chance(2, 1, none) > 0.01
    assert robust.count_chance(0, 1, Rate(500, 5)) < 1e-9
    assert robust.count_chance(100, 1, Rate(500, 5)) > 0.3
    assert robust.count_chance(50, 0.5, Rate(500, 5)) > 0.3
    assert robust.count_chance(3, 1, Rate(0, 0)) == 1


@given(st.integers(0, 10**18), st.integers(0, 10**18), st.integers(1, 1000))
def test_any_count_has_a_chance(count: int, others: int, hosts: int) -> None:
    assert 0 <= robust.count_chance(count, 30.0, Rate(others, 30.0 * hosts)) <= 1


def test_a_rate_without_a_host() -> None:
    assert Rate(10, 4).without(3, 1) == Rate(7, 3)
    assert Rate(1, 1).without(3, 2) == Rate(0, 0)
