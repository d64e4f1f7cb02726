# SPDX-License-Identifier: GPL-3.0-or-later
"""How programs are started on a balancer: as the standard library does it.

A module's `run_command` is no choice. The timer's program runs these lines too and is no module, and what waits has to
outlive the module that starts it.
"""

# pylint: disable=ansible-bad-function

from __future__ import annotations

import os
import subprocess
import sys


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a program and return how it ended, with what it printed. Raises OSError where it cannot be started."""
    return subprocess.run(words, capture_output=True, text=True, check=False)


def leave_running(*arguments: str) -> None:
    """Start this Python with these arguments as a process of its own session, which nobody waits for."""
    os.chdir("/")
    os.posix_spawn(
        sys.executable,
        [sys.executable, *arguments],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)],
        setsid=True,
    )
