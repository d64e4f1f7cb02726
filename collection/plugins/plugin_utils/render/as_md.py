# SPDX-License-Identifier: GPL-3.0-or-later
"""report.md: for a ticket. GitHub-flavoured: what was found, coverage, the top rows.

A tracker makes links of addresses, mentions of `@name` and references of `#12`, wherever they stand in the text; a
name that a host made up could call a whole team. So every word but plain ones stands in a code span, where nothing
is made of it, and a `|` that would end a table's cell is shown as `\\x7c`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import balancers
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document import grids, view
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.head import (
    conditions,
    coverage_groups,
    no_findings,
    proof,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.format import one_file
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.values import Cell
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import Report
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.traffic import Traffic

MOST = grids.DisplayLimits(findings=20, hosts=20, rows=10, keys=5, trees=1, nodes=12, lines=20)
LINE = 160
"""Characters of a printed line."""

# Words of which no tracker makes anything: letters, a unit like KiB/s, a number with its sign and separators.
_PLAIN = re.compile(
    r"\(?(?:[^\W\d_]{1,40}|[^\W\d_]{1,6}/s|[+-]?[0-9]{1,15}(?:[.,][0-9]{1,15}){0,4}%?|±|[+/-])[.,;:)?]{0,2}"
)
# Letters that could be the name of a commit.
_HEX = re.compile(r"\(?[0-9a-f]{7,40}[.,;:)?]{0,2}")
_TICKS = re.compile(r"`+")


def render(report: Report) -> str:
    """Return the whole document, with a newline at its end."""
    lines = [f"## fleetdiag: {words(report.verdict)}", "", *_findings(report), "", *_coverage(report)]
    for told in report.traffic:
        lines += ["", *_traffic(told)]
    for probe in report.probes:
        lines += ["", *_probe(view.section(probe, MOST))]
    lines += ["", "### Conditions", ""]
    lines.extend(f"- {words(name)}: {words(value)}" for name, value in conditions(report))
    if report.notes:
        lines += ["", "### Notes", "", *(f"- {words(note)}" for note in report.notes)]
    return "\n".join(lines) + "\n"


# --- the head ---


def _findings(report: Report) -> Iterator[str]:
    yield "### Findings"
    yield ""
    if not report.findings:
        yield words(no_findings(report))
    for finding in report.findings[: MOST.findings]:
        yield from _finding(report, finding)
    hidden = len(report.findings) - MOST.findings
    if hidden > 0:
        yield f"- and {plural(hidden, 'more finding')}"
    if report.worth_a_look:
        yield from ("", "### Worth a look", "")
        yield from (f"- {words(look.sentence)}" for look in report.worth_a_look)


def _finding(report: Report, finding: Finding) -> Iterator[str]:
    yield f"- **{finding.severity}** {words(finding.sentence)}"
    for line in proof(report, finding):
        yield f"  - {words(line)}"
    for under in finding.symptoms:
        yield f"  - with it: {words(under.sentence)}"


def _coverage(report: Report) -> Iterator[str]:
    yield "### Coverage"
    yield ""
    groups = coverage_groups(report)
    if not groups:
        yield "no host was in the pattern"
        return
    yield from _row(["hosts", "status", "losses and reasons", "what to do"])
    yield from _row(["---"] * 4)
    for group in groups[: MOST.hosts]:
        hosts = (
            f"{len(group.hosts):,}: {grids.named(group.hosts)}" if len(group.hosts) > 1 else group.hosts[0]
        )
        yield from _row([words(hosts), group.status, words(group.reason), words(group.remedy)])
    rest = sum(len(group.hosts) for group in groups[MOST.hosts :])
    if rest:
        yield ""
        yield f"and {plural(rest, 'more host')} with other reasons"


def _traffic(traffic: Traffic) -> Iterator[str]:
    yield "### Traffic"
    yield ""
    yield from (f"- **critical** {words(alarm)}" for alarm in balancers.alarms(traffic))
    yield from (f"- {words(sentence)}" for sentence in balancers.sentences(traffic))
    yield from _grid(balancers.grid(traffic))


# --- one probe ---


def _probe(section: grids.Section) -> Iterator[str]:
    yield f"### Probe {words(section.name)}"
    yield ""
    yield words(section.question or section.description)
    yield ""
    yield words("; ".join(f"{name}: {value}" for name, value in section.facts))
    for failure in section.failures:
        yield from _block(failure)
    for grid in section.grids:
        yield from _grid(grid)
    for block in section.lines:
        yield from _block(block)
    if section.warnings:
        yield ""
        yield from (f"- {words(warning)}" for warning in section.warnings)


def _grid(grid: grids.Grid) -> Iterator[str]:
    yield ""
    yield f"**{words(grid.caption)}**"
    if grid.rows or grid.foot:
        yield ""
        yield from _row([words(head.title) for head in grid.heads])
        yield from _row(["---:" if head.numeric else "---" for head in grid.heads])
        for row in grid.rows:
            yield from _row([_cell(cell) for cell in row])
        for label, row in grid.foot:
            yield from _row([f"**{_cell(label)}**", *[""] * (grid.lead - 1), *map(_cell, row)])
    for note in grid.remarks:
        yield ""
        yield words(note)


def _cell(cell: Cell) -> str:
    shown = words(cell.text) + (" \\*" if cell.mark else "")
    return "&nbsp;" * (2 * cell.depth) + shown


def _row(texts: Sequence[str]) -> Iterator[str]:
    yield f"| {' | '.join(texts)} |"


def _block(block: grids.Lines) -> Iterator[str]:
    """Yield lines as they were printed, in a fence that none of them can end."""
    yield ""
    yield words(block.title) + (":" if block.lines else "")
    if block.lines:
        shown = [line[:LINE] for line in block.lines]
        fence = "`" * (1 + max(2, *(len(ticks) for line in shown for ticks in _TICKS.findall(line)), 0))
        yield ""
        yield f"{fence}text"
        yield from shown
        yield fence
    if block.more:
        yield ""
        yield f"… and {plural(block.more, 'more line')}, in the run directory"
    for note in block.notes:
        yield ""
        yield words(note)


# --- texts ---


def words(text: str) -> str:
    """Return a text of any origin: plain words as they are, everything else in code spans."""
    pieces: list[str] = []
    code: list[str] = []
    for word in [*printable(text).split(" "), ""]:
        if word and not (_PLAIN.fullmatch(word) and not _HEX.fullmatch(word)):
            code.append(word)
            continue
        if code:
            pieces.append(_span(" ".join(code)))
            code.clear()
        if word:
            pieces.append(_escaped(word))
    return " ".join(pieces)


def _escaped(word: str) -> str:
    """Escape the few signs of a plain word that Markdown may take for a list's."""
    return re.sub(r"([+\-.)])", r"\\\1", word) if word[:1] in "+-0123456789" and word[-1:] in ".)-+" else word


def _span(text: str) -> str:
    """Return a code span, whatever is in it; what only ends a phrase stays outside."""
    text = text.replace("|", "\\x7c")
    kept = text.rstrip(",;:") or text
    text, end = kept, text[len(kept) :]
    longest = max((len(ticks) for ticks in _TICKS.findall(text)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if text[:1] in ("`", " ") or text[-1:] in ("`", " ") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}{end}"


FORMAT = one_file("md", "report.md", "for a ticket, GitHub-flavoured", render, by_default=True)
