# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of findings, sweep by sweep."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import finding_records, lifecycle
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.decisions import Decision

FIRST = datetime(2026, 11, 1, 1, 0, tzinfo=UTC)
DAY = timedelta(days=1)
FP = "9c31d2aa0011"


def run_id(number: int) -> str:
    return (FIRST + number * DAY).strftime("%Y%m%d_%H%M%S_ab12")


def seen(value: float = 14, **more: Any) -> finding_records.Seen:
    fields: dict[str, Any] = {
        "fingerprint": FP,
        "kind": "compare",
        "severity": "warning",
        "who": "web3",
        "of": "host",
        "probe": "slow_open",
        "table": "slow_files",
        "measure": "files",
        "direction": "up",
        "sentence": f"web3: {value:g} files",
        "value": value,
    }
    return finding_records.Seen(**{**fields, **more})


class Life:
    """One sweep after the other; says what was told."""

    def __init__(self, accept_after_days: float = 0) -> None:
        self.number = 0
        self.open: list[finding_records.Record] = []
        self.closed: list[finding_records.Record] = []
        self.decisions: list[Decision] = []
        self.accept_after_s = accept_after_days * 86_400

    def sweep(
        self, *found: finding_records.Seen, covered: lifecycle.Covered = "yes", told: bool = True
    ) -> list[str]:
        """Return the transitions of the sweep; told: only those that are told at once."""
        sweep = lifecycle.Sweep(
            run_id(self.number), FIRST + self.number * DAY, self.accept_after_s, self.decisions
        )
        outcome = lifecycle.step(self.open, self.closed, found, lambda _: covered, sweep)
        again = [finding_records.from_json(finding_records.to_json(record)) for record in outcome.open]
        assert again == outcome.open
        self.open, self.closed, self.number = outcome.open, outcome.closed, self.number + 1
        return [item.transition for item in outcome.transitions if item.tell or not told]

    def days(self, pattern: str) -> list[list[str]]:
        """`1` with the finding, `0` without, `-` not covered."""
        return [
            self.sweep(*([seen()] if day == "1" else []), covered="no" if day == "-" else "yes")
            for day in pattern
        ]

    @property
    def record(self) -> finding_records.Record:
        (record,) = self.open
        return record


def test_a_finding_is_told_once_and_gone_after_two() -> None:
    life = Life()
    assert life.days("0111001") == [[], ["new"], [], [], [], ["gone"], ["regressed"]]
    assert life.record.since == run_id(6)


def test_a_host_that_is_not_covered_is_unknown_and_never_gone() -> None:
    life = Life()
    assert life.days("1-----") == [["new"], [], [], [], [], []]
    assert (life.record.state, life.record.absent, life.record.history) == ("unknown", 0, "1")
    assert life.days("0-0") == [[], [], ["gone"]]


def test_what_is_not_told_at_once_needs_a_second_sweep() -> None:
    doubtful = seen(at_once=False)
    life = Life()
    assert life.sweep(doubtful, told=False) == []
    assert life.record.state == "suspect"
    assert life.sweep() == []
    assert life.sweep(doubtful) == ["new"]
    assert life.record.since == run_id(0)
    spike = Life()
    assert [spike.sweep(*found, told=False) for found in ([doubtful], [], [], [])] == [[], [], [], []]
    assert spike.open == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"value": 27}, []),
        ({"value": 28}, ["worse"]),
        ({"severity": "critical"}, ["worse"]),
        ({"severity": "info"}, []),
        ({"value": 28, "ratio": 2.0}, []),
    ],
)
def test_worse(change: dict[str, Any], told: list[str]) -> None:
    life = Life()
    life.sweep(seen())
    assert life.sweep(seen(**change)) == told


def test_the_ratio_tells_where_there_is_one() -> None:
    life = Life()
    life.sweep(seen(value=10, ratio=3.0))
    assert life.sweep(seen(value=100, ratio=3.1)) == []  # all hosts have more, by day
    assert life.sweep(seen(value=10, ratio=6.0)) == ["worse"]


