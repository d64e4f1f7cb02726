# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that is left running is nobody's: it ends neither with the terminal nor with who started it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import programs

SAYS = """\
import os, sys
words = [os.getsid(0) == os.getpid(), os.getcwd(), *(os.readlink(f"/proc/self/fd/{fd}") for fd in (0, 1, 2))]
open(sys.argv[1], "w").write(" ".join(map(str, words)))
"""


def test_what_is_left_running_has_a_session_and_no_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    programs.leave_running("-c", SAYS, str(pipe))
    assert pipe.read_text() == "True / /dev/null /dev/null /dev/null"
    os.wait()
