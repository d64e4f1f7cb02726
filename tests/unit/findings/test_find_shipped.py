# SPDX-License-Identifier: GPL-3.0-or-later
"""What the shipped probes say may be compared, with what they really print."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import find
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import fleet as merge
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.host import HostMerger
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.session import parse_session
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog, parameters
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from fleetdiag.probes import folder_check

HOSTS = ["web1", "web2", "web3", "web4"]
FOLDERS = sorted(path.parent for path in catalog.shipped().glob(f"*/{folder_check.SAMPLE}"))


def evidence(probe: Probe, sample: Path, times: dict[str, int]) -> Evidence:
    """The recorded sample on all hosts, on some of them several times over."""
    fleets = {name: merge.FleetMerger(probe.name, table) for name, table in probe.tables.items()}
    calls = []
    for host in HOSTS:
        mergers = {name: HostMerger(table) for name, table in probe.tables.items()}
        for _ in range(times.get(host, 1)):
            with sample.open("rb") as stream:
                session = parse_session(probe, folder_check.NONCE, stream)
                for row in session:
                    mergers[row.table].add(row)
        calls.append((host, session.result.calltrees))
        for name, merger in mergers.items():
            fleets[name].add(host, merger, 30.0)
    asked = parameters.check(probe, {})
    return Evidence(
        probe.name,
        asked,
        [fleet.finish() for fleet in fleets.values()],
        dict.fromkeys(HOSTS, 30.0),
        {},
        calls,
    )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_a_fleet_that_prints_the_sample_is_alike(folder: Path) -> None:
    (probe,) = catalog.find([folder.name], [catalog.shipped()])
    result = find.find([evidence(probe, folder / folder_check.SAMPLE, {})], {})
    assert [finding.sentence for finding in result.findings if finding.kind not in ("check", "events")] == []
    assert {finding.chance for finding in result.findings} <= {None}
    assert result.headline != "too few hosts to compare"
    for finding in result.findings:
        assert "{" not in finding.sentence


@pytest.mark.parametrize("name", ["nettop", "disktop", "slow_open"])
def test_a_host_that_prints_much_more_of_it_is_not(name: str) -> None:
    (probe,) = catalog.find([name], [catalog.shipped()])
    sample = catalog.shipped() / name / folder_check.SAMPLE
    result = find.find([evidence(probe, sample, {"web3": 40})], {})
    assert {finding.host for finding in result.findings if finding.kind == "compare"} == {"web3"}
