# SPDX-License-Identifier: GPL-3.0-or-later
"""Counted stacks of a whole report: in its table, its flame view and its speedscope files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from rundirs import START, Builder, output

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import CallNode
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_html, as_speedscope
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import data
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import Report

SCRIPT = {
    "title": "./stacks.stp",
    "description": "A script.",
    "question": "What does it print?",
    "output": "auto",
    "cost": "medium",
    "unmodified": True,
    "origin": "/srv/stacks.stp",
}
ENTRY = " 0xffffffff81a5b8c0 : entry+0x60/0x90 [kernel]\n"


def stack(reads: int, writes: int) -> str:
    return (
        f" 0xffffffff812a3f10 : vfs_read+0x0/0x110 [kernel]\n{ENTRY}\t{reads}\n"
        f" 0xffffffff812a5f10 : vfs_write+0x0/0x3b0 [kernel]\n{ENTRY}\t{writes}\n"
    )


FEW = {"web1": stack(12, 3), "web2": stack(40, 5)}


def report(folder: Path, printed: Mapping[str, str] = FEW, max_rows: int = 1000) -> Report:
    made = Builder(folder, list(printed), ["stp_stacks"], manifests={"stp_stacks": SCRIPT})
    made.build()
    made.window()
    begin = round(START * 1000)
    for host, text in printed.items():
        made.preflight(host)
        made.arm(host)
        made.go(host)
        made.collect(host, {"stp_stacks": output([], start_ms=begin, end_ms=begin + 30_000, payload=text)})
    return build.build(made.path, max_rows=max_rows)


def test_trees_of_all_hosts(tmp_path: Path) -> None:
    (probe,) = report(tmp_path).probes
    (tree,) = probe.fleet_stacks
    assert (tree.process, tree.hosts, tree.counted) == ("all processes", 2, True)
    assert [item.node for item in tree.nodes] == [
        CallNode(("entry",), 60, 60, 0),
        CallNode(("entry", "vfs_read"), 52, 52, 52),
        CallNode(("entry", "vfs_write"), 8, 8, 8),
    ]


def test_what_is_in_no_tree_counts_among_all_stacks(tmp_path: Path) -> None:
    (probe,) = report(tmp_path, max_rows=1).probes
    (found,) = [each for each in probe.stacks if each.host == "web2"]
    assert ([node.count for tree in found.trees for node in tree.nodes], found.total) == ([40, 40], 45)
    assert {each.host: each.total for each in probe.evidence.stacks} == {"web1": 15, "web2": 45}


def test_a_host_whose_stacks_are_others_is_a_finding(tmp_path: Path) -> None:
    made = report(tmp_path, {"web1": stack(12, 300), "web2": stack(10, 300), "web3": stack(280, 40)})
    (finding,) = made.findings
    assert finding.sentence.startswith(
        "web3: 87.5 % of the 320 stacks are in entry->vfs_read; the other 2 hosts"
    )
    assert "entry-&gt;vfs_read" in as_html.render(made)


def test_speedscope_has_counts_and_no_times(tmp_path: Path) -> None:
    ((name, text),) = as_speedscope.render(report(tmp_path))
    assert name == "calls/stp_stacks.speedscope.json"
    profiles = json.loads(text)["profiles"]
    assert [(each["name"], each["unit"], each["endValue"]) for each in profiles] == [
        ("all hosts: all processes", "none", 60),
        ("web1: all processes", "none", 15),
        ("web2: all processes", "none", 45),
    ]


def test_the_page_has_the_flame_view_with_each_host(tmp_path: Path) -> None:
    made = report(tmp_path)
    ((tree,),) = (probe["calls"] for probe in data.document(made)["probes"])
    assert (tree["counted"], tree["functions"], tree["total"]) == (
        True,
        ["entry", "vfs_read", "vfs_write"],
        [60, 52, 8],
    )
    assert sorted(tree["hosts"]) == [
        [0, 0, 15, 15, 0, 0, 1, 12, 12, 12, 0, 2, 3, 3, 3, 0],
        [1, 0, 45, 45, 0, 0, 1, 40, 40, 40, 0, 2, 5, 5, 5, 0],
    ]
    html = as_html.render(made)
    assert "<h3>Stacks</h3>" in html
    assert "all processes &gt; entry &gt; vfs_read" in html
    assert "Where the time goes" not in html
