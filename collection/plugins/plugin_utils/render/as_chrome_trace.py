# SPDX-License-Identifier: GPL-3.0-or-later
"""calls/<probe>.trace.json: the call trees in Chrome's trace-event form, for Perfetto and chrome://tracing.

The fleet and each host are processes, each process name is a thread. A slice is all calls of one function from one
chain of callers: as wide as the time they took together. Slices stand side by side, slowest first; where they stand
says nothing about when the calls were made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import CallNode
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.format import several_files
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import ProbeReport, Report

Path = tuple[str, ...]
Event = dict[str, Any]


def render(report: Report) -> Iterator[tuple[str, str]]:
    """Yield name and text of each file: one for each probe that has seen calls."""
    for probe in report.probes:
        if probe.fleet_calls:
            text = json.dumps(document(probe), separators=(",", ":"), allow_nan=False)
            yield f"calls/{probe.name}.trace.json", text + "\n"


def document(probe: ProbeReport) -> dict[str, Any]:
    """Return one file as plain data."""
    fleet = [(tree.process, [item.node for item in tree.nodes]) for tree in probe.fleet_calls]
    hosts = [
        (calls.host, [(tree.process, list(tree.nodes)) for tree in calls.trees])
        for calls in sorted(probe.calls, key=lambda calls: calls.host)
    ]
    events: list[Event] = []
    for number, (name, trees) in enumerate([("all hosts", fleet), *hosts], 1):
        events.extend(_process(number, name, trees))
    return {
        "displayTimeUnit": "ms",
        "otherData": {"probe": printable(probe.title or probe.name)},
        "traceEvents": events,
    }


def _process(number: int, name: str, trees: Sequence[tuple[str, Sequence[CallNode]]]) -> Iterator[Event]:
    yield _name("process_name", number, 0, name)
    yield {"ph": "M", "name": "process_sort_index", "pid": number, "tid": 0, "args": {"sort_index": number}}
    for thread, (process, nodes) in enumerate(trees, 1):
        yield _name("thread_name", number, thread, process)
        yield from _slices(number, thread, nodes)


def _name(kind: str, process: int, thread: int, name: str) -> Event:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": printable(name)}}


def _slices(process: int, thread: int, nodes: Sequence[CallNode]) -> Iterator[Event]:
    """Yield a slice for each node: parents before children, each child within its parent."""
    widths = _widths(nodes)
    free: dict[Path, int] = {}  # where the next child of a function begins
    for node in nodes:
        above = node.path[:-1]
        start = free.get(above, 0)
        free[above] = start + widths[node.path]
        free[node.path] = start
        args = {"calls": node.count, "self_us": node.self_us, "unfinished": node.unfinished}
        yield {
            "ph": "X",
            "name": printable(node.path[-1]),
            "cat": "calls",
            "pid": process,
            "tid": thread,
            "ts": start,
            "dur": widths[node.path],
            "args": args,
        }


def _widths(nodes: Iterable[CallNode]) -> dict[Path, int]:
    """Return how wide each function is drawn: as its time (us), but never narrower than what it called. Calls that did
    not return in the window have no time, those that they made have."""
    listed = list(nodes)
    widths = {node.path: node.total_us for node in listed}
    inside: dict[Path, int] = {}
    for node in reversed(listed):
        widths[node.path] = max(widths[node.path], inside.get(node.path, 0))
        above = node.path[:-1]
        inside[above] = inside.get(above, 0) + widths[node.path]
    return widths


FORMAT = several_files("chrome-trace", "call trees in Chrome's trace-event form, for Perfetto", render)
