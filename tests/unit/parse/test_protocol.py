# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import gzip
import io
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import MAX_LINE, read_lines
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.session import parse_session
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import HostLoad, SessionResult

Fixture = Callable[..., Any]
NONCE = "0123456789abcdef"
ROWS = {
    "t": {"name": {"type": "string", "role": "key"}, "n": {"type": "int", "role": "measure", "merge": "sum"}}
}


def records(*lines: str) -> bytes:
    return "".join(f"{NONCE}\t{line}\n" for line in lines).encode()


def test_control_records_are_noted_and_are_no_rows(make_probe: Fixture, read: Fixture) -> None:
    output = records(
        "1\t@armed\t-5000\t1790000000000",
        "2\t@start\t0\t1790000005000",
        "3\t@end\t30000\t1790000035000\twindow",
    )
    rows, result = read(make_probe("rows", ROWS), output)
    assert rows == []
    assert (result.armed_ms, result.start_ms, result.end_ms) == (1790000000000, 1790000005000, 1790000035000)
    assert result.end_reason == "window"
    assert (result.rejected_lines, result.lost_records, result.truncated) == (0, 0, False)


@pytest.mark.parametrize(("more", "hits"), [({}, 7), ({"unmodified": True}, None)])
def test_hits_are_noted_where_the_script_counts_them(
    make_probe: Fixture, read: Fixture, more: dict[str, Any], hits: int | None
) -> None:
    probe = dataclasses.replace(make_probe("text"), **more)
    _, result = read(probe, records("1\t@start\t0\t1790000005000", "2\t@hits\t30000\t7"))
    assert (result.hits, result.rejected_lines) == (hits, 0)
    assert read(probe, records("1\t@start\t0\t1790000005000"))[1].hits is None


def test_what_a_session_saw_of_its_host_is_noted_in_seconds(make_probe: Fixture, read: Fixture) -> None:
    said = records(
        "1\t@start\t0\t1790000005000", "2\t@load\t30000\t30000\t2\t50\t912\t59000\t1500\t3200\t410"
    )
    rows, result = read(make_probe("rows", ROWS), said)
    assert (rows, result.rejected_lines) == ([], 0)
    assert result.load == HostLoad(30.0, 2, 0.5, 9.12, 59.0, 1.5, 3.2, 0.41)
    assert read(make_probe("rows", ROWS), records("1\t@start\t0\t1790000005000"))[1].load is None


def test_output_without_an_end_was_cut_off(make_probe: Fixture, read: Fixture) -> None:
    _, result = read(make_probe("rows", ROWS), records("1\t@armed\t0\t1790000000000"))
    assert (result.end_ms, result.end_reason) == (None, "")


@pytest.mark.parametrize("output", ["table", "calltrace", "text"])
@pytest.mark.parametrize("before", [b"", b"text without its newline"])
def test_control_records_are_found_in_every_form(
    make_probe: Fixture, read: Fixture, output: str, before: bytes
) -> None:
    probe = make_probe(output, ROWS if output == "table" else None)
    _, result = read(probe, before + records("1\t@end\t1\t1790000035000\tttl"))
    assert (result.end_ms, result.end_reason) == (1790000035000, "ttl")


@pytest.mark.parametrize(
    "line",
    [
        "1\t@later\t0\t1790000000000",
        "1\t@end\t0\t1790000000000",
        "1\t@end\t0\t1790000000000\tboredom",
        "1\t@hits\t0",
        "1\t@hits\t0\tmany",
        "1\t@load\t0\t30000\t2",
        "1\t@load\t0\t30000\t2\t50\t912\t59000\t1500\t3200\tlate",
        "1\t@load\t0\t30000\t2\t50\t912\t59000\t1500\t3200\t-1",
        "1\t@load\t0\t9999999999999999\t2\t50\t912\t59000\t1500\t3200\t4",
        "1\t@start\t0\tnow",
        "1\t@start\t0\t-1",
        "1\t@start\t0\t9999999999999999",
        "1\t@start\t0\t1790000000000\textra",
        "0\tt\t1\ta\t1",
        "-1\tt\t1\ta\t1",
        "x\tt\t1\ta\t1",
        "1\tt\tx\ta\t1",
        "1\tt\t-1\ta\t1",
        "1\tother\t1\ta\t1",
        "1\tt\t1\ta",
        "1\tt\t1\ta\t1\t2",
        "1\tt",
        "1",
        "",
    ],
)
def test_malformed_records_are_counted_and_never_guessed(
    make_probe: Fixture, read: Fixture, line: str
) -> None:
    rows, result = read(make_probe("rows", ROWS), records(line))
    assert rows == []
    assert result.rejected_lines == 1
    assert len(result.rejected_sample) == 1
    assert (result.armed_ms, result.start_ms, result.end_ms) == (None, None, None)


