# SPDX-License-Identifier: GPL-3.0-or-later
"""What the author of a script says of its output, in the place of what would be found."""

from __future__ import annotations

from typing import Any

from foreign import Fleet, read_fleet

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column

PRINT = "NAME     CPU  TOOK  CALLS\nnginx      0   12    100\nnginx      1   90      7\nmysqld     1   15      8\n"
TWICE = f"@@T 5000\n{PRINT}\n@@T 10000\n{PRINT.replace('100', '150')}\n"


def read(printed: str, reading: dict[str, Any], script: str = "") -> Fleet:
    return read_fleet({"web1": printed}, script, reading)


def columns(fleet: Fleet) -> dict[str, Column]:
    (table,) = fleet.probe.tables.values()
    return {column.name: column for column in table.columns}


def test_units_and_merges_are_the_authors() -> None:
    before = columns(read(TWICE, {}))["took"]
    assert (before.type, before.merge) == ("int", "last")
    fleet = read(TWICE, {"units": {"Took": "us"}, "merge": {"TOOK": "max"}, "prints": "reset"})
    took = columns(fleet)["took"]
    assert (took.type, took.unit, took.merge) == ("duration", "us", "max")
    assert fleet.sums("web1")[("nginx", 0)] == [12e-6, 250]


def test_keys_are_the_authors_and_all_other_numbers_are_measures() -> None:
    fleet = read(TWICE, {"keys": ["TOOK"], "prints": "reset"})
    assert [name for name, column in columns(fleet).items() if column.is_key] == ["name", "took"]
    assert columns(fleet)["cpu"].merge == "last"


def test_prints_that_count_on_are_the_last_one() -> None:
    assert read(TWICE, {"prints": "reset"}).sums("web1")[("nginx", 0)][-1] == 250
    assert read(TWICE, {"prints": "cumulative"}).sums("web1")[("nginx", 0)][-1] == 150


def test_a_header_that_is_not_seen_as_one() -> None:
    printed = "@@T 5000\n2xx 3xx 4xx\n  5   6   7\n  8   9   1\n"
    assert read(printed, {}).rows["web1"] == []
    fleet = read(printed, {"header": ["2xx 3xx 4xx"]})
    assert [row.values for row in fleet.rows["web1"]] == [(5, 6, 7), (8, 9, 1)]


def test_what_does_not_fit_the_output_is_in_the_notes() -> None:
    fleet = read(TWICE, {"units": {"TIME": "us", "NAME": "ms"}, "keys": ["PID"], "header": ["A B"]})
    assert fleet.results["web1"].notes[-4:] == [
        "units of the file beside the script: no column TIME was found in the output",
        "units of the file beside the script: column NAME holds text, no numbers",
        "keys of the file beside the script: no column PID was found in the output",
        "header of the file beside the script: no table below A B was found in the output",
    ]
