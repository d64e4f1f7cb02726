# SPDX-License-Identifier: GPL-3.0-or-later
"""A client and its server, both probed: whose fault is a slow answer? Planted figures, shipped manifests."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from bothsides import ADDRESSES, CLIENT, FILE, ONCE, OPENED, SERVER, Rows, asked, evidence, served

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import find
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.client_server.hosts import (
    Addresses,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.client_server.join import (
    Joined,
    fits,
    join,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import fleet as merge
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.host import HostMerger
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.session import parse_session
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe


def both(
    requests: Rows,
    operations: Rows,
    files: Rows | None = None,
    addresses: Addresses = ADDRESSES,
) -> tuple[list[Joined], list[Finding]]:
    known = [
        evidence("nfs_client", {"requests": requests, "files": files or {}}),
        evidence("nfs_server", {"operations": operations}),
    ]
    joined = join(known, addresses)
    return joined, find.find(known, {}, joined).findings


def only(found: Sequence[Finding]) -> Finding:
    (finding,) = (finding for finding in found if finding.kind == "sides")
    return finding


def test_the_disk_of_the_server_is_slow() -> None:
    joined, found = both(
        {"web1": [asked("nfs1", 0.412, 0.410)], "web2": [asked("nfs1", 0.408, 0.406)]},
        {"nfs1": [served("10.77.0.11", 0.401, 0.399), served("10.77.0.12", 0.399, 0.397)]},
        {"web1": [FILE, ONCE], "web2": [FILE, OPENED]},
    )
    finding = only(found)
    assert found[0] is finding
    assert (finding.host, finding.severity, finding.probe) == ("nfs1", "warning", "nfs_client")
    assert finding.sentence == (
        "nfs1: READ for web1, web2 takes 410 ms on average (20 requests), 398 ms of it (97%) in its file system and on"
        " its disk; in the client 2 ms, on the network and in queues 8 ms, in the server 2 ms. Time in slow calls on"
        " NFS files there: /var/www/html/archivo/informe_anual.html (open, apache2) 8 s"
    )
    assert [host for host, _, _ in finding.rows] == ["web1", "web2"]
    table = joined[0].table
    assert table.table.name == "requests_by_side"
    row = table.rows()[0]
    assert (row.host, row.key, row.values[0]) == ("web1", ("nfs1", "READ"), 10)
    assert row.values[-5:] == pytest.approx((0.412, 0.002, 0.009, 0.002, 0.399))


@pytest.mark.parametrize(
    ("time", "round_trip", "server", "below", "begins", "where"),
    [
        (0.4, 0.399, 0.002, 0.001, "web1: READ from nfs1 takes 400 ms", "on the network and in queues"),
        (0.4, 0.010, 0.002, 0.001, "web1: READ from nfs1 takes 400 ms", "in the client"),
        (0.4, 0.399, 0.390, 0.001, "nfs1: READ for web1 takes 400 ms", "in the server"),
    ],
)
def test_elsewhere(
    time: float, round_trip: float, server: float, below: float, begins: str, where: str
) -> None:
    _, found = both(
        {"web1": [asked("nfs1", time, round_trip)]}, {"nfs1": [served("10.77.0.11", server, below)]}
    )
    sentence = only(found).sentence
    assert sentence.startswith(begins)
    assert f"%) {where}; " in sentence


def test_fast_answers_are_rows_but_no_finding() -> None:
    joined, found = both(
        {"web1": [asked("nfs1", 0.004, 0.003)]}, {"nfs1": [served("10.77.0.11", 0.002, 0.001)]}
    )
    assert len(joined[0].table.rows()) == 1
    assert found == []


@pytest.mark.parametrize(
    ("named", "client"),
    [
        ("10.77.0.21", "10.77.0.11"),
        ("nfs1.example.org", "10.77.0.11"),
        ("fd00:0::21", "::ffff:10.77.0.11"),
        # A name that nobody knows: only one server answered this client.
        ("files.example.org", "10.77.0.11"),
    ],
)
def test_names_and_addresses(named: str, client: str) -> None:
    joined, _ = both({"web1": [asked(named, 0.4, 0.3)]}, {"nfs1": [served(client, 0.2, 0.1)]})
    assert [(row.client, row.server) for row in joined[0].rows] == [("web1", "nfs1")]


def test_ipv6_client() -> None:
    joined, _ = both({"web2": [asked("nfs1", 0.4, 0.3)]}, {"nfs1": [served("FD00::12", 0.2, 0.1)]})
    assert [row.client for row in joined[0].rows] == ["web2"]


def test_a_host_that_mounts_its_own() -> None:
    joined, _ = both({"nfs1": [asked("localhost", 0.4, 0.3)]}, {"nfs1": [served("127.0.0.1", 0.2, 0.1)]})
    assert [(row.client, row.server) for row in joined[0].rows] == [("nfs1", "nfs1")]


def test_an_address_of_several_hosts_tells_nothing() -> None:
    joined, found = both({"web1": [asked("10.0.2.15", 0.4, 0.3)]}, {"nfs1": [served("10.0.2.15", 0.2, 0.1)]})
    assert joined[0].rows == []
    assert found == []
    (note,) = joined[0].notes
    assert note == (
        "nfs_client: what web1 asked of 10.0.2.15 is known from one side only: no host that nfs_server sampled has this"
        " name or address"
    )


def test_server_that_was_not_probed() -> None:
    joined, found = both(
        {"web1": [asked("nfs1", 0.4, 0.3), asked("nfs2", 2.0, 1.9)]},
        {"nfs1": [served("10.77.0.11", 0.2, 0.1)]},
    )
    assert [row.server for row in joined[0].rows] == ["nfs1"]
    assert "what web1 asked of nfs2 is known from one side only" in joined[0].notes[0]
    assert "nfs2" not in only(found).sentence


def test_hosts_that_were_probed_one_after_the_other_are_not_joined() -> None:
    known = [
        evidence("nfs_client", {"requests": {"web1": [asked("nfs1", 0.4, 0.4)]}}),
        evidence("nfs_server", {"operations": {"nfs1": [served("10.77.0.11", 0.4, 0.4)]}}),
    ]
    (joined,) = join(known, ADDRESSES, {"web1": (100.0, 130.0), "nfs1": (140.0, 170.0)})
    assert joined.rows == []
    (note,) = joined.notes
    assert note == (
        "nfs_client: what web1 asked of nfs1 is not compared with what it did: they were probed one after the other;"
        " probe them in one batch"
    )
    (joined,) = join(known, ADDRESSES, {"web1": (100.0, 130.0), "nfs1": (101.5, 130.0)})
    assert len(joined.rows) == 1


def test_without_the_other_probe_nothing_is_said() -> None:
    alone = [evidence("nfs_client", {"requests": {"web1": [asked("nfs1", 0.4, 0.3)]}})]
    assert join(alone, ADDRESSES) == []


def test_sides_that_saw_different_numbers_are_compared_by_means() -> None:
    joined, _ = both(
        {"web1": [asked("nfs1", 0.4, 0.3, count=12)]}, {"nfs1": [served("10.77.0.11", 0.2, 0.1, count=6)]}
    )
    row = joined[0].rows[0]
    assert [part / row.count for part in row.parts] == pytest.approx([0.1, 0.1, 0.1, 0.1])


def test_a_server_that_says_more_than_its_client_waited_takes_all_of_it() -> None:
    joined, _ = both({"web1": [asked("nfs1", 0.2, 0.1)]}, {"nfs1": [served("10.77.0.11", 0.3, 0.05)]})
    row = joined[0].rows[0]
    assert [part / row.count for part in row.parts] == pytest.approx([0.1, 0.0, 0.05, 0.05])


def test_several_operations_of_one_cause_are_one_finding() -> None:
    _, found = both(
        {"web1": [asked("nfs1", 0.4, 0.4), asked("nfs1", 0.1, 0.1, operation="OPEN")]},
        {"nfs1": [served("10.77.0.11", 0.4, 0.4), served("10.77.0.11", 0.1, 0.1, operation="OPEN")]},
    )
    assert only(found).sentence.endswith("The same with OPEN")


def test_headline() -> None:
    known = [
        evidence("nfs_client", {"requests": {"web1": [asked("nfs1", 0.4, 0.4)]}}),
        evidence("nfs_server", {"operations": {"nfs1": [served("10.77.0.11", 0.4, 0.4)]}}),
    ]
    said = find.find(known, {}, join(known, ADDRESSES)).headline
    assert said.startswith(
        "nfs1: READ for web1 takes 400 ms on average (10 requests), 400 ms of it (100%) in its file"
    )


def test_the_shipped_manifests_fit_each_other() -> None:
    for name in catalog.names([catalog.shipped()]):
        (probe,) = catalog.find([name], [catalog.shipped()])
        for table in probe.tables.values():
            if (side := table.other_side) is not None:
                (there,) = catalog.find([side.probe], [catalog.shipped()])
                assert fits(table, there.tables[side.table], side)
                assert side.names in ("", *probe.tables)


def test_real_output_of_a_host_that_mounted_its_own() -> None:
    """The recorded samples of both probes are of one sweep, with a file on a slow disk and another in memory."""
    known = [recorded(CLIENT), recorded(SERVER)]
    (joined,) = join(known, {"nfs": []})
    found = {str(row.key): row for row in joined.rows}
    assert (found["READ_PLUS"].count, found["WRITE"].count) == (34, 2)
    assert found["WRITE"].parts[3] > 0.9 * found["WRITE"].total


def recorded(probe: Probe) -> Evidence:
    """What the sample of a shipped probe says, as if one host had printed it."""
    assert probe.folder is not None
    mergers = {name: HostMerger(table, 5) for name, table in probe.tables.items()}
    with (probe.folder / "sample.out").open("rb") as stream:
        for row in parse_session(probe, "0123456789abcdef", stream, 1 << 20):
            mergers[row.table].add(row)
    tables = []
    for name, merger in mergers.items():
        fleet = merge.FleetMerger(probe.name, probe.tables[name], 5)
        fleet.add("nfs", merger, 20.0)
        tables.append(fleet.finish())
    return Evidence(probe.name, {}, tables, {"nfs": 20.0})
