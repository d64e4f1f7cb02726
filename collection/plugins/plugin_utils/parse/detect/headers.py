# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables below a line of words: found in what several hosts printed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.columns import (
    MAX_COLUMNS,
    PrintedColumn,
    are_events,
    column_names,
    columns_of,
    table_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.prints import (
    Forgets,
    prints_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.reader import LayoutsForm
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.readings import (
    MIN_SHARE,
    Budget,
    Reading,
    best_reading,
    gap_between,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.sample import (
    HostSample,
    Samples,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.titles import (
    is_total_name,
    title_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_numbers import printed_number
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_words import (
    Word,
    folded,
    folded_line,
    is_rule,
    restored,
    words,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.timestamps import begins_with_time
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Layout

MAX_CANDIDATES = 60
"""Lines of words that are tried as headers: CAPITALS first, and those that hosts print most often."""
MAX_ROWS_READ = 60_000
"""Rows that are read to find all headers of an output, each time that one is read in some way."""
MAX_TABLES = 12
_MAX_ROWS = 400
_MAX_TITLES = 6
_HEADING = re.compile(rb"[#%]?[A-Za-z_(][A-Za-z0-9_.%/#()<>&-]*[:,]?|[#%&/]+")
_SENTENCE_ENDS = (b"...", b".", b"!", b"?")

Place = tuple[int, int]
"""Number of the host and of the line."""


def header_tables(
    samples: Samples, known: Sequence[Layout], forgets: Forgets, headers: Collection[str] = ()
) -> list[Layout]:
    """Return a layout for each line of words over rows, and for each title where the same words stand under several.

    known: tables that are found already; their headers are none of these. headers: lines that are headers
    whatever they look like, folded.
    """
    taken = {folded(" ".join(column.header for column in layout.table.columns)) for layout in known}
    places: dict[str, list[Place]] = {}
    for host, sample in enumerate(samples):
        for at, line in enumerate(sample):
            name = folded_line(line.text)
            if name in headers or (may_be_header(line.text) and name not in taken):
                places.setdefault(name, []).append((host, at))

    titles = {
        name for name, prints in places.items() if any(_is_above(samples[h], at, places) for h, at in prints)
    }

    def rank(prints: Sequence[Place]) -> tuple[bool, bool, int]:
        host, at = prints[0]
        return (
            folded_line(samples[host][at].text) not in headers,
            not samples[host][at].text.isupper(),
            -len(prints),
        )

    budget = Budget(MAX_ROWS_READ)
    found: list[Layout] = []
    between = _between(samples, places)
    candidates = [
        prints
        for name, prints in places.items()
        if name in headers or (name not in titles and name not in between)
    ]
    for prints in sorted(candidates, key=rank)[:MAX_CANDIDATES]:
        for title, of_title in by_title(samples, prints).items():
            layout = _layout(samples, of_title, title, forgets, budget)
            if layout is not None:
                found.append(layout)
        if len(found) >= MAX_TABLES:
            break
    return found


def _is_above(sample: HostSample, at: int, headers: Mapping[str, object]) -> bool:
    """Return True if the next line is one of these: then this one is a title, or the upper of two lines."""
    below = next((line.text for line in sample[at + 1 : at + 4] if not is_rule(line.text)), b"")
    return folded_line(below) in headers and may_be_header(below)


def _between(samples: Samples, places: Mapping[str, Sequence[Place]]) -> set[str]:
    """Return those that are sentences among rows: what stands below them may be rows of the table above.

    Words with one space between them that always stand directly below a row; but not CAPITALS, nor what begins as
    another header does.
    """
    found = {
        name
        for name, prints in places.items()
        if all(_is_sentence(samples[host], at) and _is_below_row(samples[host], at) for host, at in prints)
    }
    first_words = {name.split(" ")[0] for name in places if name not in found}
    return {name for name in found if name.split(" ")[0] not in first_words}


def _is_sentence(sample: HostSample, at: int) -> bool:
    text = sample[at].text.strip()
    return b"  " not in text and not text.isupper()


def _is_below_row(sample: HostSample, at: int) -> bool:
    if not at or sample[at - 1].t_ms != sample[at].t_ms:
        return False
    above = words(sample[at - 1].text)
    return len(above) > 1 and any(printed_number(word.text) for word in above[1:])


def _layout(
    samples: Samples, prints: Sequence[Place], title: str, forgets: Forgets, budget: Budget
) -> Layout | None:
    host, at = prints[0]
    header = samples[host][at].text
    share = max(1, _MAX_ROWS // len(samples))
    rows: list[bytes] = []
    for number in range(len(samples)):  # of each host as many, so that none decides alone
        own = (
            line for place in prints if place[0] == number for line in _lines_under(samples[number], place[1])
        )
        rows += islice(own, share)
    reading = best_reading(header, rows, budget)
    if reading is None:
        return None
    above = samples[host][at - 1].text if at else b""
    return _described(reading, above, samples, prints, title, forgets)


def by_title(samples: Samples, prints: Sequence[Place]) -> dict[str, list[Place]]:
    """Return the prints by the title above them if one handler prints the same header under several, else all.

    None where most of its prints hold the same one twice without: nothing says then which rows belong together.
    """
    titles: dict[str, list[Place]] = {}
    at_once: dict[tuple[int, int | None], list[str]] = {}
    for host, at in prints:
        title = title_above(samples[host], at)
        titles.setdefault(title, []).append((host, at))
        at_once.setdefault((host, samples[host][at].t_ms), []).append(title)
    # A script may print faster than the time is told, now and then; of prints at an unknown time nothing is known.
    timed = [each for (_unused, t_ms), each in at_once.items() if t_ms is not None]
    if 2 * sum(len(set(each)) < len(each) for each in timed) >= max(1, len(timed)):
        return {}
    several = max(len(set(each)) for each in at_once.values()) > 1
    return titles if several and len(titles) <= _MAX_TITLES else {"": list(prints)}


def title_above(sample: HostSample, at: int) -> str:
    """Return the title in the nearest line of text above this line; "" if rows or nothing stand there."""
    for line in reversed(sample[max(0, at - 3) : at]):
        if line.t_ms != sample[at].t_ms:
            return ""
        if not is_rule(line.text):
            found = words(line.text)
            return "" if any(printed_number(word.text) for word in found[1:]) else title_of(line.text)
    return ""


def may_be_header(line: bytes) -> bool:
    """Return True for a line of words that may stand above columns."""
    found = words(line)
    return (
        2 <= len(found) <= MAX_COLUMNS
        and len(line) <= 240
        and not line.rstrip().endswith(_SENTENCE_ENDS)
        and b"... " not in line
        and all(_HEADING.fullmatch(word.text) for word in found)
        and not (b"  " not in line.strip() and _is_message(found))
    )


def _is_message(found: Sequence[Word]) -> bool:
    """Return True for `WARNING: something was skipped`: the first word, and no other, has a colon."""
    return [word.text.endswith(b":") for word in found] == [True] + [False] * (len(found) - 1)


def _lines_under(sample: HostSample, at: int) -> list[bytes]:
    """Return the lines below a header up to the next gap; one gap or rule may come before them."""
    header = folded_line(sample[at].text)
    below: list[bytes] = []
    numbered = False
    for line, _unused, _unused2 in sample[at + 1 : at + 1 + _MAX_ROWS]:
        if is_rule(line):
            if below:
                break
            continue
        if folded_line(line) == header or (not below and may_be_header(line)):
            break
        found = words(line)
        if is_total_name(plain(found[0].text)):
            continue
        numbers = any(printed_number(word.text) for word in found)
        if below and not numbers and numbered:
            break  # a title
        numbered = numbers
        below.append(line)
    return below


def _described(
    reading: Reading, above: bytes, samples: Samples, prints: Sequence[Place], title: str, forgets: Forgets
) -> Layout | None:
    titles = [column.title for column in reading.columns]
    seen, ignore = _told_apart(reading.columns, above)
    trims = tuple(column.trim for column in reading.columns)
    repeated = is_repeated(prints)
    frame = Layout("header", table_of("table", "", (), ignore=ignore), trims, title, once=not repeated)
    return described(frame, seen, titles, samples, repeated=repeated, forgets=forgets)


def is_repeated(prints: Sequence[Place]) -> bool:
    """Return True if a host printed more than one of these."""
    return max(Counter(host for host, _unused in prints).values()) > 1


def described(
    frame: Layout,
    seen: Sequence[PrintedColumn],
    titles: Sequence[str],
    samples: Samples,
    *,
    repeated: bool,
    forgets: Forgets,
) -> Layout | None:
    """Return `frame` with its table, and what only all prints together tell: how they add up, and what its rows are.

    None if no host has a row of it. titles: by which the reader knows the columns.
    """
    text = f"What the script prints under: {' '.join((frame.of, *titles)).strip()}."
    name = column_names([frame.of])[0] if frame.of else "table"

    def made(*, events: bool, latest: bool) -> Layout:
        columns = columns_of(seen, events=events, latest=latest)
        columns = tuple(replace(column, header=title) for column, title in zip(columns, titles, strict=True))
        table = table_of(name, text, columns, interval=repeated, events=events, ignore=frame.table.ignore)
        return replace(frame, table=table)

    first = made(events=False, latest=False)
    rows = rows_of(first, samples)
    if frame.once and any(row.interval for host in rows for row in host):
        repeated = True
    if not first.table.printed and _all_timed(seen):
        return None  # who did what when: it says most as text, in the order of time
    if not any(rows):
        return None
    events = are_events(rows, first.table.columns)
    prints = prints_of(first, rows, forgets, each_row=events) if repeated or events else ""
    layout = made(events=events, latest=prints == "unclear")
    if prints == "total":  # an average over all of them is that of the last print
        layout = replace(layout, table=replace(layout.table, columns=_means_last(layout.table.columns)))
    return replace(layout, prints=prints)


def _means_last(columns: Sequence[Column]) -> tuple[Column, ...]:
    return tuple(replace(column, merge="last") if column.merge == "mean" else column for column in columns)


def rows_of(layout: Layout, samples: Samples) -> list[list[Row]]:
    """Return what the report would read of this table, host by host."""
    found = []
    for sample in samples:
        form = LayoutsForm([layout])
        found.append([row for line in sample for row in form.line(line.raw, line.t_ms)])
    return found


def _all_timed(seen: Sequence[PrintedColumn]) -> bool:
    items = seen[0].fields
    return sum(begins_with_time(plain(restored(item))) for item in items) >= MIN_SHARE * len(items)


def _told_apart(columns: Sequence[PrintedColumn], above: bytes) -> tuple[list[PrintedColumn], str]:
    """Tell columns of the same words apart by those above them: `KB tot` under `read` and under `write`.

    The second value finds that upper line, which is no text then.
    """
    counts = Counter(folded(column.title) for column in columns)
    group = words(above)
    if max(counts.values()) == 1 or not group or any(printed_number(word.text) for word in group):
        return list(columns), ""
    told = []
    for column in columns:
        over = [word for word in group if gap_between((word.start, word.end), (column.start, column.end)) < 0]
        again = counts[folded(column.title)] > 1 and len(over) == 1
        told.append(replace(column, title=f"{plain(over[0].text)} {column.title}") if again else column)
    line = r"\s+".join(re.escape(plain(word.text)) for word in group)
    return told, rf"^\s*{line}\s*$"
