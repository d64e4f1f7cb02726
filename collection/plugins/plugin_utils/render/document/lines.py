# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines as scripts printed them."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.grids import (
    DisplayLimits,
    Lines,
    marks,
    named,
    nothing,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import (
    HostText,
    ProbeReport,
)


def lines_of(probe: ProbeReport, most: DisplayLimits) -> list[Lines]:
    """Return what was printed as text: merged by time; of hosts that tell no times the first lines, host by host."""
    timed = [text for text in probe.texts if text.timed]
    untimed = [text for text in probe.texts if not text.timed and text.total]
    shown = [_by_time(probe, timed, most)] if timed else []
    each = max(1, most.lines // 3)
    for text in untimed[: 1 if timed else 3]:
        said = " (no times are told)" if timed else ""
        kept = [_line(line) for line in text.lines[:each]]
        left = text.total - len(kept)
        shown.append(Lines(_marked(probe, text.host) + said, kept, left, marks(probe, [text.host])))
    hidden = len(untimed) - len(untimed[: 1 if timed else 3])
    if hidden:
        shown.append(Lines(f"{plural(hidden, 'more host')}: {_LINES_FORMAT}", []))
    if probe.form.lines and not shown:
        shown.append(Lines(no_lines(probe), []))
    return shown


def no_lines(probe: ProbeReport) -> str:
    """Return what it means that there are none."""
    return nothing(probe, "lines", "nothing was printed")


def _by_time(probe: ProbeReport, timed: Sequence[HostText], most: DisplayLimits) -> Lines:
    """Return the first lines of all hosts, with seconds since the window's start and the host in front."""
    found = list(itertools.islice(first_lines(timed), most.lines))
    width = max((len(_marked(probe, host)) for _unused, host, _unused2 in found), default=0)
    kept = [
        f"{'-' if t_ms is None else f'{t_ms / 1000:.3f}':>8}  {_marked(probe, host):<{width}}  {_line(line)}"
        for t_ms, host, line in found
    ]
    own = named(sorted(text.host for text in timed if text.timed == "own"))
    how = f"; {own}: the lines tell it themselves" if own else ""
    title = f"Printed by {plural(len(timed), 'host')}, by seconds since the window's start{how}"
    left = sum(text.total for text in timed) - len(kept)
    return Lines(title, kept, left, marks(probe, (text.host for text in timed)))


_LINES_FORMAT = "all lines are in --format lines"


def first_lines(texts: Iterable[HostText]) -> Iterator[tuple[int | None, str, str]]:
    """Yield time, host and line of what hosts printed, merged by time; lines of a host stay in their order.

    No more than each host's first lines are there: behind the end of one that printed more nothing is known.
    """
    merged = heapq.merge(
        *(
            [
                (-1 if at is None else at, text.host, number, at, line)
                for number, (at, line) in enumerate(pairs)
            ]
            for text in texts
            for pairs in [zip(text.times, text.lines, strict=True)]
        )
    )
    ends = {text.host: len(text.lines) for text in texts if text.total > len(text.lines)}
    for _unused, host, number, at, line in merged:
        yield at, host, line
        if ends.get(host) == number + 1:
            return


def _marked(probe: ProbeReport, host: str) -> str:
    return printable(host) + " *" * bool(probe.mark(host))


def _line(line: str) -> str:
    return printable(line.expandtabs(8))
