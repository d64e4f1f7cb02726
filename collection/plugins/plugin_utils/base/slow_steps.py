# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps of work that say what they are while they last, if they last long: nobody wants a line for each quick one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS = 2.0

Tell = Callable[[str], None]
"""Shows one line to whoever waits."""


@contextmanager
def told(tell: Tell | None, seconds: float = SECONDS) -> Iterator[Tell]:
    """Yield a function that is given the name of each step as it begins; the last one ends where this does.

    A step that takes longer than `seconds` is told once, meanwhile, from another thread. tell: None to tell nobody.
    """
    if tell is None:
        yield lambda _: None
        return
    watch = _Watch(tell, seconds)
    watch.start()
    try:
        yield watch.begin
    finally:
        watch.end()


class _Watch(threading.Thread):
    """Waits for the next step, and tells the present one when that does not come in time."""

    def __init__(self, tell: Tell, seconds: float) -> None:
        super().__init__(name="fleetdiag-slow-steps", daemon=True)
        self._tell, self._seconds = tell, seconds
        self._step = ""
        self._begun = 0
        self._ended = threading.Event()

    def begin(self, step: str) -> None:
        """Note what is done from now on."""
        self._step, self._begun = step, self._begun + 1

    def end(self) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Tell what was begun before one turn and is still the same step after it."""
        told = before = 0
        while not self._ended.wait(self._seconds):
            if self._begun == before != told:
                told = before
                self._tell(self._step)
            before = self._begun
