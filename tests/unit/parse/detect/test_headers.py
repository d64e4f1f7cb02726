# SPDX-License-Identifier: GPL-3.0-or-later
"""The same line of words again: the next print of one table, or another table in the same print."""

from __future__ import annotations

import pytest
from foreign import read_fleet

HEADER = "PROCESS   CALLS\n"
FIRST = HEADER + "httpd        12\nsshd          3\n"
SECOND = HEADER + "httpd         7\nsshd          1\n"
EMPTIES = (
    'global a probe syscall.read { a[execname()]++ } probe timer.s(5) { foreach (p in a) printf("%s %d\\n", p, a[p]) '
    "delete a }"
)


@pytest.mark.parametrize("gap", ["", "\n"])
@pytest.mark.parametrize(
    "printed",
    [
        [FIRST, SECOND],  # in a session that tells no times
        ["@@T 5000\n", FIRST, "@@T 6000\n", SECOND],
        ["@@T 5000\n", HEADER, "sshd          4\n", "@@T 6000\n", FIRST, "@@T 7000\n", SECOND, SECOND],
    ],
)
def test_a_header_that_is_printed_again_begins_the_next_print(printed: list[str], gap: str) -> None:
    fleet = read_fleet({"web1": gap.join(printed)}, EMPTIES)
    assert fleet.probe.output == "table"
    twice = printed.count(SECOND) == 2
    assert fleet.sums("web1") == {("httpd",): [26 if twice else 19], ("sshd",): [9 if twice else 4]}


def test_what_is_printed_before_the_first_time_may_be_many_prints() -> None:
    """A session is armed a while before its window."""
    printed = FIRST + SECOND + "@@T 5000\n" + FIRST + "@@T 10000\n" + SECOND
    fleet = read_fleet({"web1": printed}, EMPTIES)
    assert fleet.probe.output == "table"
    assert len({row.interval for row in fleet.rows["web1"]}) == 4


@pytest.mark.parametrize("gap", ["", "\n"])
def test_two_tables_of_one_print_that_nothing_tells_apart_are_text(gap: str) -> None:
    for printed in (
        ["@@T 5000\n", FIRST, SECOND],
        ["@@T 5000\n", FIRST, SECOND, "@@T 10000\n", SECOND, FIRST],
        ["@@T 5000\n", FIRST, "@@T 10000\n", SECOND, FIRST],
    ):
        assert read_fleet({"web1": gap.join(printed)}, EMPTIES).probe.output == "text"
