# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with few samples is judged by what is there, and its finding says how few they are."""

from __future__ import annotations

from collections.abc import Sequence

import noise
import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import find
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import fleet as merge
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.host import HostMerger
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Value

(CONNECT,) = catalog.find(["tcp_connect"], [catalog.shipped()])
TABLE = CONNECT.tables["connections"]


def attempts(seconds: Sequence[float], a_row: int) -> list[tuple[Value, ...]]:
    """Rows of `connections`, each of so many attempts in turn."""
    rows: list[tuple[Value, ...]] = []
    for at in range(0, len(seconds), a_row):
        some = seconds[at : at + a_row]
        rows.append(("curl", "10.77.0.9", 80, "connected", len(some), 0, sum(some), max(some)))
    return rows


def connections(hosts: dict[str, list[tuple[Value, ...]]]) -> Evidence:
    fleet = merge.FleetMerger("tcp_connect", TABLE, 5)
    for host in sorted(hosts):
        merger = HostMerger(TABLE, 5)
        for number, values in enumerate(hosts[host], 1):
            merger.add(Row(TABLE.name, 5000 * number, number, values))
        fleet.add(host, merger, 30.0)
    return Evidence("tcp_connect", {}, [fleet.finish()], dict.fromkeys(hosts, 30.0))


def told(hosts: dict[str, list[tuple[Value, ...]]], others: Sequence[Evidence] = ()) -> list[Finding]:
    return [item for item in find.find([connections(hosts), *others], {}).findings if item.kind == "compare"]


@pytest.mark.parametrize("a_row", [1, 2, 5, 10])
@pytest.mark.parametrize("theirs", [10, 200])
def test_ten_connects_of_85_ms_against_2_on_two_peers(a_row: int, theirs: int) -> None:
    fast = [0.0015, 0.0025] * 100
    slow = [0.083, 0.09, 0.085, 0.082, 0.085] * 2
    hosts = {
        "web1": attempts(slow, a_row),
        **{host: attempts(fast[:theirs], a_row) for host in ("web2", "web3")},
    }
    (finding,) = told(hosts)
    assert (finding.host, finding.measure) == ("web1", "latency")
    assert (
        "mean time to connect 85 ms (10 attempts to connect only); the other 2 hosts: 2 ms"
        in finding.sentence
    )


def test_it_is_found_beside_the_figures_of_other_probes() -> None:
    """In a report with six probes more, whose hosts are alike, chance has more to choose from."""
    others, _ = noise.report(5, 3)
    names = [f"web{number:03}" for number in range(3)]
    hosts = {names[0]: attempts([0.085] * 10, 10), **{name: attempts([0.002] * 10, 10) for name in names[1:]}}
    assert [item.host for item in told(hosts, others)] == [names[0]]


def test_one_slow_connect_of_ten_is_no_slow_host() -> None:
    """The mean is 85 ms as well, but one attempt decided it."""
    hosts = {
        "web1": attempts([*[0.002] * 9, 0.83], 10),
        **{host: attempts([0.002] * 10, 10) for host in ("web2", "web3")},
    }
    assert [item.measure for item in told(hosts) if item.measure == "latency"] == []


def test_many_samples_need_no_words() -> None:
    hosts = {
        "web1": attempts([0.085] * 200, 10),
        **{host: attempts([0.002] * 200, 10) for host in ("web2", "web3")},
    }
    (finding,) = told(hosts)
    assert "85 ms; the other 2 hosts: 2 ms" in finding.sentence
