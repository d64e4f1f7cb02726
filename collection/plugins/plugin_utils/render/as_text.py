# SPDX-License-Identifier: GPL-3.0-or-later
"""report.txt: what the terminal shows. 100 columns; a cell that had to be cut ends (a path: begins) with `…`.

Nothing a host said can act on the terminal: texts come here from `view`, made safe, and lines are cut by
what they occupy on the screen, so that a wide script does not break the columns.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.coverage import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.decode import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import view
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.cells import Cell, Head
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.formats import one_file
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import Report

WIDTH = 100
ROWS = 20
HOSTS_WITH_LINES = 3
LINES = 16
_GAP = 2
_NARROWEST = 8
_CUT = "…"


def render(report: Report) -> str:
    """The whole text, with a newline at its end. No control character but newlines."""
    lines: list[str] = []
    lines.extend(_wrapped(f"fleetdiag: {report.verdict}"))
    lines.append("")
    for name, value in view.conditions(report):
        lines.extend(_wrapped(f"{name}: {value}", after="  "))
    lines += ["", *_coverage(report)]
    for probe in report.probes:
        lines += ["", *_probe(view.section(probe, ROWS, HOSTS_WITH_LINES, LINES))]
    if report.notes:
        lines += ["", _heading("NOTES")]
        for note in report.notes:
            lines.extend(_wrapped(printable(note), "- ", "  "))
    lines += ["", _heading("FILES")]
    lines.extend(_files(report))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _files(report: Report) -> Iterator[str]:
    """Paths are not wrapped: they are there to be copied."""
    for run in report.runs:
        path = printable(run.path)
        if len(report.runs) == 1:
            yield f"{path}/report.html"
            yield f"{path}/report.json"
        else:
            yield path


def _heading(title: str) -> str:
    return f"{title} {'─' * max(0, WIDTH - width(title) - 1)}"


def _coverage(report: Report) -> Iterator[str]:
    yield _heading("COVERAGE")
    grid = view.coverage_grid(report)
    heads, rows = grid.heads[:-2], [row[:-2] for row in grid.rows]
    lines = _grid(heads, rows, [])
    if lines is None:
        yield from _as_records(heads, rows)
        lines = []
    else:
        yield lines[0]
    for line, row in zip(lines[1:] or [""] * len(grid.rows), grid.rows, strict=True):
        if line:
            yield line
        if row[-2].text:
            yield from _wrapped(row[-2].text, "      ", "      ")
        if row[-1].text:
            yield from _wrapped(f"-> {row[-1].text}", "      ", "         ")


def _probe(section: view.Section) -> Iterator[str]:
    yield _heading(f"PROBE {section.name}")
    yield from _wrapped(section.question or section.description)
    yield from _wrapped("; ".join(f"{name}: {value}" for name, value in section.facts))
    for failure in section.failures:
        yield ""
        yield from _block(failure)
    for grid in section.grids:
        if grid.kind == "intervals":
            continue  # on the page and in report.json
        yield ""
        yield from _wrapped(f"{grid.caption}:")
        lines = _grid(grid.heads, grid.rows, grid.foot) if grid.rows else []
        yield from lines if lines is not None else _as_records(grid.heads, [*grid.rows, *grid.foot])
        for note in grid.notes:
            yield from _wrapped(note, "  ", "    ")
    for block in section.lines:
        yield ""
        yield from _block(block)
    if section.warnings:
        yield ""
        for warning in section.warnings:
            yield from _wrapped(warning, "! ", "  ")


def _block(block: view.Lines) -> Iterator[str]:
    yield from _wrapped(f"{block.title}:" if block.lines else block.title)
    for line in block.lines:
        yield "    " + cut(line, WIDTH - 4)
    if block.more:
        yield f"    … and {plural(block.more, 'more line')}, in the run directory"


# --- columns ---


def _grid(
    heads: Sequence[Head], rows: Sequence[Sequence[Cell]], foot: Sequence[Sequence[Cell]]
) -> list[str] | None:
    """Head, rows and foot as aligned lines; None if even cut to the least they do not fit."""
    shown = [[_text(cell) for cell in row] for row in [*rows, *foot]]
    titles = [head.title for head in heads]
    widths = [max(map(width, column)) for column in zip(titles, *shown, strict=True)]
    room = WIDTH - _GAP * (len(widths) - 1)
    while sum(widths) > room:
        wide = [place for place, head in enumerate(heads) if not head.numeric and widths[place] > _NARROWEST]
        if not wide:
            return None
        widest = max(wide, key=lambda place: (widths[place], -place))
        widths[widest] -= 1
    lines = [_line(heads, titles, widths), *(_line(heads, row, widths) for row in shown)]
    if foot:
        lines.insert(len(lines) - len(foot), "─" * (sum(widths) + _GAP * (len(widths) - 1)))
    return lines


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
    """For a table with too many columns: each row as `name value, name value`."""
    for row in rows:
        pairs = [
            f"{head.title} {_text(cell).strip()}" for head, cell in zip(heads, row, strict=True) if cell.text
        ]
        yield from _wrapped(", ".join(pairs), "- ", "    ")


def _wrapped(text: str, first: str = "", after: str = "") -> list[str]:
    """A sentence on as many lines as it needs; words that are too long are broken, nothing is left out."""
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
    """Columns of a terminal."""
    return len(text) if text.isascii() else sum(map(_width, text))


@lru_cache(maxsize=4096)
def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, size: int, *, tail: bool = False) -> str:
    """At most `size` columns; what was cut is marked. tail: keep the end."""
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
