# SPDX-License-Identifier: GPL-3.0-or-later
"""report.txt: what the terminal shows: what was found, coverage, then the evidence. 80 columns; a cell that had
to be cut ends (a path: begins) with `…`.

Nothing a host said can act on the terminal: texts come here from `view`, made safe, and lines are cut by
what they occupy on the screen, so that a wide script does not break the columns.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import balancers
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document import grids, view
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.head import (
    conditions,
    coverage_grid,
    coverage_groups,
    no_findings,
    proof,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.format import one_file
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.values import Cell, Head
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import Report
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.traffic import Traffic

WIDTH = 80
MOST = grids.DisplayLimits()
_GAP = 2
_COMFORTABLE = 20
_SHORT = 12
"""Columns that a text keeps as long as there is something less important to leave out."""
_CUT = "…"


def render(report: Report) -> str:
    """Return the whole text, with a newline at its end. It has no control character but newlines."""
    lines = [*_wrapped(f"fleetdiag: {printable(report.verdict)}"), "", *_findings(report)]
    lines += ["", *_coverage(report)]
    for told in report.traffic:
        lines += ["", *_traffic(told)]
    for probe in report.probes:
        lines += ["", *_probe(view.section(probe, MOST))]
    lines += ["", _heading("CONDITIONS")]
    for name, value in conditions(report):
        lines.extend(_wrapped(f"{name}: {value}", after="  "))
    if report.notes:
        lines += ["", _heading("NOTES")]
        for note in report.notes:
            lines.extend(_wrapped(printable(note), "- ", "  "))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _heading(title: str) -> str:
    return f"{title} {'─' * max(0, WIDTH - width(title) - 1)}"


# --- the head ---


def _findings(report: Report) -> Iterator[str]:
    yield _heading("FINDINGS")
    if not report.findings:
        yield from _wrapped(no_findings(report))
    for number, finding in enumerate(report.findings[: MOST.findings]):
        if number:
            yield ""
        yield from _wrapped(printable(finding.sentence), f"{finding.severity.upper()}  ", "    ")
        for line in proof(report, finding):
            yield from _wrapped(line, "    ", "      ")
        for under in finding.symptoms:
            yield from _wrapped(f"with it: {printable(under.sentence)}", "    ", "      ")
    hidden = report.findings[MOST.findings :]
    if hidden:
        yield ""
        levels = [item.severity for item in hidden]
        said = ", ".join(f"{levels.count(level)} {level}" for level in dict.fromkeys(levels))
        yield from _wrapped(f"and {plural(len(hidden), 'more finding')} ({said}); all are in report.json")
    if report.worth_a_look:
        yield from ("", _heading("WORTH A LOOK"))
        for look in report.worth_a_look:
            yield from _wrapped(printable(look.sentence), "- ", "    ")


def _coverage(report: Report) -> Iterator[str]:
    yield _heading("COVERAGE")
    if len(report.coverage) > MOST.hosts:
        yield from _coverage_in_groups(report)
        return
    grid = coverage_grid(report.coverage)
    heads, rows = grid.heads[:-2], [row[:-2] for row in grid.rows]
    lines = _grid(grids.Grid("", heads, rows))
    first = len(lines) - len(rows) if lines is not None else 0  # the head may have two lines
    yield from (lines or [])[:first]
    for number, row in enumerate(grid.rows):
        yield from [lines[first + number]] if lines is not None else _as_records(heads, [row[:-2]])
        yield from _reason(row[-2].text, row[-1].text)


def _coverage_in_groups(report: Report) -> Iterator[str]:
    groups = coverage_groups(report)
    for group in groups[: MOST.hosts]:
        yield from _wrapped(
            f"{plural(len(group.hosts), 'host')} {group.status}: {grids.named(group.hosts)}", after="  "
        )
        yield from _reason(group.reason, group.remedy)
    if len(groups) > MOST.hosts:
        rest = sum(len(group.hosts) for group in groups[MOST.hosts :])
        yield f"and {plural(rest, 'more host')} with other reasons; all are in report.json"


def _reason(reason: str, remedy: str) -> Iterator[str]:
    if reason:
        yield from _wrapped(reason, "      ", "      ")
    if remedy:
        yield from _wrapped(f"-> {remedy}", "      ", "         ")


def _traffic(traffic: Traffic) -> Iterator[str]:
    yield _heading("TRAFFIC")
    for alarm in balancers.alarms(traffic):
        yield from _wrapped(alarm, "CRITICAL  ", "    ")
    for sentence in balancers.sentences(traffic):
        yield from _wrapped(sentence)
    grid = balancers.grid(traffic)
    if grid.rows:
        yield ""
        yield from _wrapped(f"{grid.caption}:")
        yield from _shown(grid)
    for note in grid.remarks:
        yield from _wrapped(note, "  ", "    ")


# --- one probe ---


def _probe(section: grids.Section) -> Iterator[str]:
    yield _heading(f"PROBE {cut(section.name, WIDTH - 10)}")
    yield from _wrapped(section.question or section.description)
    yield from _wrapped("; ".join(f"{name}: {value}" for name, value in section.facts))
    for failure in section.failures:
        yield ""
        yield from _block(failure)
    for grid in section.grids:
        yield ""
        yield from _wrapped(f"{grid.caption}:")
        yield from _shown(grid)
        for note in grid.remarks:
            yield from _wrapped(note, "  ", "    ")
    for block in section.lines:
        yield ""
        yield from _block(block)
    if section.warnings:
        yield ""
        for warning in section.warnings:
            yield from _wrapped(warning, "! ", "  ")


def _block(block: grids.Lines) -> Iterator[str]:
    yield from _wrapped(f"{block.title}:" if block.lines else block.title)
    for line in block.lines:
        yield "    " + cut(line, WIDTH - 4)
    if block.more:
        yield f"    … and {plural(block.more, 'more line')}, in the run directory"
    for note in block.notes:
        yield from _wrapped(note, "  ", "    ")


# --- columns ---


def _shown(grid: grids.Grid) -> Iterator[str]:
    if not grid.rows and not grid.foot:
        return
    lines = _grid(grid)
    if lines is not None:
        yield from lines
        yield from _left_out(grid)
        return
    yield from _as_records(grid.heads, grid.rows)
    for label, row in grid.foot:
        yield from _as_records([Head(""), *grid.heads[grid.lead :]], [[label, *row]])


def _left_out(grid: grids.Grid) -> Iterator[str]:
    """Yield lines that name the measures for which there was no room."""
    places, _unused = _fit(grid) or ([], [])
    names = [head.title for place, head in enumerate(grid.heads) if head.told and place not in places]
    if names:
        yield from _wrapped(f"not shown, but in report.json: {', '.join(names)}", "  ", "    ")


def _grid(grid: grids.Grid) -> list[str] | None:
    """Return head, rows and foot as aligned lines; None if even cut to the least they do not fit."""
    fitted = _fit(grid)
    if fitted is None:
        return None
    places, widths = fitted
    heads = [grid.heads[place] for place in places]
    titles = [_title(head, size) for head, size in zip(heads, widths, strict=True)]
    tallest = max(map(len, titles))
    above = [[""] * (tallest - len(title)) + title for title in titles]
    lines = [_line(heads, titles_of_line, widths) for titles_of_line in zip(*above, strict=True)]
    lines.extend(_line(heads, [_text(row[place]) for place in places], widths) for row in grid.rows)
    if grid.foot:
        lines.append("─" * (sum(widths) + _GAP * (len(widths) - 1)))
        for label, row in grid.foot:
            lines.extend(_foot(grid, places, widths, label, row))
    return lines


def _foot(
    grid: grids.Grid, places: Sequence[int], widths: Sequence[int], label: Cell, row: Sequence[Cell]
) -> Iterator[str]:
    """Yield a label over the leading columns, or where it is too long above them, and figures under theirs."""
    lead = _leading(grid, places)
    room = sum(widths[:lead]) + _GAP * (lead - 1)
    heads = [Head(""), *(grid.heads[place] for place in places[lead:])]
    said = _text(label)
    if width(said) > room:
        yield said
        said = ""
    texts = [said, *(_text(row[place - grid.lead]) for place in places[lead:])]
    yield _line(heads, texts, [room, *widths[lead:]])


def _leading(grid: grids.Grid, places: Sequence[int]) -> int:
    return sum(place < grid.lead for place in places)


def _fit(grid: grids.Grid) -> tuple[list[int], list[int]] | None:
    """Return which columns are shown, and how wide; None if they do not fit.

    Long texts give way first, then rates and the like, then texts again, then measures; texts to the least last.
    """
    places = list(range(len(grid.heads)))
    wanted = [_wanted(grid, place) for place in places]
    for comfortable, from_spare in ((_COMFORTABLE, 3), (_SHORT, 1), (0, 1)):
        while True:
            widths = _narrowed(grid, places, wanted, comfortable)
            if widths is not None:
                return places, widths
            spare = max(grid.heads[place].spare for place in places)
            if spare < from_spare:
                break
            places.remove([place for place in places if grid.heads[place].spare == spare][-1])
    return None


def _wanted(grid: grids.Grid, place: int) -> int:
    head = grid.heads[place]
    longest = max(map(width, head.title.split(" ")))
    found = [width(_text(row[place])) for row in grid.rows]
    if place >= grid.lead:
        found += [width(_text(row[place - grid.lead])) for _unused, row in grid.foot]
    needed = max([longest, *found])
    # A title may take a second and a third line, if that makes the column narrower.
    return needed if width(head.title) > 3 * needed else max(needed, _halved(head.title))


def _halved(title: str) -> int:
    """Return how wide a title is on two lines."""
    words = title.split(" ")
    splits = [(" ".join(words[:at]), " ".join(words[at:])) for at in range(1, len(words) + 1)]
    return min(max(width(first), width(second)) for first, second in splits)


def _narrowed(
    grid: grids.Grid, places: Sequence[int], wanted: Sequence[int], comfortable: int
) -> list[int] | None:
    """Return the widths when the longest texts have given way; None if that is not enough."""
    widths = {place: wanted[place] for place in places}
    room = WIDTH - _GAP * (len(places) - 1)
    least = {place: max(grid.heads[place].least, comfortable) for place in places}
    while sum(widths.values()) > room:
        wide = [place for place in places if not grid.heads[place].numeric and widths[place] > least[place]]
        if not wide:
            return None
        widths[max(wide, key=lambda place: (widths[place], -place))] -= 1
    _make_room_for_labels(grid, places, widths, room - sum(widths.values()))
    return [widths[place] for place in places]


def _make_room_for_labels(grid: grids.Grid, places: Sequence[int], widths: dict[int, int], free: int) -> None:
    """Widen the last leading column if these are too narrow for the labels of the foot, which stand over them."""
    lead = places[: _leading(grid, places)]
    have = sum(widths[place] for place in lead) + _GAP * (len(lead) - 1)
    lacking = max((width(_text(label)) for label, _unused in grid.foot), default=0) - have
    if 0 < lacking <= free:
        widths[lead[-1]] += lacking


def _title(head: Head, size: int) -> list[str]:
    """Return the title on as many lines as it needs."""
    return textwrap.wrap(head.title, max(1, size), break_on_hyphens=False) or [""]


def _text(cell: Cell) -> str:
    return "  " * cell.depth + cell.text + (" *" if cell.mark else "")


def _line(heads: Sequence[Head], texts: Sequence[str], widths: Sequence[int]) -> str:
    columns = []
    for head, text, size in zip(heads, texts, widths, strict=True):
        kept = cut(text, size, tail=head.tail)
        pad = " " * (size - width(kept))
        columns.append(pad + kept if head.numeric else kept + pad)
    return (" " * _GAP).join(columns).rstrip()


def _as_records(heads: Sequence[Head], rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """Yield each row of a table with too many columns as `name value, name value`."""
    for row in rows:
        pairs = [
            f"{head.title} {_text(cell).strip()}".strip()
            for head, cell in zip(heads, row, strict=True)
            if cell.text
        ]
        yield from _wrapped(", ".join(pairs), "- ", "    ")


def _wrapped(text: str, first: str = "", after: str = "") -> list[str]:
    """Return a sentence on as many lines as it needs; words that are too long are broken, nothing is left out."""
    wrapper = textwrap.TextWrapper(
        WIDTH, initial_indent=first, subsequent_indent=after, break_on_hyphens=False, tabsize=1
    )
    lines = wrapper.wrap(text) or [first.rstrip()]
    if all(width(line) <= WIDTH for line in lines):
        return lines
    wrapper.width = WIDTH // 2 + len(after)  # wide characters: at most two columns each
    return wrapper.wrap(text)


# --- what text occupies on a screen ---


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return len(text) if text.isascii() else sum(map(_width, text))


@lru_cache(maxsize=4096)
def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, size: int, *, tail: bool = False) -> str:
    """Return at most `size` columns of a text; what was cut is marked. tail: keep the end."""
    if width(text) <= size:
        return text
    mark = ""
    if text.endswith(" *") and size > 3:  # the mark of a lossy host is never cut away
        text, mark, size = text[:-2], " *", size - 2
    kept: list[str] = []
    room = size - 1
    for character in reversed(text) if tail else text:
        room -= _width(character)
        if room < 0:
            break
        kept.append(character)
    return (_CUT + "".join(reversed(kept)) if tail else "".join(kept) + _CUT) + mark


FORMAT = one_file("txt", "report.txt", "what the terminal shows", render, by_default=True)
