# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html: one file that opens offline. Its policy allows its own style and script by their hashes,
nothing else.

Every text passes `printable()` in `view` and then Jinja's autoescape; only the style sheet and the script,
which are files of this folder, are put in as they are.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.decode import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import view
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.cells import Cell, Head
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import Report

ROWS = 200
HOSTS_WITH_LINES = 50
LINES = 100
_FOLDER = Path(__file__).resolve().parent
_DEEPEST = 12
"""Levels of a call tree that are indented; the style sheet has a class for each."""


def render(report: Report) -> str:
    """The whole page."""
    sections = [view.section(probe, ROWS, HOSTS_WITH_LINES, LINES) for probe in report.probes]
    style, script = _file("report.css"), _file("report.js")
    page = _template().render(
        title=f"fleetdiag: {report.verdict}",
        verdict=_sentence(report.verdict),
        tone=_tone(report),
        counts=[(status, count) for status, count in report.counts.items() if count],
        conditions=view.conditions(report),
        coverage=_Page(view.coverage_grid(report)),
        sections=[_SectionPage(section) for section in sections],
        builds=_Page(grid) if (grid := view.builds_grid(report)) else None,
        notes=[printable(note) for note in report.notes],
        runs=[printable(run.id) for run in report.runs],
        generated=printable(report.generated),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    return page + "\n"


class _Page:
    """A grid and the largest figure of its bar column."""

    def __init__(self, grid: view.Grid) -> None:
        self.caption, self.heads, self.rows = grid.caption, grid.heads, grid.rows
        self.foot, self.notes, self.bar, self.kind = grid.foot, grid.notes, grid.bar, grid.kind
        figures = [row[grid.bar].sort for row in grid.rows] if grid.bar is not None else []
        known = [figure for figure in figures if figure is not None and figure >= 0]
        self.top = max(known, default=0.0) if len(known) == len(figures) and len(known) > 1 else 0.0


class _SectionPage:
    """A section whose grids know their bars."""

    def __init__(self, section: view.Section) -> None:
        self.name, self.question, self.description = section.name, section.question, section.description
        self.facts, self.failures, self.lines = section.facts, section.failures, section.lines
        self.warnings = section.warnings
        self.grids = [_Page(grid) for grid in section.grids]


def _sentence(verdict: str) -> str:
    return verdict[:1].upper() + verdict[1:]


def _tone(report: Report) -> str:
    """`good` when every host was probed without loss, `bad` when none was probed at all."""
    probed, total = report.counts.get("probed", 0), sum(report.counts.values())
    if total and probed == total:
        return "good"
    return "mixed" if probed or report.counts.get("degraded", 0) else "bad"


def _classes(grid: _Page, head: Head, cell: Cell, place: int) -> Markup:
    names = []
    if head.numeric:
        names.append("n")
    elif head.tail:
        names.append("path")
    elif grid.kind == "coverage" and place >= len(grid.heads) - 2:
        names.append("text")
    if place == grid.bar and grid.top:
        names.append("hot")
    if cell.depth:
        names.append(f"d{min(cell.depth, _DEEPEST)}")
    return Markup(' class="{}"').format(" ".join(names)) if names else Markup("")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.globals["classes"] = _classes
    return environment.get_template("report.html.j2")


@cache
def _file(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The source expression of the policy for an inline element with this text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
