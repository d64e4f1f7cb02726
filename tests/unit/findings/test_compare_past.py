# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean
from typing import Any

import pytest
from fleets import evidence, measure, simple, sums

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import compare_past, figures_file
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.compare_past import (
    Judgement,
    Memory,
    SeriesId,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.figures_file import Sweep

HOSTS = [f"web{number}" for number in range(1, 9)]
ID = ("probe", "files", "it")


def manifest(kind: str = "float", **compare: Any) -> dict[str, Any]:
    return simple(measure("sum", kind, compare={"scope": "host", **compare}))


def made(number: int, values: Mapping[str, float], kind: str = "float", hour: int = 1, **more: Any) -> Sweep:
    """Return what later sweeps read of one in which each host had so much, in twenty records."""
    rows = {host: [value / 20] * 20 for host, value in values.items()}
    found = [evidence(manifest(kind), sums(**rows), **more)]
    peers = dict.fromkeys(HOSTS, "web")
    data = figures_file.figures_of(found, name="n", peers=peers, hashes={"probe": "a"})
    return figures_file.read(f"202611{number:02}_{hour:02}0000_ab12", json.loads(json.dumps(data)))


def usual(number: int = 0, factor: float = 1.0) -> dict[str, float]:
    return {host: factor * (200 + (7 * number + 3 * place) % 11) for place, host in enumerate(HOSTS)}


def judged(
    now: Sweep, past: list[Sweep], kind: str = "float", memory: Memory | None = None, **more: Any
) -> Judgement:
    columns = figures_file.columns_of([evidence(manifest(kind, **more.pop("compare", {})), sums(web1=[1.0]))])
    return compare_past.judge(now, columns, past, memory or Memory(), **more)


PAST = [made(number, usual(number)) for number in range(1, 10)]


def suspects(found: Judgement) -> list[tuple[str, str, bool]]:
    return [(item.series.of, item.series.who, item.up) for item in found.suspicions]


@pytest.mark.parametrize(("value", "up"), [(400.0, True), (90.0, False)])
def test_a_host_that_is_not_as_it_was(value: float, up: bool) -> None:
    found = judged(made(10, usual() | {"web3": value}), PAST)
    assert suspects(found) == [("host", "web3", up)]
    (item,) = found.suspicions
    assert item.usual.sweeps == 9
    assert item.usual.last_normal == PAST[-1].id
    assert item.expected == pytest.approx(203, abs=8)


def test_as_ever() -> None:
    found = judged(made(10, usual()), PAST)
    assert (suspects(found), len(found.tested), found.learning) == ([], 9, 0)


def test_load_that_all_have_moves_the_set_and_no_host() -> None:
    assert suspects(judged(made(10, usual(factor=1.6)), PAST)) == [("set", "web", True)]


def test_a_host_that_always_differs_is_as_ever() -> None:
    past = [made(number, usual(number) | {"web3": 900.0}) for number in range(1, 10)]
    assert suspects(judged(made(10, usual() | {"web3": 920.0}), past)) == []
    assert suspects(judged(made(10, usual() | {"web3": 205.0}), past)) == [("host", "web3", False)]


@pytest.mark.parametrize(("sweeps", "learning"), [(7, 9), (8, 0)])
def test_eight_sweeps_are_needed(sweeps: int, learning: int) -> None:
    found = judged(made(10, usual() | {"web3": 900.0}), PAST[:sweeps])
    assert (found.learning, bool(found.suspicions)) == (learning, not learning)


def test_what_was_suspected_does_not_count() -> None:
    series = SeriesId("host", "web3", *ID)
    past = [*PAST, made(10, usual() | {"web3": 400.0})]
    known = Memory(excluded={past[-1].id: frozenset({series})})
    (item,) = judged(made(11, usual() | {"web3": 400.0}), past, memory=known).suspicions
    assert (item.usual.sweeps, item.usual.last_normal) == (9, PAST[-1].id)


def test_what_was_accepted_begins_anew() -> None:
    series = SeriesId("host", "web3", *ID)
    later = [made(number, usual(number) | {"web3": 400.0}) for number in range(10, 19)]
    known = Memory(accepted={series: (PAST[-1].id, later[-1].id)})
    assert suspects(judged(made(20, usual() | {"web3": 400.0}), [*PAST, *later], memory=known)) == []
    assert suspects(judged(made(20, usual()), [*PAST, *later], memory=known)) == [("host", "web3", False)]


def test_fewer_than_four_peers_are_none() -> None:
    few = HOSTS[:3]
    past = [made(number, {host: usual(number)[host] for host in few}) for number in range(1, 10)]
    past = [replace(sweep, of={"web": 3}) for sweep in past]
    now = replace(made(10, {host: 2 * usual()[host] for host in few}), of={"web": 3})
    assert suspects(judged(now, past)) == [("host", host, True) for host in few]
    assert not any(item.relative for item in judged(now, past).suspicions)


def test_of_a_set_with_half_its_hosts_nothing_is_said() -> None:
    now = made(10, dict.fromkeys(HOSTS[:3], 900.0))
    assert judged(now, PAST).tested == set()


def test_a_low_total_that_losses_explain_is_not_tested() -> None:
    lost = made(10, usual() | {"web3": 50.0}, marks={"web3": "records were lost"})
    found = judged(lost, PAST)
    assert suspects(found) == []
    assert SeriesId("host", "web3", *ID) not in found.tested
    high = made(10, usual() | {"web3": 900.0}, marks={"web3": "records were lost"})
    assert suspects(judged(high, PAST)) == [("host", "web3", True)]


def test_another_script_is_another_series() -> None:
    now = replace(made(10, usual() | {"web3": 900.0}), hashes={"probe": "b"})
    assert suspects(judged(now, PAST)) == []


def test_a_longer_window_is_no_change() -> None:
    longer = made(10, usual(factor=4), seconds=dict.fromkeys(HOSTS, 120.0))
    assert suspects(judged(longer, PAST)) == []


def test_what_is_not_worth_a_word() -> None:
    now = made(10, usual() | {"web3": 400.0})
    assert suspects(judged(now, PAST, compare={"min_difference": 300})) == []
    assert suspects(judged(made(10, usual() | {"web3": 280.0}), PAST)) == []  # not half again as much


def test_rare_events_scatter_by_chance() -> None:
    none = [made(number, dict.fromkeys(HOSTS, 0.0), "int") for number in range(1, 10)]
    few, many = (made(10, dict.fromkeys(HOSTS, 0.0) | {"web3": value}, "int") for value in (12.0, 4000.0))
    assert [suspects(judged(now, none, "int")) for now in (few, many)] == [[], [("host", "web3", True)]]


def test_the_spread_of_normal_noise_is_neither_too_large_nor_too_small() -> None:
    """It is the larger of two estimates, which by itself is too large."""
    rng = random.Random(5)  # noqa: S311 - the same every time
    for sweeps in (8, 20):
        sides = [compare_past._sides([rng.gauss(0, 1) for _ in range(sweeps)]) for _ in range(400)]
        assert fmean(one.above for one in sides) == pytest.approx(1, abs=0.05)
        assert fmean(one.below for one in sides) == pytest.approx(1, abs=0.05)


def test_a_season_is_the_same_hour_of_other_days() -> None:
    night = [made(number, usual(number), hour=2) for number in range(1, 10)]
    day = [made(number, usual(number, 3.0), hour=14) for number in range(1, 10)]
    past = sorted([*night, *day], key=lambda sweep: sweep.id)
    slow = made(20, usual(factor=4.8), hour=14)
    assert suspects(judged(slow, past)) == []
    assert suspects(judged(slow, past, season="hour")) == [("set", "web", True)]
    assert judged(made(20, usual(), hour=8), past, season="hour").learning == 1


def test_what_all_have_in_common_is_learned_for_a_day() -> None:
    """By night there is a third of the load: neither the first morning nor the first evening is news."""

    def at(hour: int, more: float = 1.0) -> Sweep:
        factor = more * (3.0 if 8 <= hour % 24 < 20 else 1.0)
        return made(1 + hour // 24, usual(hour, factor), hour=hour % 24)

    for hour in (8, 14, 20, 24, 30):
        assert suspects(judged(at(hour), [at(earlier) for earlier in range(hour)])) == [], hour
    day = [at(hour) for hour in range(30)]
    assert ("set", "web", True) in suspects(judged(at(30, 30.0), day))
    assert judged(at(20, 30.0), day[:20]).learning == 1


def test_sweeps_that_never_fill_a_day_are_learned_from_what_is_remembered() -> None:
    past = [made(1, usual(minute), hour=1) for minute in range(40)]
    past = [replace(sweep, id=f"20261101_01{minute:02}00_ab12") for minute, sweep in enumerate(past)]
    now = replace(made(1, usual(factor=4.0)), id="20261101_015900_ab12")
    assert suspects(judged(now, past)) == [("set", "web", True)]
    assert judged(now, past[:39]).learning == 1
