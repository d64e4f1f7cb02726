# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists without words above: a name and its numbers on each line, one list for each title."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.columns import (
    PrintedColumn,
    column_names,
    columns_of,
    table_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.headers import (
    may_be_header,
    rows_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.prints import (
    Forgets,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.reader import LayoutsForm
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.sample import (
    HostSample,
    SampleLine,
    Samples,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.table_shapes import (
    list_fields,
    separates,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.titles import (
    NO_TITLE,
    is_total_name,
    title_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_words import is_rule, words
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Layout

MIN_LINES = 3
_MAX_TITLES = 6


@dataclass
class _Found:
    """Blocks of lines under one title. again: a host printed more than one of them."""

    blocks: list[list[SampleLine]] = field(default_factory=list)
    again: bool = False


def listed(samples: Samples, known: Sequence[Layout], forgets: Forgets) -> list[Layout]:
    """Return a layout for each title over blocks of three lines and more, each a text and as many numbers."""
    titles: dict[str, _Found] = {}
    twice: set[str] = set()  # nothing says which lines of one print belong together
    for sample in samples:
        own: Counter[str] = Counter()
        times: set[tuple[str, int | None]] = set()
        for title, block in _blocks(sample, known):
            twice |= {title} & {each for each, t_ms in times if t_ms == block[0].t_ms}
            times.add((title, block[0].t_ms))
            if title != NO_TITLE and len(block) >= MIN_LINES and _in_columns(block):
                found = titles.setdefault(title, _Found())
                found.blocks.append(block)
                own[title] += 1
                found.again |= own[title] > 1
    if len(titles) > _MAX_TITLES:
        return []
    below_heads = {size for sample in samples for size in _below_heads(sample, known)}
    layouts = [_list(title, found, samples, forgets) for title, found in titles.items() if title not in twice]
    return [
        layout for layout in layouts if layout is not None and len(layout.table.columns) not in below_heads
    ]


def _below_heads(sample: HostSample, known: Sequence[Layout]) -> Iterator[int]:
    """Yield how many fields rows have that stand below heads of columns which no known table has.

    That table could not be read, so the rest of its rows is no list: its units and some of its rows are missing.
    """
    form = LayoutsForm(known) if known else None
    headed = False
    for line in sample:
        if form is not None and form.takes(line.raw, line.t_ms):
            headed = False
        elif headed and (fields := list_fields(line.text, inside=True)) is not None:
            yield len(fields)
        elif not is_rule(line.text):
            headed = may_be_header(line.text) and b"  " in line.text.strip()


def _blocks(sample: HostSample, known: Sequence[Layout]) -> list[tuple[str, list[SampleLine]]]:
    """Return (title, lines) of every block of one host that no known table takes."""
    form = LayoutsForm(known) if known else None
    blocks: list[tuple[str, list[SampleLine]]] = []
    title, inside = "", False
    t_ms: int | None = None
    for whole in sample:
        line = whole.text
        if whole.t_ms != t_ms and not inside:
            title = ""
        t_ms = whole.t_ms
        if form is not None and form.takes(whole.raw, whole.t_ms):
            title, inside = "", False
        elif (fields := list_fields(line, inside=inside)) is not None:
            if is_total_name(plain(fields[0])):
                continue
            if not inside:
                blocks.append((title, []))
            blocks[-1][1].append(whole)
            inside = True
        elif not is_rule(line):
            title, inside = title_of(line), False
        elif inside:
            title, inside = "", False
    return blocks


def _list(title: str, found: _Found, samples: Samples, forgets: Forgets) -> Layout | None:
    rows = [row for block in found.blocks for line in block if (row := list_fields(line.text, inside=True))]
    count = Counter(len(row) for row in rows).most_common(1)[0][0]
    rows = [row for row in rows if len(row) == count]
    titles = ["name", *(["value"] if count == 2 else [f"value {place}" for place in range(1, count)])]
    seen = [PrintedColumn(title, items) for title, items in zip(titles, zip(*rows, strict=True), strict=True)]
    if any(column.content == "text" for column in seen[1:]):
        return None
    name, *numbers = columns_of(seen, latest=True)
    columns = (replace(name, type="string", role="key", unit="", merge=""), *numbers)
    columns = tuple(replace(column, header="", description="What the script prints.") for column in columns)
    again = found.again and forgets != "none"
    described = f"Names with numbers, below {title!r}." if title else "Names with numbers."
    table = table_of(column_names([title])[0] if title else "list", described, columns, interval=again)
    layout = Layout("list", table, tuple(column.trim for column in seen), title)
    return layout if any(rows_of(layout, samples)) else None


def _in_columns(block: Sequence[SampleLine]) -> bool:
    """Return True if a sign parts nearly all names and numbers, or the last numbers stand below each other."""
    if sum(separates(line.raw) for line in block) >= 0.9 * len(block):
        return True
    last = [words(line.text)[-1] for line in block]
    edges = (Counter(word.end for word in last), Counter(word.start for word in last))
    return any(edge.most_common(1)[0][1] >= 0.9 * len(block) for edge in edges)
