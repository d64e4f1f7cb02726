# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fleets import Values, evidence, found, measure, simple, sums

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import find

NOT_COMPARED = {name: value for name, value in measure("max", "duration").items() if name != "compare"}


def times(**hosts: list[float]) -> dict[str, list[Values]]:
    return sums(**hosts)


def checked(*checks: dict[str, Any]) -> dict[str, Any]:
    return simple(
        NOT_COMPARED, checks=[{"measure": "it", "severity": "warning", **check} for check in checks]
    )


def test_a_figure_above_its_threshold() -> None:
    (finding,) = found(checked({"above": 5}), times(web1=[6.0, 8.47, 1.0], web2=[5.0])).findings
    assert (finding.kind, finding.severity, finding.host) == ("check", "warning", "web1")
    assert (finding.value, finding.expected, finding.peers, finding.chance) == (8.47, 5, 0, None)
    assert finding.sentence == "web1: it 8.47 s, above 5 s. That is n1"


def test_below() -> None:
    (finding,) = found(checked({"below": 5}), times(web1=[6.0], web2=[4.0])).findings
    assert finding.sentence == "web2: it 4 s, below 5 s. That is n0"


def test_a_zero_that_may_come_of_missed_calls_is_below_nothing() -> None:
    few = {name: value for name, value in measure("sum").items() if name != "compare"}
    rules = simple(few, checks=[{"measure": "it", "severity": "warning", "below": 5}])
    one = evidence(rules, {"web1": [], "web2": [("vda", 4)]})
    assert {item.host for item in find.find([one], {}).findings} == {"web1", "web2"}
    blind = replace(one, blind=frozenset(["web1", "web2"]))
    assert {item.host for item in find.find([blind], {}).findings} == {"web2"}


def test_by_key_the_rows_that_break_it_are_the_evidence() -> None:
    (finding,) = found(checked({"above": 5, "scope": "key"}), times(web1=[6.0, 8.0, 1.0])).findings
    assert finding.sentence == "web1: it 8 s, above 5 s. That is n1 and 1 more row"
    assert [row[1] for row in finding.rows] == [("n1",), ("n0",)]
    assert finding.key == ("n1",)


def test_only_the_worst_check_that_is_broken() -> None:
    rules = [{"above": 1, "severity": "info"}, {"above": 5, "severity": "critical"}, {"above": 3}]
    result = found(checked(*rules), times(web1=[8.0], web2=[4.0], web3=[2.0]))
    assert [(item.host, item.severity) for item in result.findings] == [
        ("web1", "critical"),
        ("web2", "warning"),
        ("web3", "info"),
    ]
    assert result.headline == "web1: it 8 s, above 5 s (and 2 more findings)"


def test_it_needs_no_other_hosts() -> None:
    assert len(found(checked({"above": 1}), times(web1=[2.0])).findings) == 1


@pytest.mark.parametrize("hosts", [5, 6, 40])
def test_what_many_hosts_have_is_said_once(hosts: int) -> None:
    figures = {f"web{number:02}": [10.0 + number] for number in range(hosts)}
    result = found(checked({"above": 5}), times(**figures))
    if hosts <= 5:
        assert len(result.findings) == hosts
        return
    (finding,) = result.findings
    assert finding.host == f"web{hosts - 1:02}"
    assert f"The same on {hosts - 1} more hosts: web" in finding.sentence


def test_a_check_and_a_comparison_of_one_cause_are_one_finding() -> None:
    manifest = simple(
        measure("max", "duration"), checks=[{"measure": "it", "above": 5, "severity": "critical"}]
    )
    figures = {f"web{number}": [1.0] * 20 for number in range(9)} | {"web3": [90.0] * 20}
    (finding,) = found(manifest, times(**figures)).findings
    assert (finding.kind, finding.severity) == ("compare", "critical")
    assert finding.sentence == "web3: it 90 s; the other 8 hosts: 1 s. That is n0. Also above 5 s"
