# SPDX-License-Identifier: GPL-3.0-or-later
"""The printf formats are those of SystemTap's own nettop.stp, disktop.stp and iotop.stp."""

# ruff: noqa: UP031

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

Fixture = Callable[..., Any]
TEXT = {"type": "string", "role": "key"}
NUMBER = {"type": "int", "role": "key"}
COUNT = {"type": "int", "role": "measure", "merge": "sum"}
KB = {"type": "bytes", "role": "measure", "unit": "KB", "merge": "sum"}

NETTOP = {
    "t": {
        "pid": NUMBER,
        "uid": NUMBER,
        "dev": TEXT,
        "xmit_pk": COUNT,
        "recv_pk": COUNT,
        "xmit_kb": KB,
        "recv_kb": KB,
        "command": TEXT,
    }
}
DISKTOP = {
    "t": {
        "uid": NUMBER,
        "pid": NUMBER,
        "ppid": NUMBER,
        "process": {**TEXT, "header": "CMD"},
        "device": TEXT,
        "direction": {**TEXT, "header": "T"},
        "bytes": {"type": "bytes", "role": "measure", "unit": "B", "merge": "sum"},
    }
}
IOTOP = {"t": {"process": TEXT, "kb_read": KB, "kb_written": KB}}


def nettop(*rows: tuple[int, int, str, int, int, int, int, str]) -> str:
    head = "%5s %5s %-12s %7s %7s %7s %7s %-15s\n" % (
        *("PID", "UID", "DEV", "XMIT_PK", "RECV_PK", "XMIT_KB", "RECV_KB", "COMMAND"),
    )
    return head + "".join("%5d %5d %-12s %7d %7d %7d %7d %-15s\n" % row for row in rows) + "\n"


def disktop(*rows: tuple[int, int, int, str, str, str, int]) -> str:
    head = "\n%-25s, %-8s%4dKb/sec, %-7s%6dKb, %-7s%6dKb\n\n" % (
        *("Mon Nov 23 07:00:00 2026", "Average:", 12, "Read:", 3, "Write:", 57),
    )
    head += "%8s %8s %8s %25s %8s %4s %12s\n" % ("UID", "PID", "PPID", "CMD", "DEVICE", "T", "BYTES")
    return head + "".join("%8d %8d %8d %25s %8s %4s %12d\n" % row for row in rows)


def iotop(*rows: tuple[str, int, int]) -> str:
    head = "%16s\t%10s\t%10s\n" % ("Process", "KB Read", "KB Written")
    return head + "".join("%16s\t%10d\t%10d\n" % row for row in rows) + "\n"


def test_nettop_with_spaces_in_a_name_and_a_new_interval(make_probe: Fixture, read: Fixture) -> None:
    output = nettop((812, 0, "eth0", 12, 9, 4, 1, "sshd"), (99, 33, "lo", 1, 1, 0, 0, "tmux: server"))
    output += nettop((812, 0, "eth0", 1, 1, 0, 0, "sshd")) + nettop()
    rows, result = read(make_probe("table", NETTOP), output.encode())
    assert [(row.interval, row.seq, row.values) for row in rows] == [
        (0, 1, (812, 0, "eth0", 12, 9, 4096, 1024, "sshd")),
        (0, 2, (99, 33, "lo", 1, 1, 0, 0, "tmux: server")),
        (1, 3, (812, 0, "eth0", 1, 1, 0, 0, "sshd")),
    ]
    assert {row.t_ms for row in rows} == {None}
    assert result.rejected_lines == 0


def test_disktop_with_spaces_in_the_middle(make_probe: Fixture, read: Fixture) -> None:
    output = disktop((0, 1, 0, "tmux: server", "sda1", "W", 4096), (0, 2, 1, "dd", "sda1", "R", 512))
    rows, result = read(make_probe("table", DISKTOP, ignore="Average:"), output.encode())
    assert [row.values for row in rows] == [
        (0, 1, 0, "tmux: server", "sda1", "W", 4096),
        (0, 2, 1, "dd", "sda1", "R", 512),
    ]
    assert result.rejected_lines == 0


