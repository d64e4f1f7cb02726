# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import SessionResult
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.session import parse_session
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.text import TextForm

Fixture = Callable[..., Any]


def test_lines_are_kept_as_they_are(make_probe: Fixture, read: Fixture) -> None:
    _, result = read(make_probe("text"), b"one\n\n  two\t\\n \xff\n")
    assert result.text_lines == ("one", "", "  two\t\\n \\xff")
    assert (result.text_lines_total, result.rejected_lines, result.truncated) == (3, 0, False)


@pytest.mark.parametrize(
    ("limits", "kept"), [({"max_lines": 2}, 2), ({"max_bytes": 9}, 3), ({"max_bytes": 0}, 0)]
)
def test_the_first_lines_are_kept_and_all_are_counted(limits: dict[str, int], kept: int) -> None:
    form = TextForm(**limits)
    for line in (b"abc", b"def", b"ghi", b"jkl", b""):
        form.line(line)
    result = SessionResult()
    form.finish(result)
    assert result.text_lines == ("abc", "def", "ghi", "jkl", "")[:kept]
    assert result.text_lines_total == 5


def test_every_line_is_a_row_for_who_asks_for_it(make_probe: Fixture, read: Fixture) -> None:
    session = parse_session(
        make_probe("text"), "0" * 16, io.BytesIO(b"one\n\n" + b"x" * 99 + b"\n"), lines_as_rows=True
    )
    assert [(row.table, row.seq, row.values) for row in session] == [
        ("", 1, ("one",)),
        ("", 2, ("",)),
        ("", 3, ("x" * 99,)),
    ]
    rows, _ = read(make_probe("text"), b"one\n")
    assert rows == []
