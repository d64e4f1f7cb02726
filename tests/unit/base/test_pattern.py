# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import pattern
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog


@pytest.mark.parametrize(
    "expression",
    [
        "(a+)+$",
        "(a*)*",
        "(a+){9}",
        "(?:a|aa)+$",
        "(a|ab|b)*c",
        "(a?){30}b",
        "((ab)?c)+",
        "(?=(a+)+$)",
        "(?>(a+)+)$",
        "(a*+b*)+",
        "(a*)\\1",
        "a?" * 30 + "a" * 30,
        ".*.*.*.*x",
        "^.*.*.*.*$",
        "(a|b|cc)" * 30,
        "(x",
    ],
)
def test_what_may_match_in_too_many_ways_is_refused(expression: str) -> None:
    assert pattern.fault(expression, anywhere=True)


@pytest.mark.parametrize(
    "expression",
    [
        "^[a-z0-9_]{1,55}$",
        "Average:",
        r"^\s*Total\s+\d+$",
        "^-?[0-9]+([.][0-9]+)?$",
        "^(read|write|trim)$",
        "([0-9a-f]{2}:){5}[0-9a-f]{2}",
        "^(----|====)",
        "[-=]+$",
        "(?i)^total",
        "",
    ],
)
def test_what_people_write_is_taken(expression: str) -> None:
    assert pattern.fault(expression, anywhere=True) == ""


def test_a_line_that_is_too_long_is_none_of_those_to_ignore() -> None:
    anything = re.compile("x")
    assert pattern.finds(anything, "x" * pattern.MAX_TEXT)
    assert not pattern.finds(anything, "x" * (pattern.MAX_TEXT + 1))


@pytest.mark.parametrize(
    ("place", "manifest"),
    [
        (
            "tables.t.ignore",
            {
                "output": "table",
                "tables": {
                    "t": {
                        "description": "T.",
                        "ignore": "(a+)+$",
                        "columns": {
                            "pid": {"type": "int", "role": "key", "header": "PID", "description": "P."},
                            "kb": {"type": "int", "role": "measure", "merge": "sum", "description": "K."},
                        },
                    }
                },
            },
        ),
        (
            "parameters.p.pattern",
            {
                "output": "text",
                "parameters": {
                    "p": {
                        "type": "string",
                        "default": "a" * 40 + "/",
                        "pattern": "(a+)+",
                        "description": "P.",
                    }
                },
            },
        ),
    ],
)
def test_a_run_directory_brings_none_either(place: str, manifest: dict[str, Any]) -> None:
    data = {"description": "A.", "question": "What?", "cost": "low", **manifest}
    with pytest.raises(
        FleetdiagError, match=f"{re.escape(place)}: has a repeat or an alternative within a repeat"
    ):
        catalog.probe_from_manifest("p", data)


def test_the_shipped_probes_pass() -> None:
    for name in catalog.names([catalog.shipped()]):
        catalog.load_probe(catalog.shipped() / name)
