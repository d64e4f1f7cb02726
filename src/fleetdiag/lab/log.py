# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress on the terminal: one line when a long step starts, one when it ends with the seconds it took."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_started = time.monotonic()

#: What took time, in order of ending: (step, seconds). The demo prints it.
steps: list[tuple[str, float]] = []


def say(text: str) -> None:
    """Write one line to stderr, with the seconds since the command began."""
    with _lock:
        print(f"lab {time.monotonic() - _started:6.1f}s  {text}", file=sys.stderr, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say that `what` begins and, when it went well, how long it took."""
    say(f"{what} ...")
    began = time.monotonic()
    yield
    seconds = time.monotonic() - began
    with _lock:
        steps.append((what, seconds))
    say(f"{what}: done in {seconds:.1f} s")
