# SPDX-License-Identifier: GPL-3.0-or-later
"""Differences that are large but not certain: at most three, with their chance, and never among the findings."""

from __future__ import annotations

import pytest
from fleets import EVENTS, Values, evidence, found, measure, simple, sums

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import find, limits
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence

HOSTS = ["web1", "web2", "web3", "web4", "web5", "web6"]


def totals(factor: float, kind: str = "float", more_is: str = "worse") -> Evidence:
    """web3 has so many times as much as the others, who differ by a little."""
    figures = {host: [10.0 + at] * 20 for at, host in enumerate(HOSTS)}
    figures["web3"] = [factor * value for value in figures["web3"]]
    rows: dict[str, list[Values]] = {
        host: [(name, int(value) if kind == "int" else value) for name, value in listed]
        for host, listed in sums(**figures).items()
    }
    return evidence(simple(measure("sum", kind, more_is)), rows)


def named(name: str, item: Evidence) -> Evidence:
    return Evidence(name, item.parameters, item.tables, item.sampled_s, item.marks)


def test_a_difference_that_may_be_chance_is_told_with_its_chance() -> None:
    result = find.find([totals(2.6)], {})
    assert result.findings == []
    assert result.headline == "no host is different"
    (look,) = result.worth_a_look
    assert (look.host, look.severity) == ("web3", "info")
    assert look.chance is not None
    assert limits.CHANCE < look.chance <= limits.LOOK_CHANCE
    assert look.sentence.startswith("web3: it 624; the other 5 hosts: 260, at most 300.")
    percent = f"{100 * look.chance:.0f}"
    assert look.sentence.endswith(f". By chance in {percent} of 100 reports of hosts that are alike")


@pytest.mark.parametrize("factor", [1.05, 9.0])
def test_what_is_certain_and_what_is_small_is_not_among_them(factor: float) -> None:
    assert find.find([totals(factor)], {}).worth_a_look == []


def test_the_three_that_matter_most() -> None:
    items = [named(f"more{n}", totals(2.6 + n / 10, more_is="neutral")) for n in range(4)]
    items += [named(f"wait{n}", totals(3.0, "duration")) for n in range(2)]
    result = find.find(items, {})
    assert result.findings == []
    assert [look.probe for look in result.worth_a_look] == ["wait0", "wait1", "more3"]


def test_events_are_findings_and_not_told_twice() -> None:
    rows: dict[str, list[Values]] = {host: [] for host in HOSTS}
    rows["web3"] = [("python3", 7, f"/srv/{number}", 1.5) for number in range(3)]
    result = found(EVENTS, rows)
    assert [finding.host for finding in result.findings] == ["web3"]
    assert result.worth_a_look == []
