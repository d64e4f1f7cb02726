# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages between rows: they are no headers, and what stands below them may be rows of the table above."""

from __future__ import annotations

import pytest
from foreign import read_fleet

ONCE = """COMM        READS     calls
nginx          12       100
crond           3         9
sshd            1         2
"""
MORE = "mysqld         40       700\nphp-fpm         4        11\nnginx           6        50\n"


@pytest.mark.parametrize(
    ("message", "numbers"),
    [("WARNING: something was skipped", 3), ("Collecting data... Type Ctrl-C to exit", 1)],
)
def test_a_message_is_no_header_of_the_rows_below(message: str, numbers: int) -> None:
    def rows(*names: str) -> str:
        return "".join(f"{name:14}" + f"{len(name):>10}" * numbers + "\n" for name in names)

    heads = ["READS", "WRITES", "CALLS"][:numbers]
    first = f"{'COMM':14}" + "".join(f"{head:>10}" for head in heads) + "\n" + rows("nginx", "crond", "sshd")
    fleet = read_fleet(
        {"web1": f"@@T 5000\n{first}\n{message}\n@@T 10000\n{rows('mysqld', 'php-fpm', 'ls')}\n"}
    )
    assert [[column.header for column in layout.table.columns] for layout in fleet.probe.layouts] in (
        [],
        [["COMM", *heads]],
    )


def test_a_message_among_rows_makes_the_table_text() -> None:
    printed = f"@@T 5000\n{ONCE}WARNING: skipped a probe\n{MORE}\n"
    fleet = read_fleet({"web1": printed + printed.replace("@@T 5000", "@@T 10000")})
    assert (fleet.probe.output, fleet.rows["web1"]) == ("text", [])


def test_capitals_directly_below_rows_are_a_header() -> None:
    second = "PROCESS ERRORS\nnginx       7\nmysqld      2\n"
    printed = f"@@T 5000\nPROCESS READS\nnginx      12\nmysqld      4\n{second}\n"
    fleet = read_fleet({"web1": printed + printed.replace("@@T 5000", "@@T 10000")})
    assert [layout.table.columns[1].header for layout in fleet.probe.layouts] == ["READS", "ERRORS"]


def test_a_list_below_heads_that_could_not_be_read_is_text() -> None:
    """Its units, and the rows of its first print, would be missing."""
    first = "device             KB read\nWeb Content        3\ndd                 93\na_rather_long_process_name 131\n"
    later = "[kthreadd]         6248\ntmux: server       2\nphp-fpm            308\n"
    fleet = read_fleet({"web1": f"@@T 5000\n{first}\n@@T 10000\n{later}\n"})
    assert (fleet.probe.output, fleet.rows["web1"]) == ("text", [])
