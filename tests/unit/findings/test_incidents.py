# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client waits for, the disk of its server and the slow file are one story: the cause, symptoms under it."""

from __future__ import annotations

from typing import Any

from bothsides import ADDRESSES, FILE, Rows, asked, served
from bothsides import evidence as nfs
from fleets import EVENTS, Values, evidence, measure, simple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import find
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.client_server.join import join
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence

PATH = FILE[2]
DISK = {
    **simple(measure("max", "duration")),
    "checks": [{"measure": "it", "above": 1, "severity": "critical", "scope": "key"}],
}


def named(name: str, item: Evidence, topic: str = "other") -> Evidence:
    return Evidence(name, item.parameters, item.tables, item.sampled_s, item.marks, topic=topic)


def slow_files(**paths: str) -> Evidence:
    rows: dict[str, list[Values]] = {host: [("apache2", 4, path, 2.5)] for host, path in paths.items()}
    return named("slow_open", evidence(EVENTS, rows), "filesystem")


def disk(host: str, topic: str = "io") -> Evidence:
    return named("disks", evidence(DISK, {host: [("vdb", 3.0)]}), topic)


def told(*more: Evidence, took: float = 0.401, below: float = 0.399) -> find.Found:
    requests: dict[str, Rows] = {
        "requests": {host: [asked("nfs1", 0.412, 0.410)] for host in ("web1", "web2")},
        "files": {"web1": [FILE], "web2": []},
    }
    answers: dict[str, Rows] = {"operations": {"nfs1": [served("10.77.0.11", took, below)]}}
    known = [nfs("nfs_client", requests), nfs("nfs_server", answers), *more]
    return find.find(known, {}, join(known, ADDRESSES))


def seen(found: find.Found) -> list[tuple[str, str, list[tuple[str, str]]]]:
    return [
        (item.probe, item.host, sorted((under.probe, under.host) for under in item.symptoms))
        for item in found.findings
    ]


def test_the_cause_comes_first_and_its_symptoms_stand_under_it() -> None:
    result = told(slow_files(web1=str(PATH)), disk("nfs1"))
    assert seen(result) == [
        ("nfs_client", "nfs1", [("disks", "nfs1"), ("nfs_client", "web1"), ("slow_open", "web1")])
    ]
    (incident,) = result.findings
    assert incident.kind == "sides"
    assert incident.severity == "critical", "as bad as the worst of its symptoms"
    assert result.headline.startswith("nfs1: READ for web1")
    assert "more finding" not in result.headline
    under = next(item for item in incident.symptoms if item.probe == "slow_open")
    assert under.sentence.startswith(f"web1: 1 file open longer than 1 s, 2.5 s: {PATH} (apache2)")


def test_what_is_of_another_file_host_or_topic_stands_alone() -> None:
    result = told(slow_files(web1="/etc/hosts"), disk("nfs1", "network"))
    assert seen(result) == [
        ("disks", "nfs1", []),
        ("nfs_client", "nfs1", [("nfs_client", "web1")]),
        ("slow_open", "web1", []),
    ]
    assert [item for item in seen(told(disk("web2"))) if item[0] == "disks"] == [("disks", "web2", [])]


def test_a_disk_is_no_symptom_where_the_way_or_the_server_is_slow() -> None:
    for took in (0.01, 0.401):
        assert ("disks", "nfs1", []) in seen(told(disk("nfs1"), took=took, below=0.001))


def test_the_same_file_on_the_same_host_is_one_story() -> None:
    def reads(**paths: str) -> Evidence:
        data: dict[str, Any] = {
            **EVENTS,
            "columns": {
                "operation": {"type": "string", "role": "key", "description": "O."},
                **EVENTS["columns"],
            },
        }
        rows: dict[str, list[Values]] = {
            host: [("read", "apache2", 4, path, 2.4)] for host, path in paths.items()
        }
        return named("slow_fs_ops", evidence(data, rows), "filesystem")

    both = [slow_files(alpha="/srv/a", beta="/srv/b"), reads(alpha="/srv/a", beta="/srv/c", gamma="/srv/a")]
    assert sorted(seen(find.find(both, {}))) == [
        ("slow_fs_ops", "alpha", [("slow_open", "alpha")]),
        ("slow_fs_ops", "beta", []),
        ("slow_fs_ops", "gamma", []),
        ("slow_open", "beta", []),
    ]
