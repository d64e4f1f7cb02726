# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab command at a time: two would boot the same machine twice."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fleetdiag.lab.log import say


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`; waits, and says so, while another process has it. Ends with the process."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Not inherited by children: a machine that runs on must not keep the lock.
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another lab command holds {folder}/lock; waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
