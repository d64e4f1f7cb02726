# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of findings in small: heavy-tailed noise, always the same, through the merger and all that follows."""

from __future__ import annotations

import noise
import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import find


@pytest.mark.parametrize("hosts", [3, 12, 30])
def test_hosts_that_are_alike_yield_no_finding(hosts: int) -> None:
    for seed in range(3):
        evidence, _ = noise.report(seed, hosts)
        result = find.find(evidence, {})
        assert [finding.sentence for finding in result.findings if finding.kind != "events"] == []
        assert {finding.severity for finding in result.findings} <= {"info"}
        assert "is different" not in result.headline.replace("no host is different", "")
        assert len(result.comparisons) > 15


@pytest.mark.parametrize("seed", range(8))
def test_the_planted_host_is_found_and_no_other(seed: int) -> None:
    evidence, plant = noise.report(seed, 20, plant=True)
    assert plant is not None
    result = find.find(evidence, {})
    claims = {(finding.host, finding.probe) for finding in result.findings if finding.kind != "events"}
    assert claims == {(plant.host, plant.probe)}
    assert result.headline.startswith(f"{plant.host} is different: ")


def test_every_kind_of_plant_is_drawn() -> None:
    drawn = {noise.report(seed, 1, plant=True)[1] for seed in range(90)}
    kinds = {(plant.probe, plant.what) for plant in drawn if plant is not None}
    assert kinds == {(probe, what) for probe, whats in noise.PLANTS.items() for what in whats}
