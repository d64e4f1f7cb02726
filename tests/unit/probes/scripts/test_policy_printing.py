# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows and texts that a probe may print."""

from __future__ import annotations

import pytest
from policies import GOOD, found, probe

ROW = 'printf("%s\\t%d\\t%s\\t%d\\n", fd_row("counts"), pid, fd_str(name), seen[pid, name])'


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ('printf("hello\\n")', "prints something that is no row"),
        ('printf("%d\\t%s\\n", 1, fd_row("counts"))', "prints something that is no row"),
        (
            'printf("%s\\t%d\\n", fd_row(table), 1)',
            "prints rows of table ?, which the manifest does not have",
        ),
        (
            'x = "counts" printf("%s\\t%d\\n", fd_row(x), 1)',
            "prints 1 field of table counts, which has 3 columns",
        ),
        (ROW.replace("counts", "count"), "prints rows of table count, which the manifest does not have"),
        (ROW.replace("counts", "count"), "nothing prints the table counts of the manifest"),
        (
            ROW.replace("\\t%d\\n", "\\n").replace(", seen[pid, name]", ""),
            "prints 2 fields of table counts, which has 3",
        ),
        (ROW.replace("%d\\n", "%d"), "a row of counts is not one line"),
        (ROW.replace("\\t%s", "\\n%s"), "a row of counts is not one line"),
        ("print(@hist_log(seen))", "prints with print()"),
    ],
)
def test_rows_are_those_of_the_manifest(row: str, what: str) -> None:
    text = GOOD.replace(ROW, row)
    assert text != GOOD
    assert any(what in said for _, said in found(text, "probe", probe())), found(text, "probe", probe())
    assert not any("table" in said for _, said in found(text, "probe", probe("text")))


def test_a_function_may_print_the_rows_of_several_tables() -> None:
    by_function = (
        "function rows(table:string, pid:long, name:string) {\n  "
        + ROW.replace('"counts"', "table")
        + "\n}\n"
    )
    text = GOOD.replace(ROW, 'rows("counts", pid, name)') + by_function
    assert found(text, "probe", probe()) == []
