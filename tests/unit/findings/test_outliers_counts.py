# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers of events are compared as such: what chance makes of them, coming one by one or in clumps."""

from __future__ import annotations

import pytest
from fleets import ATTEMPTS, EVENTS, Values, evidence, found

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import find


def files(many: int) -> list[Values]:
    return [("python3", 7, f"/srv/{number}", 1.5) for number in range(many)]


def counts(*many: int) -> dict[str, list[Values]]:
    return {f"web{number}": files(count) for number, count in enumerate(many)}


@pytest.mark.parametrize(
    ("many", "severity"),
    [
        ((6, 0, 0), "warning"),
        ((14, 1, 0), "warning"),
        ((3, 0, 0), "info"),
        ((6, 2, 3), "info"),
        ((5, *[0] * 11), "warning"),
        ((3, *[1, 2, 0] * 4), "info"),
        ((12, 0), "warning"),
        ((6, 0), "info"),
    ],
)
def test_six_against_none_and_none_is_not_chance(many: tuple[int, ...], severity: str) -> None:
    first = next(item for item in found(EVENTS, counts(*many)).findings if item.host == "web0")
    assert (first.severity, first.kind) == (severity, "events" if severity == "info" else "compare")


def test_six_times_the_same_are_one_event_that_came_six_times() -> None:
    clump: list[Values] = [("python3", 7, "/srv/0", 1.5)] * 6
    (finding,) = found(EVENTS, {"alpha": clump, "beta": [], "gamma": []}).findings
    assert (finding.kind, finding.severity) == ("events", "info")


def test_a_record_that_counts_several_is_a_clump_too() -> None:
    def one(*failed: int) -> str:
        rows: dict[str, list[Values]] = {
            "alpha": [(f"10.0.0.{n}", n, 0.1) for n in failed],
            "beta": [],
            "gamma": [],
        }
        (finding,) = found(ATTEMPTS, rows).findings
        return finding.severity

    assert one(*[1] * 8) == "warning"
    assert one(8) == "info"


def test_where_nothing_happened_no_difference_could_have_turned_up_by_chance() -> None:
    some, none = evidence(EVENTS, counts(6, 0, 0)), evidence(EVENTS, counts(0, 0, 0))
    quiet = [type(none)(f"quiet{n}", none.parameters, none.tables, none.sampled_s) for n in range(20)]
    (finding,) = find.find([some, *quiet], {}).findings
    assert finding.severity == "warning"
    busy = [type(some)(f"busy{n}", some.parameters, some.tables, some.sampled_s) for n in range(20)]
    assert {item.severity for item in find.find(busy, {}).findings} == {"info"}
