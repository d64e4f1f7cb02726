# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.explain import MAX_LINES, explain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import MAX_LINE
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.catalog import probe_from_manifest

NONCE = "0123456789abcdef"
COLUMNS = {"n": {"type": "int", "role": "key", "description": "A."}}


def probe(output: str = "rows") -> Any:
    manifest: dict[str, Any] = {"description": "A.", "question": "A?", "output": output, "cost": "low"}
    if output in ("rows", "table"):
        manifest["tables"] = {"t": {"description": "A.", "columns": COLUMNS}}
    return probe_from_manifest("p", manifest)


def records(*texts: str) -> bytes:
    return "".join(f"{NONCE}\t{number}\t{text}\n" for number, text in enumerate(texts, 1)).encode()


def test_each_line_with_its_rows_or_the_reason_why_it_has_none() -> None:
    output = records(
        "@armed\t0\t1000",
        "@start\t0\t2000",
        "t\t5\t7",
        "t\t6\tx",
        "u\t7\t1",
        "t\t8\t9\t9",
        "@end\t9\t3000\twindow",
    )
    lines, result = explain(probe(), NONCE, io.BytesIO(output + b"noise\n" * 20 + b"half"))
    assert [line.number for line in lines] == list(range(1, 29))
    assert [row.values for row in lines[2].rows] == [(7,)]
    assert [line.rejected for line in lines[3:8]] == [
        ["n is not a whole number"],
        ["unknown table"],
        ["2 fields instead of 1"],
        [],
        ["not a record of this session"],
    ]
    assert [line.rejected for line in lines[-2:]] == [["not a record of this session"], ["cut off"]]
    assert lines[0].raw == f"{NONCE}\t1\t@armed\t0\t1000".encode()
    assert (result.rows, result.rejected_lines, result.end_reason) == (1, 24, "window")


def test_a_line_that_is_too_long_is_one_line() -> None:
    output = records("@armed\t0\t1000") + b"x" * (3 * MAX_LINE) + b"\n" + records("@armed\t0\t1000")
    lines, result = explain(probe(), NONCE, io.BytesIO(output))
    assert [line.number for line in lines] == [1, 2, 3]
    assert len(lines[1].raw) == 4096
    assert lines[1].rejected == [f"longer than {MAX_LINE} bytes"]
    assert result.rejected_lines == 1


def test_a_record_on_the_line_of_a_text() -> None:
    output = (
        records("@armed\t0\t1000", "@start\t0\t2000")
        + b"text "
        + records("@end\t9\t3000\twindow").replace(b"\t1\t", b"\t3\t", 1)
    )
    lines, result = explain(probe("text"), NONCE, io.BytesIO(output))
    assert len(lines) == 3
    assert result.text_lines == ("text ",)
    assert result.end_reason == "window"


def test_what_is_kept_is_bounded() -> None:
    lines, result = explain(probe(), NONCE, io.BytesIO(b"x\n" * (MAX_LINES + 5)))
    assert len(lines) == MAX_LINES
    assert result.rejected_lines == MAX_LINES + 5
