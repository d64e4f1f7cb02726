# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding out a form is bounded work, whatever is printed: counted in rows that are read, not in seconds."""

from __future__ import annotations

import random
from typing import Any

import pytest
from foreign import AUTO, read_fleet

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect import (
    headers,
    readings,
    sample,
    settle,
)


def event_log(lines: int, seed: int = 1) -> str:
    """Return lines of three kinds, as a tracing script prints them: nearly each could be words above columns."""
    rng = random.Random(seed)  # noqa: S311
    names = ("nginx", "mysqld", "crond", "php-fpm")
    printed = []
    for number in range(lines):
        name, file = rng.choice(names), "".join(rng.choices("abcdefgh", k=6)) + ".log"
        text = f"{name} reads {rng.randrange(9999)} bytes in {rng.randrange(999)} us"
        printed.append((f"{name} opens {file}", text, f"{name} closes {file}")[number % 3])
    return "\n".join(printed) + "\n"


def alternating(lines: int) -> str:
    """Return lines of eight words, each above a dozen of as many fields that are no rows of it."""
    rng = random.Random(2)  # noqa: S311

    def word() -> str:
        return "".join(rng.choices("abcdefgh", k=5))

    def fields() -> str:
        return " ".join([word() * rng.randrange(1, 4), *(str(rng.randrange(10**5)) for _ in range(7))])

    texts = (" ".join(word() for _ in range(8)) if number % 13 == 0 else fields() for number in range(lines))
    return "\n".join(texts) + "\n"


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
