# SPDX-License-Identifier: GPL-3.0-or-later
"""What form the output of an unknown script has: found out once, from what several hosts printed.

Known are tables under a line of words, lists of a name and its numbers, histograms as SystemTap draws them, lines of
JSON, variables that SystemTap prints because the script never does, and call traces. Everything else is text, also
columns that only say who did what at what time. Names,
units and meanings are taken from the words above a column and from nothing else; where they say nothing, a number is
shown as it was printed last and is never added to another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.columns import apart
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.corrections import (
    corrected,
    forgets_by,
    headers_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.globals import printed_globals
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.headers import (
    MAX_TABLES,
    header_tables,
    rows_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.histograms import (
    drawn_histograms,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.json_lines import json_tables
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.lists import listed
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.pairs import (
    paired_tables,
    rates,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.prints import Forgets
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.reader import LayoutsForm
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.sample import Samples
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.separated import (
    separated_tables,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.stacks import (
    counted_stacks,
    without_stacks,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Layout, Output, Reading

_TRACE = re.compile(rb"\s*-?[0-9]{1,18} .{0,150}\([0-9]{1,10}\): *(->|<-)")


@dataclass
class Inferred:
    """What was found: rows, table, calltrace or text, and the tables."""

    output: Output = "text"
    layouts: tuple[Layout, ...] = ()


def infer(samples: Samples, forgets: Forgets, reading: Reading) -> Inferred:
    """Return the form of an output. forgets: which of the arrays that it prints the script empties (see prints).

    reading: what its author says of it.
    """
    forgets = forgets_by(reading, forgets)
    if _is_trace(samples):
        return Inferred("calltrace")
    stacks = counted_stacks(samples, forgets)
    everything, samples = samples, without_stacks(samples, stacks)
    found = [
        *stacks,
        *json_tables(samples, forgets),
        *drawn_histograms(samples, forgets),
        *printed_globals(samples),
        *separated_tables(samples, forgets),
        *paired_tables(samples, forgets),
        *rates(samples),
    ]
    found += header_tables(samples, found, forgets, headers_of(reading))
    found += listed(samples, found, forgets)
    found = [corrected(layout, everything, reading, forgets) for layout in found]
    found = _whole(_named_apart(found), everything)
    if not found:
        return Inferred()
    timed = tuple(
        replace(
            layout, interval_s=_interval_s(rows_of(layout, everything)) if layout.table.interval else None
        )
        for layout in _named_apart(found[:MAX_TABLES])
    )
    return Inferred("rows" if all(layout.kind == "json" for layout in found) else "table", timed)


def _whole(found: Sequence[Layout], samples: Samples) -> list[Layout]:
    """Return the layouts without those whose rows go on behind other text: their figures would lack these."""
    cut: set[int] = set()
    for sample in samples if found else ():
        form = LayoutsForm(found)
        cut |= form.cut_tables([row for line in sample for row in form.line(line.raw, line.t_ms)])
    # A list may be the rest of such a table.
    return [
        layout
        for place, layout in enumerate(found)
        if place not in cut and not (cut and layout.kind == "list")
    ]


def _is_trace(samples: Samples) -> bool:
    lines = [line.raw for sample in samples for line in sample if line.raw.strip()]
    arrows = [found[1] for line in lines if (found := _TRACE.match(line))]
    return len(set(arrows)) == 2 and len(arrows) >= 0.6 * len(lines)


def _named_apart(found: Sequence[Layout]) -> list[Layout]:
    names = apart([layout.table.name for layout in found])
    return [
        replace(layout, table=replace(layout.table, name=name))
        for layout, name in zip(found, names, strict=True)
    ]


def _interval_s(hosts: Sequence[Sequence[Row]]) -> float | None:
    """Return the seconds from one print to the next, as the sessions' own times tell."""
    steps = []
    for rows in hosts:
        began: dict[int, int] = {}
        for row in rows:
            if row.interval is not None and row.t_ms is not None:
                began.setdefault(row.interval, row.t_ms)
        steps += [later - earlier for earlier, later in pairwise(sorted(began.values())) if later > earlier]
    return round(median(steps) / 1000, 1) if steps else None
