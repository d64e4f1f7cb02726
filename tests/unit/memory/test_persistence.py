# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.compare_past import (
    Judgement,
    SeriesId,
    Suspicion,
    Usual,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import persistence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.persistence import Watched

SERIES = SeriesId("host", "web3", "probe", "table", "it")
USUAL = Usual(1.0, 0.1, 0.1, 20, "20261101_010000_ab12")


def watched(*scores: float) -> Watched:
    return Watched(SERIES, scores, USUAL)


@pytest.mark.parametrize(
    ("scores", "confirmed"),
    [
        ((5,), False),
        ((5, 5), False),
        ((5, 5, 5), True),
        ((5, 0, 5, 5), True),
        ((5, 5, 5, 0), False),  # not now
        ((5, 5, -5, 5), True),
        ((5, -5, -5, 5), False),
        ((3, 3, 3, 3), False),  # weak, all of them
        ((99, 0, 0, 99), False),  # two, however far out
        ((99, 2.8, 2.8, 0), False),
    ],
)
def test_three_of_four_that_are_strong_together(scores: tuple[float, ...], confirmed: bool) -> None:
    assert watched(*scores).confirmed(True) == confirmed
    assert watched(*(-score for score in scores)).confirmed(False) == confirmed


def test_one_that_is_far_out_does_not_make_the_others_strong() -> None:
    assert not watched(99, 1.2, 1.2).confirmed(True)


def test_one_suspicion_more_is_asked_for_where_there_are_very_many() -> None:
    assert persistence.needed(1_700, 7, 0.1) == persistence.NEED
    assert persistence.needed(1_700, 168, 0.1) == persistence.NEED_OFTEN
    assert persistence.needed(1_700, 168, 1.0) == persistence.NEED
    often = persistence.NEED_OFTEN
    assert not watched(5, 5, 5).confirmed(True, often)
    assert not watched(5, 5, 0, 0, 5, 5).confirmed(True, often)
    assert watched(5, 5, 0, 5, 5).confirmed(True, often)


def test_as_many_sweeps_are_remembered_as_may_be_asked_for() -> None:
    series = {SERIES: watched(5)}
    for _ in range(persistence.NEED_OFTEN - 1):
        series = persistence.step(series, judged(5))
    assert series[SERIES].confirmed(True, persistence.NEED_OFTEN)


def judged(score: float = 0.0, tested: bool = True) -> Judgement:
    result = Judgement(tested={SERIES} if tested else set())
    if score:
        result.suspicions.append(Suspicion(SERIES, score > 0, 2.0, 1.0, score, USUAL, "web", 8, True))
    return result


def test_it_is_watched_until_five_sweeps_are_normal() -> None:
    state: dict[SeriesId, Watched] = {}
    seen = []
    for score in (5.0, 0, 0, 0, 0, 0):
        state = persistence.step(state, judged(score))
        seen.append(state[SERIES].scores if SERIES in state else None)
    assert seen == [(5.0, *[0.0] * normal) for normal in range(5)] + [None]


def test_a_sweep_that_did_not_cover_it_changes_nothing() -> None:
    state = persistence.step({}, judged(5.0))
    assert persistence.step(state, judged(tested=False)) == state


def test_what_has_an_open_finding_stays_watched() -> None:
    state = {SERIES: watched(5, 0, 0, 0)}
    assert SERIES in persistence.step(state, judged(), [SERIES])


@pytest.mark.parametrize(
    "change",
    [{"of": "x"}, {"scores": "u"}, {"scores": [None]}, {"above": 0}, {"sweeps": 0}, {"last_normal": 3}],
)
def test_what_is_read_back(change: dict[str, Any]) -> None:
    data = persistence.to_json(watched(5, 0))
    assert persistence.from_json(data) == watched(5, 0)
    assert persistence.from_json({**data, **change}) is None
