# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read many lines at a time is what is read line by line, whatever stands in the output."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Batch, Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import MAX_LINE
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.row_blocks import BlockReader
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.session import parse_session
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.catalog import probe_from_manifest

Fixture = Callable[..., Any]
NONCE = "0123456789abcdef"


def key(kind: str, **more: str) -> dict[str, str]:
    return {"type": kind, "role": "key", "description": "It.", **more}


def measure(kind: str, **more: str) -> dict[str, str]:
    return {"type": kind, "role": "measure", "merge": "sum", "description": "It.", **more}


TABLES = {
    "calls": {"process": key("string"), "pid": key("int"), "time": measure("duration", unit="us")},
    "sizes": {
        "size": measure("bytes", unit="KB"),
        "share": measure("float"),
        "open": {**measure("bool"), "merge": "last"},
        "path": key("path"),
    },
}
PROBE = probe_from_manifest(
    "p",
    {
        "description": "A test.",
        "question": "Does it?",
        "output": "rows",
        "cost": "low",
        "tables": {name: {"description": "Rows.", "columns": columns} for name, columns in TABLES.items()},
    },
)


def rows_of(batches: Iterable[Batch]) -> list[Row]:
    return [
        Row(batch.table, t_ms, seq, values)
        for batch in batches
        for t_ms, seq, values in zip(batch.t_ms, batch.seq, zip(*batch.columns, strict=True), strict=True)
    ]


def both(output: bytes, max_bytes: int | None = None) -> list[Any]:
    """(rows by table, result) read line by line, and by blocks of a few sizes."""
    found = []
    for size in (0, 300, 1 << 16):
        stream = io.BufferedReader(io.BytesIO(output), size) if size else io.BytesIO(output)  # type: ignore[arg-type]
        session = parse_session(PROBE, NONCE, stream, max_bytes)
        rows = rows_of(session.batches()) if size else list(session)
        found.append(({name: [row for row in rows if row.table == name] for name in TABLES}, session.result))
    return found


digits = st.integers(0, 10**21).map(str) | st.integers(0, 999).map(str) | st.just("007")
numbers = (
    digits | st.integers(-(10**19), 0).map(str) | st.sampled_from(["", "-", "+1", "1_0", " 1", "1.5", "x"])
)
decimals = numbers | st.floats(0, 1e9).map(repr) | st.sampled_from(["1e5", "inf", "nan", "-0", ".5", "5."])
words = st.text("ab\\01u9 \r", max_size=6) | st.just("\\t\\377\\u20ac") | st.just("1" * 20)
records = st.one_of(
    st.tuples(st.just("calls"), digits, words, digits, digits),
    st.tuples(st.just("calls"), numbers, words, numbers, decimals),
    st.tuples(st.just("sizes"), digits, digits, digits, st.sampled_from("01"), words),
    st.tuples(st.just("sizes"), digits, numbers, decimals, st.sampled_from(["true", "2", "0"]), words),
    st.sampled_from([("@time", "5"), ("@hits", "9", "7"), ("@start", "0", "1790000005000"), ("@x", "1")]),
    st.lists(words, max_size=3).map(tuple),
)
junk = st.sampled_from(
    ["", "noise", NONCE, f"{NONCE}\t", f"{NONCE}\tcalls", f"x{NONCE}\t1\tcalls\t1\ta\t1\t1"]
)
lines = st.tuples(st.integers(0, 400), records).map(lambda item: "\t".join([NONCE, str(item[0]), *item[1]]))


@settings(max_examples=80, deadline=None)
@given(st.lists(lines | lines | lines | junk, max_size=30), st.sampled_from(["\n", "", "\nhalf"]))
def test_blocks_read_as_lines_do(printed: list[str], end: str) -> None:
    by_line, *by_block = both(("\n".join(printed) + end).encode())
    assert all(found == by_line for found in by_block)


@pytest.mark.parametrize("limit", [1, 500, 5000, 200_000])
def test_a_limit_is_kept_in_the_middle_of_a_block(limit: int) -> None:
    output = "".join(f"{NONCE}\t{n}\tcalls\t{n}\tsh\t{n}\t5\n" for n in range(1, 3000)).encode()
    by_line, *by_block = both(output, limit)
    assert all(found == by_line for found in by_block)


@pytest.mark.parametrize("length", [MAX_LINE - 40, MAX_LINE, MAX_LINE + 1, 3 * MAX_LINE])
def test_lines_too_long_are_rejected_in_blocks_too(length: int) -> None:
    line = f"{NONCE}\t1\tcalls\t1\tsh\t1\t5\n"
    output = (line + f"{NONCE}\t2\tcalls\t1\t{'x' * length}\t1\t5\n" + line.replace("\t1", "\t3", 1)).encode()
    by_line, *by_block = both(output)
    assert all(found == by_line for found in by_block)


def test_sound_blocks_are_taken_and_others_are_not() -> None:
    reader = BlockReader(PROBE, NONCE)
    sound = [f"{NONCE}\t{n}\tcalls\t{n}\tsh\t{n}\t1500000\n" for n in (1, 2)]
    other = f"{NONCE}\t3\tsizes\t9\t4\t2.5\t1\t/x\n"
    control = f"{NONCE}\t4\t@time\t10\n"
    taken = reader.read("".join([sound[0], other, control, sound[1]]).encode())
    assert taken is not None
    calls, sizes = taken[0]
    assert calls == Batch("calls", [1, 2], [1, 2], [["sh", "sh"], [1, 2], [1.5, 1.5]])
    assert sizes == Batch("sizes", [9], [3], [[4096], [2.5], [True], ["/x"]])
    assert taken[1] == [control.rstrip("\n").encode()]
    assert reader.read("".join([*sound, "noise\n"]).encode()) is None
    assert reader.read((sound[0].replace("1500000", "9" * 20)).encode()) is None


def test_a_forged_line_does_not_shift_the_fields_of_others() -> None:
    # Two lines with as many fields together as two sound ones.
    short, long = f"{NONCE}\t1\tcalls\t1\tsh\t1\n", f"{NONCE}\t2\tcalls\t1\tsh\t1\t5\t7\n"
    assert BlockReader(PROBE, NONCE).read((short + long).encode()) is None
