# SPDX-License-Identifier: GPL-3.0-or-later
"""What is past the probe's own threshold is said of every host that has any, whether or not it is unusual."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fleets import ATTEMPTS, EVENTS, Values, evidence, found

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import find

HOSTS = ["alpha", "beta", "gamma"]


def slow(many: int, longest: float = 2.0) -> list[Values]:
    rows: list[Values] = [("httpd", 100 + number, f"/srv/{number}", 1.5) for number in range(many - 1)]
    return [*rows, ("python3", 7, "/srv/informe anual.csv", longest)] if many else []


def sentences(rows: dict[str, list[Values]], manifest: dict[str, Any] = EVENTS, **more: Any) -> list[str]:
    return [finding.sentence for finding in found(manifest, rows, **more).findings]


def test_six_against_none_on_two_hosts() -> None:
    result = found(EVENTS, {"alpha": slow(6, 3.2), "beta": [], "gamma": []})
    (finding,) = result.findings
    assert finding.sentence == (
        "alpha: 6 files open longer than 1 s, the longest 3.2 s: /srv/informe anual.csv (python3);"
        " the other 2 hosts: none"
    )
    assert (finding.host, finding.measure, finding.value, finding.peers) == ("alpha", "files", 6, 2)
    assert finding.rows[0][1] == ("python3", 7, "/srv/informe anual.csv")
    assert "alpha" in result.headline
    assert "6 files open longer than 1 s" in result.headline


def test_one_is_said_too_and_is_no_claim_that_the_host_is_different() -> None:
    result = found(EVENTS, {"alpha": slow(1), "beta": [], "gamma": []})
    (finding,) = result.findings
    assert finding.sentence == (
        "alpha: 1 file open longer than 1 s, 2 s: /srv/informe anual.csv (python3); the other 2 hosts: none"
    )
    assert (finding.kind, finding.severity, finding.chance) == ("events", "info", None)
    assert result.headline == (
        "alpha: 1 file open longer than 1 s, 2 s: /srv/informe anual.csv (python3), the other 2 hosts: none"
    )


def test_each_host_that_has_any_has_its_line() -> None:
    said = sentences({"alpha": slow(2), "beta": slow(3), "gamma": []})
    assert sorted(line.partition(",")[0] for line in said) == [
        "alpha: 2 files open longer than 1 s",
        "beta: 3 files open longer than 1 s",
    ]
    assert any(line.endswith("; the other 2 hosts: 1.5, at most 3") for line in said)


@pytest.mark.parametrize("hosts", [["alpha"], HOSTS])
def test_a_host_that_is_alone_has_its_line(hosts: list[str]) -> None:
    rows = {host: slow(2) if host == "alpha" else [] for host in hosts}
    said = sentences(rows, peers={host: host for host in hosts})
    assert said == ["alpha: 2 files open longer than 1 s, the longest 2 s: /srv/informe anual.csv (python3)"]


def test_none_anywhere_is_no_finding() -> None:
    assert sentences({host: [] for host in HOSTS}) == []


def test_how_bad_it_is_follows_from_how_it_compares() -> None:
    rows = {f"web{number}": [] if number else slow(14, 8.5) for number in range(6)}
    (finding,) = found(EVENTS, rows).findings
    assert (finding.kind, finding.severity) == ("compare", "critical")
    assert finding.chance is not None
    assert finding.sentence.endswith("; the other 5 hosts: none")
    alike = {f"web{number}": slow(14) for number in range(5)}
    assert {item.severity for item in found(EVENTS, alike).findings} == {"info"}


def test_many_hosts_that_are_alike_are_named_with_their_counts() -> None:
    rows = {f"web{number:02}": slow(2 + (number == 30)) for number in range(40)}
    (line,) = sentences(rows)
    assert line.startswith("web30: 3 files open longer than 1 s, ")
    assert ". The same on 39 more hosts: web00 (2), web01 (2), " in line
    assert "web39 (2)" in line


def test_events_that_are_only_some_of_the_records() -> None:
    rows: dict[str, list[Values]] = {
        "alpha": [("10.0.0.1", 2, 0.1), ("10.0.0.2", 0, 9.0), ("10.0.0.3", 1, 0.2)],
        "beta": [("10.0.0.1", 0, 0.1)],
    }
    assert sentences(rows, ATTEMPTS) == [
        "alpha: 3 failed attempts to connect, most of them 2: 10.0.0.1; beta: none"
    ]


def test_a_threshold_of_the_manifest_does_not_repeat_the_worst() -> None:
    checks = [{"measure": "seconds", "above": 1, "severity": "warning", "scope": "key"}]
    (finding,) = found({**EVENTS, "checks": checks}, {"alpha": slow(2), "beta": []}).findings
    assert finding.severity == "warning"
    assert finding.sentence == (
        "alpha: 2 files open longer than 1 s, the longest 2 s: /srv/informe anual.csv (python3); beta: none"
    )


def test_hosts_that_sampled_shorter_are_told_in_their_time() -> None:
    rows = {"alpha": slow(2), "beta": slow(6), "gamma": []}
    said = sentences(rows, seconds={"alpha": 10.0, "beta": 30.0, "gamma": 30.0})
    assert any(line.startswith("alpha: 2 files open longer than 1 s in 10 s, ") for line in said)


def test_hosts_that_may_have_missed_their_events_are_no_others() -> None:
    """Calls may have gone to copies that the compiler put inline: their zeros say nothing, of the one or of them."""
    rows = {host: slow(14) if host == "alpha" else [] for host in HOSTS}
    one = evidence(EVENTS, rows)
    assert "the other" in find.find([one], dict.fromkeys(HOSTS, "web")).findings[0].sentence
    (finding,) = find.find([replace(one, blind=frozenset(HOSTS))], dict.fromkeys(HOSTS, "web")).findings
    assert (finding.host, finding.kind, finding.chance) == ("alpha", "events", None)
    assert "the other" not in finding.sentence


def test_where_all_may_have_missed_theirs_it_is_not_said_that_they_are_alike() -> None:
    one = evidence(EVENTS, {host: [] for host in HOSTS})
    peers = dict.fromkeys(HOSTS, "web")
    assert find.find([one], peers).headline == "no host is different"
    found = find.find([replace(one, blind=frozenset(HOSTS))], peers)
    assert found.comparisons == []
    assert found.headline.startswith("nothing could be compared: ")
