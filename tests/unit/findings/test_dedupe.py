# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order findings stand: what is worse before what is merely more."""

from __future__ import annotations

from fleets import EVENTS, Values, evidence, found, measure, simple, sums

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import find
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence

HOSTS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"]


def named(name: str, item: Evidence) -> Evidence:
    return Evidence(name, item.parameters, item.tables, item.sampled_s, item.marks)


def totals(kind: str, more_is: str, factor: int) -> Evidence:
    """One host has so many times as much."""
    figures = {host: [10 * (factor if host == "beta" else 1)] * 20 for host in HOSTS}
    return evidence(simple(measure("sum", kind, more_is)), sums(**figures))


def test_the_slow_file_comes_before_bytes_sent() -> None:
    slow: dict[str, list[Values]] = {host: [] for host in HOSTS}
    slow["alpha"] = [("python3", 7, "/srv/informe anual.csv", 3.2)]
    result = find.find(
        [named("nettop", totals("bytes", "neutral", 5000)), named("slow_open", evidence(EVENTS, slow))],
        {},
        {},
    )
    assert [(item.probe, item.severity) for item in result.findings] == [
        ("slow_open", "info"),
        ("nettop", "info"),
    ]
    assert result.headline.startswith(
        "alpha: 1 file open longer than 1 s, 3.2 s: /srv/informe anual.csv (python3)"
    )


def test_waiting_comes_before_what_is_only_more_of_something_bad() -> None:
    said = [named("resent", totals("bytes", "worse", 9)), named("waits", totals("duration", "worse", 6))]
    result = find.find(said, {})
    assert [(item.probe, item.severity) for item in result.findings] == [
        ("waits", "warning"),
        ("resent", "warning"),
    ]


def test_a_critical_one_comes_before_all() -> None:
    said = [named("waits", totals("duration", "worse", 6)), named("resent", totals("bytes", "worse", 5000))]
    assert [item.probe for item in find.find(said, {}).findings] == ["resent", "waits"]


def test_to_be_better_off_is_no_symptom() -> None:
    better = {host: [10.0 / (50 if host == "beta" else 1)] * 20 for host in HOSTS}
    more = evidence(simple(measure("sum", "duration", "worse")), sums(**better))
    result = find.find([named("fast", more), named("nettop", totals("bytes", "neutral", 5))], {})
    assert {item.severity for item in result.findings} == {"info"}
    assert len(result.findings) == 2
    assert found(EVENTS, {"alpha": [], "beta": []}).headline == "no host is different"
