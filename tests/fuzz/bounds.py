# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounds of one example. They are of processor time and address space, so that a busy machine breaks none."""

from __future__ import annotations

import contextlib
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

SECONDS = 60
BYTES = 2 * 1024**3


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Fail what takes more than a minute of the processor, or 2 GiB more than there is already."""

    def over(*_: object) -> None:
        raise AssertionError(f"took more than {SECONDS} s of processor time")

    before = signal.signal(signal.SIGPROF, over)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, limits[1]))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGPROF, before)


def assert_sentence(why: Exception) -> None:
    """Fail unless an error is one line that says something."""
    said = str(why).strip()
    assert said
    assert len(said.splitlines()) == 1, said
