# SPDX-License-Identifier: GPL-3.0-or-later
"""Histograms whose title stands on the line of their head."""

from __future__ import annotations

import pytest
from foreign import read_fleet

BUCKETS = "value |-------------------------------------------------- count\n    1 |@@@@  5\n    2 |@@  3\n    4 |   0\n"


@pytest.mark.parametrize("title", ["vfs_read ", "vfs_read: ", "vfs_read:\t"])
def test_a_title_without_a_line_feed_names_the_histogram(title: str) -> None:
    """As printf("vfs_read ") before print(@hist_log()) prints it."""
    fleet = read_fleet({"web1": f"@@T 1000\nsomething else\n{title}{BUCKETS}"})
    assert [row.values for row in fleet.rows["web1"]] == [("vfs_read", 1, 5), ("vfs_read", 2, 3)]
    assert fleet.results["web1"].text_lines == ("something else",)
