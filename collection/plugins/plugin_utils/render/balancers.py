# SPDX-License-Identifier: GPL-3.0-or-later
"""What every format shows of load balancers: the sentences, and a line for each server; all safe to show."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import values
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.grids import Grid
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.values import Cell, Head
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.traffic import (
    Served,
    Traffic,
    Weight,
)

SENTENCES = 20
ROWS = 40


def alarms(traffic: Traffic) -> list[str]:
    """Return what must be seen before anything else."""
    return [printable(alarm) for alarm in traffic.alarms]


def sentences(traffic: Traffic) -> Iterator[str]:
    """Yield a sentence for each host whose weight was lowered."""
    yield from (printable(sentence) for sentence in traffic.sentences[:SENTENCES])
    hidden = len(traffic.sentences) - SENTENCES
    if hidden > 0:
        yield f"and {plural(hidden, 'more host')}; all are in report.json"


def grid(traffic: Traffic) -> Grid:
    """Return every server of the backends concerned; of very many those that were lowered first."""
    ranked = sorted(traffic.servers, key=lambda item: not item.host)
    rows = [_row(item) for item in sorted(ranked[:ROWS], key=lambda item: (item.backend, item.server))]
    caption = f"How {', '.join(map(printable, traffic.balancers))} shared the requests"
    heads = [
        Head("server", least=12),
        Head("backend", least=8),
        Head("weight", least=12),
        Head("share before", numeric=True),
        Head("while probed", numeric=True),
        Head("after", numeric=True),
        Head("requests", numeric=True, spare=1),
        Head("failed", numeric=True),
    ]
    notes = [printable(note) for note in traffic.notes]
    hidden = len(traffic.servers) - len(rows)
    if hidden > 0:
        notes.append(f"and {plural(hidden, 'more server')}; all are in report.json")
    return Grid(caption, heads, rows, notes=notes)


def _row(item: Served) -> list[Cell]:
    return [
        values.text(item.server),
        values.text(item.backend),
        Cell(", ".join(dict.fromkeys(_weight(weight) for weight in item.weights)) or values.NOTHING),
        *(Cell(values.NOTHING if share is None else f"{100 * share:.0f} %") for share in item.shares),
        _count(item.sessions[1]),
        _count(item.failed),
    ]


def _weight(weight: Weight) -> str:
    """Return a weight: `100`, or `100 > 50 > 100` where it changed."""
    told = [
        values.NOTHING if value is None else f"{value:g}"
        for value in (weight.before, weight.during, weight.after)
    ]
    return told[0] if len(set(told)) == 1 else " > ".join(told)


def _count(value: int | None) -> Cell:
    return Cell(values.NOTHING if value is None else f"{value:,}")