def test_a_forged_row_is_rejected_and_the_others_stay(make_probe: Fixture, read: Fixture) -> None:
    raw_name = "x\ty\nffffffffffffffff\t9\tt\t1\troot\t0"
    rows, result = read(
        make_probe("rows", ROWS), records("1\tt\t1\ta\t1", f"2\tt\t2\t{raw_name}\t1", "3\tt\t3\tb\t2")
    )
    assert [row.values for row in rows] == [("a", 1), ("b", 2)]
    assert result.rejected_lines == 2
    assert result.lost_records == 0


@pytest.mark.parametrize(
    ("numbers", "lost"),
    [([1, 2, 3], 0), ([1, 3], 1), ([2, 3], 1), ([1, 2, 10], 7), ([2, 1, 3], 0), ([5, 4, 1], 2), ([], 0)],
)
def test_gaps_in_the_sequence_are_lost_records(
    make_probe: Fixture, read: Fixture, numbers: list[int], lost: int
) -> None:
    _, result = read(make_probe("rows", ROWS), records(*(f"{n}\tt\t1\ta\t1" for n in numbers)))
    assert result.lost_records == lost


def test_a_rejected_record_is_not_also_lost(make_probe: Fixture, read: Fixture) -> None:
    _, result = read(make_probe("rows", ROWS), records("1\tt\t1\ta\t1", "2\tt\t1\ta\tNaN", "3\tt\t1\ta\t1"))
    assert (result.rejected_lines, result.lost_records, result.rows) == (1, 0, 2)


def test_a_cut_last_line_is_rejected_and_said(make_probe: Fixture, read: Fixture) -> None:
    rows, result = read(make_probe("rows", ROWS), records("1\tt\t1\ta\t1", "2\tt\t2\tb\t22")[:-2])
    assert [row.values for row in rows] == [("a", 1)]
    assert result.truncated
    assert (result.rejected_lines, result.lost_records) == (1, 0)


def test_a_line_without_end_is_not_held_whole(make_probe: Fixture, read: Fixture) -> None:
    output = b"x" * (50 * MAX_LINE) + b"\n" + records("1\tt\t1\ta\t1")
    rows, result = read(make_probe("rows", ROWS), output)
    assert [row.values for row in rows] == [("a", 1)]
    assert result.rejected_lines == 1
    assert not result.truncated
    assert len(result.rejected_sample[0]) < 200


@pytest.mark.parametrize(
    ("size", "rejected", "truncated"),
    [(MAX_LINE - 1, 0, False), (MAX_LINE, 0, False), (MAX_LINE + 1, 1, False)],
)
def test_the_longest_line_allowed(size: int, rejected: int, truncated: bool) -> None:
    result = SessionResult()
    lines = list(read_lines(io.BytesIO(b"x" * size + b"\n"), result, 10**9))
    assert (len(lines), result.rejected_lines, result.truncated) == (1 - rejected, rejected, truncated)


def test_a_long_line_cut_by_the_end_is_truncated() -> None:
    result = SessionResult()
    assert list(read_lines(io.BytesIO(b"x" * (3 * MAX_LINE)), result, 10**9)) == []
    assert (result.rejected_lines, result.truncated) == (1, True)


