# SPDX-License-Identifier: GPL-3.0-or-later
"""calls/<probe>.speedscope.json: the call trees, to be opened in speedscope.

A profile for the whole fleet and one per host, of each process name; widths are the time spent in a function itself,
or, of stacks that a script counted, how often it was the innermost one. speedscope compares profiles by their names:
the fleet's come first, then the hosts' by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import CallNode
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.format import several_files
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import ProbeReport, Report

SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def render(report: Report) -> Iterator[tuple[str, str]]:
    """Yield name and text of each file: one for each probe that has seen calls."""
    for probe in report.probes:
        if probe.fleet_calls or probe.fleet_stacks:
            text = json.dumps(document(probe), separators=(",", ":"), allow_nan=False)
            yield f"calls/{probe.name}.speedscope.json", text + "\n"


def document(probe: ProbeReport) -> dict[str, Any]:
    """Return one file as plain data."""
    frames: dict[str, int] = {}
    profiles = [
        _profile(
            f"all hosts: {tree.process}", (item.node for item in tree.nodes), frames, counted=tree.counted
        )
        for tree in (*probe.fleet_calls, *probe.fleet_stacks)
    ]
    profiles += [
        _profile(f"{calls.host}: {tree.process}", tree.nodes, frames, counted=tree.counted)
        for calls in sorted((*probe.calls, *probe.stacks), key=lambda calls: calls.host)
        for tree in calls.trees
    ]
    return {
        "$schema": SCHEMA,
        "exporter": "fleetdiag",
        "name": printable(probe.title or probe.name),
        "activeProfileIndex": 0,
        "shared": {"frames": [{"name": name} for name in frames]},
        "profiles": profiles,
    }


def _profile(
    name: str, nodes: Iterable[CallNode], frames: dict[str, int], *, counted: bool
) -> dict[str, Any]:
    """Return a profile: each function with its callers is a stack whose weight is its own time, or its count."""
    stacks = [node for node in nodes if node.self_us > 0]
    weights = [node.self_us for node in stacks]
    return {
        "type": "sampled",
        "name": printable(name),
        "unit": "none" if counted else "microseconds",
        "startValue": 0,
        "endValue": sum(weights),
        "samples": [
            [frames.setdefault(printable(function), len(frames)) for function in node.path] for node in stacks
        ],
        "weights": weights,
    }


FORMAT = several_files("speedscope", "call trees and counted stacks as flame graphs, for speedscope", render)