def test_a_fifth_more_members_is_worse() -> None:
    hosts = tuple(f"web{number}" for number in range(10))
    life = Life()
    life.sweep(seen(of="set", who="web", hosts=hosts))
    assert life.sweep(seen(of="set", who="web", hosts=(*hosts, "a", "b"))) == []
    assert life.sweep(seen(of="set", who="web", hosts=(*hosts, "a", "b", "c"))) == ["worse"]


def test_many_hosts_take_over_what_was_told_of_each() -> None:
    life = Life()
    life.sweep(seen())
    many = seen(fingerprint="b" * 12, of="set", who="web", hosts=("web1", "web3"))
    assert life.sweep(many, told=False) == ["superseded", "new"]


def test_better_is_for_the_digest() -> None:
    life = Life()
    life.sweep(seen())
    assert life.sweep(seen(7), told=False) == ["better"]
    assert life.sweep(seen(7)) == []


def test_flapping_is_told_and_then_quiet_until_it_is_calm() -> None:
    life = Life()
    assert life.days("100110011001100")[-1] == []
    assert life.closed[0].flapping
    told = sum(map(len, Life().days("1001100" + "1100" * 10)))
    assert told == 4  # new, gone, regressed, gone
    life.days("11111")
    assert not life.record.flapping or life.days("00")[-1] == ["gone"]


def test_left() -> None:
    life = Life()
    life.sweep(seen())
    assert life.sweep(covered="left", told=False) == ["left"]
    assert life.open == []


def test_an_older_way_to_make_fingerprints_is_superseded_in_silence() -> None:
    life = Life()
    life.sweep(seen())
    life.open = [replace(life.record, version=0)]
    assert life.sweep(seen(fingerprint="c" * 12), told=True) == ["new"]
    assert [record.state for record in life.closed] == ["superseded"]


# --- decisions ---


def decision(what: str, day: float, **more: str) -> Decision:
    at = (FIRST + day * DAY).isoformat(timespec="seconds")
    return Decision(what, FP, at, "me", **more)  # type: ignore[arg-type]


def test_an_acknowledgement_is_quiet_until_its_end_or_until_it_is_worse() -> None:
    until = (FIRST + 6 * DAY).isoformat()
    life = Life()
    life.sweep(seen())
    life.decisions = [decision("ack", 0.5, until=until, why="disk ordered")]
    assert life.days("1001") == [[], [], ["gone"], []]  # that it is gone is told all the same
    assert life.sweep(seen(40)) == ["worse"]
    assert life.record.ack is None
    assert life.days("00") == [[], ["gone"]]


def test_an_acknowledgement_is_shown_while_it_lasts() -> None:
    life = Life()
    life.sweep(seen())
    life.decisions = [decision("ack", 0.5, until=(FIRST + 2.5 * DAY).isoformat(), why="disk ordered")]
    shown = []
    for _ in range(3):
        life.sweep(seen())
        shown.append(bool(life.record.ack))
    assert shown == [True, True, False]


def test_accepted_by_hand_is_told_once_as_the_new_normal() -> None:
    life = Life()
    life.sweep(seen())
    life.decisions = [decision("accept", 0.5)]
    assert life.days("111001") == [["new_normal"], [], [], [], [], []]


def test_what_lasts_is_the_new_normal() -> None:
    life = Life(accept_after_days=14)
    told = life.days("1" * 20)
    assert [day for day, words in enumerate(told) if words] == [0, 14]
    assert told[14] == ["new_normal"]


def test_a_threshold_is_never_accepted_by_lasting() -> None:
    life = Life(accept_after_days=14)
    told = [life.sweep(seen(kind="check")) for _ in range(20)]
    assert [words for words in told if words] == [["new"]]


def test_a_decision_about_what_is_not_there_changes_nothing() -> None:
    life = Life()
    life.decisions = [replace(decision("accept", 0.5), fingerprint="d" * 12), decision("accept", -3)]
    assert life.days("11") == [["new"], []]
