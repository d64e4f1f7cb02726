# SPDX-License-Identifier: GPL-3.0-or-later
"""Call trees for speedscope and for viewers of Chrome's trace events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import reportdata
import rundirs
from rundirs import Builder

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_chrome_trace, as_speedscope
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import model

INDEX = {"type": "integer", "minimum": 0}
SPEEDSCOPE = {
    "type": "object",
    "required": ["$schema", "shared", "profiles"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"const": "https://www.speedscope.app/file-format-schema.json"},
        "exporter": {"type": "string"},
        "name": {"type": "string"},
        "activeProfileIndex": INDEX,
        "shared": {
            "type": "object",
            "required": ["frames"],
            "properties": {
                "frames": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "additionalProperties": False,
                        "properties": {"name": {"type": "string"}},
                    },
                }
            },
        },
        "profiles": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["type", "name", "unit", "startValue", "endValue", "samples", "weights"],
                "additionalProperties": False,
                "properties": {
                    "type": {"const": "sampled"},
                    "name": {"type": "string"},
                    "unit": {"const": "microseconds"},
                    "startValue": {"type": "number"},
                    "endValue": {"type": "number"},
                    "samples": {"type": "array", "items": {"type": "array", "items": INDEX}},
                    "weights": {"type": "array", "items": {"type": "number"}},
                },
            },
        },
    },
}
"""The form that speedscope reads, as far as it is used: https://github.com/jlfwong/speedscope, file-format-spec.ts."""


def speedscope(report: model.Report) -> Any:
    ((name, text),) = as_speedscope.render(report)
    assert name == "calls/fs_calltrace.speedscope.json"
    data = json.loads(text)
    jsonschema.validate(data, SPEEDSCOPE)
    for profile in data["profiles"]:
        assert len(profile["samples"]) == len(profile["weights"])
        assert sum(profile["weights"]) == profile["endValue"]
        assert all(place < len(data["shared"]["frames"]) for stack in profile["samples"] for place in stack)
    return data


def trace(report: model.Report) -> list[dict[str, Any]]:
    ((name, text),) = as_chrome_trace.render(report)
    assert name == "calls/fs_calltrace.trace.json"
    events: list[dict[str, Any]] = json.loads(text)["traceEvents"]
    return events


def test_speedscope_has_the_fleet_and_each_host(tmp_path: Path) -> None:
    data = speedscope(reportdata.found(reportdata.sweep(tmp_path)))
    names = [frame["name"] for frame in data["shared"]["frames"]]
    shown = {
        profile["name"]: {
            ";".join(names[place] for place in stack): weight
            for stack, weight in zip(profile["samples"], profile["weights"], strict=True)
        }
        for profile in data["profiles"]
    }
    assert list(shown) == ["all hosts: ls", "web1: ls", "web2: ls", "web3: ls"]
    assert shown["all hosts: ls"] == {"ext4_readdir": 201, "ext4_readdir;ext4_get_inode_loc": 63}
    assert shown["web1: ls"] == {"ext4_readdir": 67, "ext4_readdir;ext4_get_inode_loc": 21}


def test_trace_events_nest(tmp_path: Path) -> None:
    events = trace(reportdata.found(reportdata.sweep(tmp_path)))
    named = {event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"}
    assert list(named.values()) == ["all hosts", "web1", "web2", "web3"]
    slices = [event for event in events if event["ph"] == "X" and named[event["pid"]] == "web1"]
    assert [(event["name"], event["ts"], event["dur"], event["args"]["calls"]) for event in slices] == [
        ("ext4_readdir", 0, 88, 1),
        ("ext4_get_inode_loc", 0, 21, 1),
    ]


def test_slices_stand_within_their_parents_also_when_those_never_returned(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1"], ["fs_calltrace"])
    made.window()
    lines = ["0 ls(1): ->a"]
    lines += [
        f"{at} ls(1):  {arrow}{name}"
        for name, at in (("b", 10), ("c", 40))
        for arrow, at in (("->", at), ("<-", at + 20))
    ]
    lines += ["70 ls(1):  ->d", "71 ls(1):   ->e", "79 ls(1):   <-e"]
    made.whole("web1", {"fs_calltrace": made.out(payload="".join(f"{line:>20}\n" for line in lines))})
    slices = [event for event in trace(reports.build(made.path)) if event["ph"] == "X" and event["pid"] == 2]
    spans = {event["name"]: (event["ts"], event["ts"] + event["dur"]) for event in slices}
    for outer, inner in (("a", "b"), ("a", "c"), ("a", "d"), ("d", "e")):
        assert spans[outer][0] <= spans[inner][0] <= spans[inner][1] <= spans[outer][1]
    assert spans["b"][1] == spans["c"][0]
    assert spans["a"] == (0, 48)


@pytest.mark.parametrize("module", [as_speedscope, as_chrome_trace])
def test_hostile_names_are_safe_to_show(tmp_path: Path, module: Any) -> None:
    for _, text in module.render(reportdata.hostile(tmp_path)):
        assert text.isascii()
        for value in strings(json.loads(text)):
            assert printable(value) == value


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.items() for part in item for text in strings(part)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("module", [as_speedscope, as_chrome_trace])
def test_without_calls_there_is_no_file(tmp_path: Path, module: Any) -> None:
    made = rundirs.Builder(tmp_path, ["web1"], ["slow_open", "fs_calltrace"])
    assert list(module.render(reports.build(made.path))) == []
