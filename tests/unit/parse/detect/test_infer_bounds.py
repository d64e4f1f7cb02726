# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding out a form is bounded work, whatever is printed: counted in rows that are read, not in seconds."""

from __future__ import annotations

from typing import Any

import pytest
from foreign import AUTO, alternating, event_log, read_fleet

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect import (
    headers,
    readings,
    sample,
    settle,
)


@pytest.fixture
def rows_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the rows of every reading that is tried."""
    counted: list[int] = []
    real = readings._reading

    def reading(header: bytes, spans: Any, rows: Any, taker: Any) -> Any:
        counted.append(len(rows))
        return real(header, spans, rows, taker)

    monkeypatch.setattr(readings, "_reading", reading)
    return counted


@pytest.mark.parametrize(
    "printed", [event_log(6_000), event_log(20_000), alternating(20_000)], ids=["log", "long log", "words"]
)
@pytest.mark.parametrize("hosts", [1, 3])
def test_work_is_bounded(rows_read: list[int], printed: str, hosts: int) -> None:
    read_fleet({f"h{number}": printed for number in range(hosts)})
    assert 0 < sum(rows_read) <= headers.MAX_ROWS_READ


def test_the_table_at_the_end_of_a_log_is_found_within_the_bounds(rows_read: list[int]) -> None:
    table = "PROCESS             READS\nnginx                 100\nmysqld                 50\n"
    table += "crond                   3\n"
    fleet = read_fleet({"a": event_log(6_000) + "\n" + table})
    assert fleet.table("a") == [("nginx", 100), ("mysqld", 50), ("crond", 3)]
    assert sum(rows_read) <= headers.MAX_ROWS_READ


def test_hosts_share_the_lines_that_are_looked_at() -> None:
    looked_at = []

    def lines() -> Any:
        for number in range(sample.MAX_LINES):
            looked_at.append(number)
            yield b"x", None

    settle.settled(AUTO, "", [lines() for _ in range(40)])
    assert len(looked_at) <= sample.MAX_LINES
