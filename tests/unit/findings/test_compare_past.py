# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from fleets import FILES, Values, evidence, measure, simple, sums

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import compare_past, find

HOSTS = ["web1", "web2", "web3"]
ASKED: dict[str, dict[str, Any]] = {"probe": {"threshold_ms": 1000}}
MANY = simple(measure("sum", "float"))


def sweep(number: int) -> str:
    return f"202611{number:02}_070000_ab12"


def left(figures: dict[str, list[float]], **more: Any) -> dict[str, Any]:
    """figures.json of a sweep, as it is read back."""
    data = compare_past.figures_of([evidence(MANY, sums(**figures), **more)])
    return dict(json.loads(json.dumps(data)))


def usual(number: int = 0) -> dict[str, list[float]]:
    return {host: [10.0 + number % 3] * 20 for host in HOSTS}


def changed(
    now: dict[str, list[float]], earlier: list[dict[str, Any]], most: int = 20, **more: Any
) -> find.Found:
    """What is found with these figures of earlier sweeps, the oldest first."""
    kept = compare_past.baseline_of(
        [(sweep(n + 1), data) for n, data in enumerate(earlier)], ASKED, HOSTS, most
    )
    past = compare_past.read(json.loads(json.dumps(kept)))
    return find.find([evidence(MANY, sums(**now), **more)], {host: host for host in HOSTS}, past)


def test_a_host_that_is_not_as_it_was() -> None:
    now = usual() | {"web3": [200.0] * 20}
    (finding,) = changed(now, [left(usual(number)) for number in range(9)]).findings
    assert (finding.kind, finding.severity, finding.host) == ("baseline", "warning", "web3")
    assert (finding.value, finding.expected, finding.peers) == (4000, 220, 9)
    assert finding.sentence == (
        "web3: it 4,000; in its 9 sweeps before: 220, at most 240. Most 200: n0. Last normal: 2026-11-09 07:00 UTC"
    )


def test_since_when() -> None:
    earlier = [left(usual(number)) for number in range(9)]
    earlier[8] = left(usual() | {"web3": [180.0] * 20})
    (finding,) = changed(usual() | {"web3": [200.0] * 20}, earlier).findings
    assert finding.sentence.endswith("Last normal: 2026-11-08 07:00 UTC")


def test_as_ever() -> None:
    assert changed(usual(), [left(usual(number)) for number in range(9)]).findings == []


@pytest.mark.parametrize(("sweeps", "many"), [(4, 0), (5, 1)])
def test_five_earlier_figures_are_needed(sweeps: int, many: int) -> None:
    now = usual() | {"web3": [2000.0] * 20}
    assert len(changed(now, [left(usual(number)) for number in range(sweeps)]).findings) == many


def test_what_all_hosts_have_more_of_is_said_once() -> None:
    global HOSTS
    hosts, HOSTS = HOSTS, [f"web{number}" for number in range(8)]
    try:
        now = {host: [2000.0] * 20 for host in HOSTS}
        (finding,) = changed(now, [left(usual(number)) for number in range(9)]).findings
    finally:
        HOSTS = hosts
    assert "The same on 7 more hosts: " in finding.sentence


def test_a_longer_window_is_no_change() -> None:
    earlier = [left(usual(number), seconds=dict.fromkeys(HOSTS, 3.0)) for number in range(9)]
    now = {host: [10.0] * 200 for host in HOSTS}
    assert changed(now, earlier, seconds=dict.fromkeys(HOSTS, 30.0)).findings == []


def test_other_parameters_are_another_question() -> None:
    earlier = [left(usual(number), parameters={"threshold_ms": 5}) for number in range(9)]
    assert changed(usual() | {"web3": [2000.0] * 20}, earlier).findings == []


def test_a_difference_to_the_others_and_to_the_past_is_one_finding() -> None:
    hosts = [f"web{number}" for number in range(6)]
    rows: dict[str, list[Values]] = {host: [] for host in hosts}
    earlier = [json.loads(json.dumps(compare_past.figures_of([evidence(FILES, rows)])))] * 7
    kept = compare_past.baseline_of(
        [(sweep(n + 1), data) for n, data in enumerate(earlier)], ASKED, hosts, 20
    )
    rows["web3"] = [("httpd", number, f"/srv/{number}", 8.47) for number in range(40)]
    (finding,) = find.find([evidence(FILES, rows)], {}, compare_past.read(kept)).findings
    assert finding.kind == "compare"
    assert finding.sentence == (
        "web3: 40 files open longer than 1 s; the other 5 hosts: 0. Longest 8.47 s: /srv/0 (httpd)."
        " Last normal: 2026-11-07 07:00 UTC"
    )


def test_what_is_lost_is_not_a_change() -> None:
    now = usual() | {"web3": [0.1] * 20}
    earlier = [left(usual(number)) for number in range(9)]
    assert len(changed(now, earlier).findings) == 1
    assert changed(now, earlier, marks={"web3": "900 records lost"}).findings == []


def test_only_the_latest_are_kept() -> None:
    earlier = [(sweep(number + 1), left(usual(number))) for number in range(9)]
    kept = compare_past.baseline_of(earlier, ASKED, HOSTS, 6)
    (listed,) = {len(item) for item in kept["probes"][0]["tables"]["files"]["it"].values()}
    assert listed == 6
    assert compare_past.read(kept)["probe", "files", "it"]["web1"][-1].sweep == sweep(9)


def test_only_hosts_of_this_sweep_are_kept() -> None:
    kept = compare_past.baseline_of([(sweep(1), left(usual()))], ASKED, ["web2"], 20)
    assert list(kept["probes"][0]["tables"]["files"]["it"]) == ["web2"]


def test_figures_are_small_and_say_when_nothing_was_seen() -> None:
    data = compare_past.figures_of([evidence(FILES, {"web1": [], "web2": [("a", 1, "/x", 2.123456789)]})])
    assert data["hosts"] == ["web1", "web2"]
    assert data["probes"][0]["tables"]["files"] == {
        "seconds": {"value": [None, 2.12346], "rest": [None, None]},
        "files": {"value": [0.0, 1.0], "rest": [0.0, 0.0]},
    }


@pytest.mark.parametrize(
    "spoilt",
    [
        {},
        {"probes": 7},
        {"probes": [7, {"probe": "probe"}]},
        {"hosts": ["web1"]},
        {"hosts": [1, 2, 3]},
        {
            "probes": [
                {"probe": "probe", "parameters": {"threshold_ms": 1000}, "tables": {"files": {"it": []}}}
            ]
        },
        {
            "probes": [
                {
                    "probe": "probe",
                    "parameters": {"threshold_ms": 1000},
                    "tables": {"files": {"it": {"value": 5}}},
                }
            ]
        },
    ],
)
def test_damaged_figures_are_left_out(spoilt: dict[str, Any]) -> None:
    good = left(usual())
    assert changed(usual(), [{**good, **spoilt} if spoilt else {}] * 9).findings == []


@pytest.mark.parametrize(
    "item", [7, [], [0, 1, 2], ["x", 1, 2, 3], [99, 1, 2, 3], [0, "1", 2, 3], [0, -1, 2, 3]]
)
def test_damaged_entries_of_a_baseline_are_left_out(item: Any) -> None:
    data = {
        "sweeps": [sweep(1)],
        "probes": [{"probe": "probe", "tables": {"files": {"it": {"web1": [item]}}}}],
    }
    assert compare_past.read(data) == {("probe", "files", "it"): {"web1": []}}