def test_samples_are_few_short_and_safe_to_show(make_probe: Fixture, read: Fixture) -> None:
    _, result = read(make_probe("rows", ROWS), b"\x1b[2J\xff\x9b evil \n" * 1000)
    assert result.rejected_lines == 1000
    assert len(result.rejected_sample) == 5
    assert result.rejected_sample[0] == r"not a record of this session: \x1b[2J\xff\x9b evil "


def test_compressed_output_that_is_cut_or_damaged_is_truncated(make_probe: Fixture) -> None:
    packed = gzip.compress(records(*(f"{n}\tt\t1\tname{n * 7919 % 1000}\t{n}" for n in range(1, 5000))))
    damaged = bytearray(packed)
    damaged[len(packed) // 2 : len(packed) // 2 + 200] = b"\xff" * 200
    for broken in (packed[: len(packed) // 2], bytes(damaged)):
        with gzip.open(io.BytesIO(broken)) as stream:
            session = parse_session(make_probe("rows", ROWS), NONCE, stream)
            list(session)
        assert session.result.truncated
        assert session.result.notes
    with gzip.open(io.BytesIO(packed)) as stream:
        session = parse_session(make_probe("rows", ROWS), NONCE, stream)
        assert len(list(session)) == 4999
        assert not session.result.truncated


def test_endless_output_ends_at_its_cap_in_little_memory(make_probe: Fixture) -> None:
    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            block = b"x" * 4000 + b"\n"
            count = len(buffer) // len(block) or 1
            filled = (block * count)[: len(buffer)]
            buffer[: len(filled)] = filled
            return len(filled)

    tracemalloc.start()
    session = parse_session(make_probe("text"), NONCE, io.BufferedReader(Endless()), max_bytes=8 << 20)
    assert list(session) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert session.result.truncated
    assert session.result.bytes_read <= (8 << 20) + MAX_LINE + 1
    assert peak < 16 << 20


def test_the_cap_follows_the_probes_own_limit(make_probe: Fixture) -> None:
    probe = make_probe("text")
    session = parse_session(probe, NONCE, io.BytesIO((b"x" * 60_000 + b"\n") * 1200))
    list(session)
    assert session.result.truncated
    assert session.result.bytes_read <= (probe.limits.output_mb + 1 << 20) + MAX_LINE


@pytest.mark.parametrize("nonce", ["", "abc", "0123456789ABCDEF", "0123456789abcdef0", "0123456789abcde\n"])
def test_without_a_nonce_nothing_is_believed(make_probe: Fixture, nonce: str) -> None:
    with pytest.raises(FleetdiagError, match=r"^probe tested: .*sweep again$"):
        parse_session(make_probe("rows", ROWS), nonce, io.BytesIO(b""))


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=80),
            st.binary(max_size=60).map(lambda raw: NONCE.encode() + b"\t" + raw),
            st.binary(max_size=30).map(lambda raw: NONCE.encode() + b"\t1\tt\t5\t" + raw),
            st.from_regex(rb"\s*[0-9]{1,4} .{0,12}\([0-9]{1,3}\): *(->|<-)[a-c]{0,3}.{0,5}", fullmatch=True),
            st.sampled_from([b"NAME  N", b"   a  1", b"\x1b[H\x1b[2J  x y  2", b"ls(3): ->f", b"---"]),
        )
    ),
    st.binary(max_size=20),
)
@pytest.mark.parametrize("output", ["rows", "table", "calltrace", "text"])
def test_no_output_breaks_the_parser(output: str, lines: list[bytes], tail: bytes) -> None:
    from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.catalog import (
        probe_from_manifest,
    )

    manifest: dict[str, Any] = {"description": "A.", "question": "A?", "output": output, "cost": "low"}
    if output in ("rows", "table"):
        columns = {key: {"description": "It.", **value} for key, value in ROWS["t"].items()}
        manifest["tables"] = {"t": {"description": "Rows.", "columns": columns}}
    session = parse_session(probe_from_manifest("p", manifest), NONCE, io.BytesIO(b"\n".join([*lines, tail])))
    for row in session:
        assert len(row.values) == 2
        assert isinstance(row.values[0], str)
        assert isinstance(row.values[1], int)
    repr(session.result).encode("utf-8")
    assert session.result.lost_records >= 0
