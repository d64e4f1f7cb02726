# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything of every sweep on a host is ended, and what could not be is said."""

from __future__ import annotations

import pytest
from fakehost import FakeHost, act

SWEEP, OTHER = "20261123_071502_1f3a", "20261123_081502_2b4c"


def test_it_says_which_sweeps_were_ended() -> None:
    host = FakeHost().says("abort", f"aborted {SWEEP} 2\naborted {OTHER} 0\nabort=complete\n")
    done = act("sweep_abort", host)
    assert (done["changed"], done["sweeps"], done["modules"]) == (True, [SWEEP], 2)
    (asked,) = host.asked
    assert asked[1].startswith(b"#!/bin/sh")  # the host program goes along


def test_where_nothing_was_running_nothing_changes() -> None:
    done = act("sweep_abort", FakeHost().says("abort", "abort=complete\n"))
    assert (done["changed"], done["sweeps"], done["modules"]) == (False, [], 0)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("residue fd_x_tick\nabort=complete\n", "still loaded: fd_x_tick; the kernel holds on to them"),
        (f"aborted {SWEEP} 1\n", "the host did not say that all has ended: abort again"),
        ("error=not root\x1b[2J\n", "not root\\x1b[2J"),
        ((1, "", "sh: cannot open\n"), "abort failed on the host: sh: cannot open"),
        ((1, "", "sudo: a password is required\n"), "cannot become root: "),
    ],
)
def test_a_bad_answer_is_one_sentence(answer: str | tuple[int, str, str], sentence: str) -> None:
    done = act("sweep_abort", FakeHost().says("abort", answer))
    assert done["failed"]
    assert done["msg"].startswith(sentence)
    assert "\n" not in done["msg"]


def test_check_mode_asks_nothing() -> None:
    host = FakeHost()
    assert act("sweep_abort", host, check_mode=True)["would_run"]
    assert host.asked == []