def test_lines_the_manifest_does_not_ignore_are_counted(make_probe: Fixture, read: Fixture) -> None:
    _, result = read(make_probe("table", DISKTOP), disktop((0, 1, 0, "dd", "sda1", "W", 1)).encode())
    assert (result.rows, result.rejected_lines) == (1, 1)


def test_iotop_headers_of_two_words_and_tabs(make_probe: Fixture, read: Fixture) -> None:
    output = iotop(("Web Content", 5, 7), ("", 1, 1), ("a  b", 0, 0)) + iotop(("dd", 1, 2))
    rows, result = read(make_probe("table", IOTOP), output.encode())
    assert [(row.interval, *row.values) for row in rows] == [
        (0, "Web Content", 5120, 7168),
        (0, "", 1024, 1024),
        (0, "a  b", 0, 0),
        (1, "dd", 1024, 2048),
    ]
    assert result.rejected_lines == 0


@pytest.mark.parametrize(
    "line", ["812 0 eth0 12 9 4 1", "812 0 eth0 12 9 4 x sshd", "812 0 eth0 12 9 -4 1 sshd", "what is this"]
)
def test_rows_that_do_not_fit_are_rejected(make_probe: Fixture, read: Fixture, line: str) -> None:
    rows, result = read(make_probe("table", NETTOP), nettop().encode() + line.encode() + b"\n")
    assert rows == []
    assert result.rejected_lines == 1


def test_rows_before_any_header_are_rejected(make_probe: Fixture, read: Fixture) -> None:
    _, result = read(make_probe("table", IOTOP), b"dd 1 2\n")
    assert (result.rows, result.rejected_lines) == (0, 1)


def test_a_line_with_two_readings_is_rejected(make_probe: Fixture, read: Fixture) -> None:
    table = {"t": {"a": TEXT, "b": TEXT, "n": COUNT}}
    _, result = read(make_probe("table", table), b"A B N\nthe quick fox 3\n")
    assert (result.rows, result.rejected_lines) == (0, 1)


def test_words_that_look_like_figures_cannot_shift_the_columns(make_probe: Fixture, read: Fixture) -> None:
    rows, result = read(
        make_probe("table", NETTOP), nettop((1, 0, "eth0", 1, 2, 3, 4, "9 9 9 9 9 9 9")).encode()
    )
    assert [row.values for row in rows] == [(1, 0, "eth0", 1, 2, 3072, 4096, "9 9 9 9 9 9 9")]
    assert result.rejected_lines == 0


def test_screen_control_rules_and_raw_bytes(make_probe: Fixture, read: Fixture) -> None:
    output = b"\x1b[H\x1b[2J" + iotop().encode() + b"------ ---\n====\n" + b"  caf\xe9 \t   1\t  2\n"
    rows, result = read(make_probe("table", IOTOP), output)
    assert [row.values for row in rows] == [(r"caf\xe9", 1024, 2048)]
    assert result.rejected_lines == 0


NAMES = st.text(alphabet="abz0:()-. _/", min_size=1, max_size=15).map(str.strip).filter(bool)


@given(st.lists(st.tuples(st.integers(1, 99999), NAMES, st.integers(0, 9999999)), min_size=1, max_size=20))
def test_the_sum_read_is_the_sum_printed(lines: list[tuple[int, str, int]]) -> None:
    from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.table import TableForm
    from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Table

    columns = tuple(
        Column(
            name,
            value["type"],
            value["role"],
            "It.",
            unit=value.get("unit", ""),
            merge=value.get("merge", ""),
        )
        for name, value in NETTOP["t"].items()
    )
    form = TableForm(Table("t", "Rows.", columns))
    output = nettop(*((pid, 0, "eth0", 1, 1, kb, 0, name) for pid, name, kb in lines))
    rows = [row for line in output.encode().split(b"\n") if (row := form.line(line)) is not None]
    assert [(row.values[0], row.values[7], row.values[5]) for row in rows] == [
        (pid, name, kb * 1024) for pid, name, kb in lines
    ]
