# SPDX-License-Identifier: GPL-3.0-or-later
"""Grids, lists of lines and sections: the parts a document is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import (
    values as cells,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.values import Cell, Head
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import (
    ProbeReport,
)

NAMES = 8
"""Host names listed in one remark; of more the number is given."""
NOT_SAMPLED = "no host sampled it, so nothing is known"
FAILED = {"failed": "nothing sampled: ", "not armed": "not armed: ", "missing": ""}


@dataclass(frozen=True)
class DisplayLimits:
    """How much of each is shown; what is left out is counted and summed up."""

    findings: int = 20
    hosts: int = 20
    rows: int = 20
    keys: int = 10
    trees: int = 2
    nodes: int = 20
    lines: int = 40


@dataclass
class Grid:
    """A table to show. All texts are safe to show; each form of output cuts them to the room it has.

    rows: one cell per head. foot: a label in the place of the first `lead` cells, then one cell per head after those.
    notes: remarks under it. empty: what it means that there are no rows.
    """

    caption: str
    heads: list[Head]
    rows: list[list[Cell]]
    lead: int = 1
    foot: list[tuple[Cell, list[Cell]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    empty: str = ""

    @property
    def remarks(self) -> list[str]:
        """Return the notes, and where there are no rows what that means."""
        return [*self.notes, *([self.empty] if self.empty and not self.rows else [])]


@dataclass
class Lines:
    """Lines as hosts printed them. more: how many are not shown. notes: remarks under them."""

    title: str
    lines: list[str]
    more: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass
class Section:
    """One probe."""

    name: str
    question: str
    description: str
    facts: list[tuple[str, str]]
    grids: list[Grid]
    lines: list[Lines]
    failures: list[Lines]
    warnings: list[str]


def named(hosts: Sequence[str]) -> str:
    """Return some names, and of more how many there are: `web1, web2 and 12 more`."""
    shown = ", ".join(printable(host) for host in hosts[:NAMES])
    return shown if len(hosts) <= NAMES else f"{shown} and {len(hosts) - NAMES:,} more"


def marks(probe: ProbeReport, hosts: Iterable[str]) -> list[str]:
    """Return the remarks under a table whose rows carry marks."""
    touched: dict[str, list[str]] = {}
    for host in sorted(set(hosts)):
        if probe.mark(host):
            touched.setdefault(probe.mark(host), []).append(host)
    return [f"* {named(names)}: {printable(mark)}" for mark, names in touched.items()]


def host_cell(probe: ProbeReport, host: str) -> Cell:
    return cells.text(host, probe.mark(host))


def cut_grid(grid: Grid, total: int, noun: str) -> Grid:
    hidden = total - len(grid.rows)
    if hidden > 0:
        grid.notes.append(f"and {plural(hidden, f'more {noun}')}; all are in report.json")
    return grid


def nothing(probe: ProbeReport, noun: str = "rows", why: str = "nothing of the kind was seen") -> str:
    """Return what it means that a probe has none; why: what that says where no host has losses."""
    if not probe.sampled:
        return NOT_SAMPLED
    if any(probe.mark(host) for host in probe.sampled):
        return f"no {noun}; but some hosts have losses, see coverage"
    return f"no {noun}: {why} in the window"
