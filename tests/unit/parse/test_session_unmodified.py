# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions of scripts that were not written for fleetdiag: they print from arming on and never say when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Fixture = Callable[..., Any]
NONCE = "0123456789abcdef"
TABLE = {
    "t": {
        "name": {"type": "string", "role": "key"},
        "n": {"type": "int", "role": "measure", "merge": "sum"},
    }
}


def session(*parts: str) -> bytes:
    """The output of a session: texts as they are, `@...` as control records."""
    records = {
        "@armed": "@armed\t0\t1790000000000",
        "@start": "@start\t0\t1790000004000",
        "@time": "@time\t2500",
        "@end": "@end\t5000\t1790000009000\twindow",
        "@stop": "@end\t0\t1790000002000\tstop",
    }
    text, number = "", 0
    for part in parts:
        number += part in records
        text += f"{NONCE}\t{number}\t{records[part]}\n" if part in records else part
    return text.encode()


def test_what_was_printed_before_the_window_is_left_out_and_counted(
    read: Fixture, make_probe: Fixture
) -> None:
    output = session(
        "Tracing...\n", "@armed", "early\n", "@start", "one\n", "@time", "two\n", "@end", "at end\n"
    )
    _, result = read(make_probe("text"), output)
    assert result.text_lines == ("one", "two", "at end")
    assert result.text_times == (0, 2500, 5000)
    assert (result.text_lines_total, result.rejected_lines, result.lost_records) == (3, 0, 0)
    assert result.notes == ["2 lines printed before the window began are left out"]


def test_rows_before_the_window_do_not_count_but_their_header_does(
    read: Fixture, make_probe: Fixture
) -> None:
    head = "name n\n"
    output = session("@armed", head, "a 1\n", "@start", "a 2\n", head, "@time", "a 4\n", "@end")
    rows, result = read(make_probe("table", TABLE), output)
    assert [(row.values, row.t_ms, row.interval) for row in rows] == [(("a", 2), 0, 0), (("a", 4), 2500, 1)]
    assert result.rejected_lines == 0


def test_the_first_header_in_the_window_begins_the_first_interval(read: Fixture, make_probe: Fixture) -> None:
    output = session(
        "@armed", "name n\n", "a 1\n", "@start", "name n\n", "a 2\n", "name n\n", "a 4\n", "@end"
    )
    rows, _ = read(make_probe("table", TABLE), output)
    assert [(row.values, row.interval) for row in rows] == [(("a", 2), 0), (("a", 4), 1)]


def test_of_a_script_that_ended_before_its_window_everything_is_kept(
    read: Fixture, make_probe: Fixture
) -> None:
    rows, result = read(make_probe("table", TABLE), session("name n\n", "@armed", "a 1\n", "@stop", "a 2\n"))
    assert [row.values for row in rows] == [("a", 1), ("a", 2)]
    assert (result.start_ms, result.end_reason, result.notes) == (None, "stop", [])
    _, result = read(make_probe("text"), session("hello\n", "@armed", "@stop"))
    assert result.text_lines == ("hello",)


def test_a_flood_before_the_window_is_not_held_in_memory(read: Fixture, make_probe: Fixture) -> None:
    flood = session("@armed", "x" * 50_000 + "\n") + (b"x" * 50_000 + b"\n") * 100
    _, result = read(make_probe("text"), flood)
    assert 15 < result.text_lines_total < 25
    assert result.notes == [
        f"{100 + 1 - result.text_lines_total} lines printed before the window began are left out"
    ]


def test_a_late_host_knows_when_the_window_began(read: Fixture, make_probe: Fixture) -> None:
    output = (
        f"{NONCE}\t1\t@armed\t0\t1790000006000\n{NONCE}\t2\t@start\t3200\t1790000007200\n"
        f"{NONCE}\t3\t@end\t5000\t1790000009000\twindow\n"
    )
    _, result = read(make_probe("text"), output.encode())
    assert (result.start_ms, result.window_ms) == (1790000007200, 1790000004000)
