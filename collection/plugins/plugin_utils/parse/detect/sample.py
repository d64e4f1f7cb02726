# SPDX-License-Identifier: GPL-3.0-or-later
"""What is looked at to find out the form of an output: the first lines of several hosts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_words import (
    cleaned,
    without_colours,
)

MAX_LINES = 20_000
"""Lines of all hosts together; each has an equal share of them."""

Line = tuple[bytes, int | None]
"""A line that a script printed, and milliseconds since the window's start if they are known."""


class SampleLine(NamedTuple):
    """A printed line. text: cleaned (see printed_words). t_ms: since the window's start. raw: with its tabs."""

    text: bytes
    t_ms: int | None
    raw: bytes


HostSample = Sequence[SampleLine]
Samples = Sequence[HostSample]


def taken(lines: Iterable[Line], most: int) -> HostSample:
    """Return at most `most` lines of one host, ready to be looked at."""
    return [SampleLine(cleaned(line), t_ms, without_colours(line)) for line, t_ms in islice(lines, most)]
