# SPDX-License-Identifier: GPL-3.0-or-later
"""What form the output of an unknown script has: found out once, from the first host that printed something.

Known are tables under a line of words, lists of a name and its numbers, histograms as SystemTap draws them, lines of
JSON, variables that SystemTap prints because the script never does, and call traces. Everything else is text, also
columns that only say who did what at what time. Names,
units and meanings are taken from the words above a column and from nothing else; where they say nothing, a number is
shown as it was printed last and is never added to another.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from statistics import median
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect import layouts
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_words import (
    Word,
    cleaned,
    folded,
    folded_line,
    is_rule,
    restored,
    words,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.timestamps import begins_with_time
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Column,
    ColumnType,
    Layout,
    Merge,
    Output,
    Row,
    Table,
    View,
)

Line = tuple[bytes, int | None]
"""A line that a script printed, and milliseconds since the window's start if they are known."""

MAX_LINES = 20_000
MAX_TABLES = 12
MAX_COLUMNS = 24
_MAX_ROWS = 400
_MOST = 0.8
"""Share of the rows under a header that must fit it, and of them that must stand where its words do."""
_RARE = 0.2
"""Share of the rows that must have something in a column, so that it is one."""

_WHOLE = re.compile(rb"-?[0-9]{1,18}")
_DECIMAL = re.compile(rb"-?[0-9]{1,18}\.[0-9]{1,18}")
_WITH_UNIT = re.compile(rb"-?[0-9]{1,18}(?:\.[0-9]{1,18})?(us|ms|ns|s|B|KB|MB|%)")
_HEADING = re.compile(rb"[#%]?[A-Za-z_(][A-Za-z0-9_.%/#()<>&-]*[:,]?|[#%&/]+")
_SENTENCE_ENDS = (b"...", b".", b"!", b"?")
_TRACE = re.compile(rb"\s*-?[0-9]{1,18} .{0,150}\([0-9]{1,10}\): *(->|<-)")

# What the words above a column say of its numbers.
_TIME = re.compile(r"(?:^|[ _(])(u|m|n|micro|milli|nano)?s(?:ecs?|econds?)?(?=$|[ _)])", re.IGNORECASE)
_TIME_UNITS = {"": "s", "u": "us", "micro": "us", "m": "ms", "milli": "ms", "n": "ns", "nano": "ns"}
_AMOUNT = re.compile(r"(?:^|[ _(])(?:(k|m)i?(?:b|bytes?)|bytes?)(?=$|[ _)])", re.IGNORECASE)
_IDS = re.compile(
    r"\b([a-z]?(pid|tid|uid|gid)|tgid|fd|cpu|core|node|[a-z]?port|inode|ino|dev|device|major|minor|sig|signo|signum|signal"
    r"|prio|priority|nice|line|addr|address|id|index|irq|vector|errno|vlan|zone|order|from|to|time|timestamp)\b"
)
_MEANINGS: tuple[tuple[re.Pattern[str], Merge], ...] = (
    (re.compile(r"\b(avg|average|mean|percent)\b|%"), "mean"),
    (re.compile(r"\b(min|minimum|least|shortest)\b"), "min"),
    (re.compile(r"\b(max|maximum|peak|longest|largest)\b"), "max"),
    (re.compile(r"\b(lat|latency|delay|duration|elapsed|age)\b"), "last"),
    (
        re.compile(
            r"\b(counts?|calls?|syscalls|number|num|nr|tot|total|sum|hits?|misses|pkts?|packets?|pk|reads?|writes?|opens?"
            r"|closes?|recv|xmit|sent|received|written|errors?|events?|samples?|signals|interrupts|faults|migrations"
            r"|drops|retries|requests?|ops|operations?|ios?|run|sleep|iowait|queued|switches|allocs?|frees?)\b"
        ),
        "sum",
    ),
)


@dataclass
class Inferred:
    """What was found: rows, table, calltrace or text, and the tables."""

    output: Output = "text"
    layouts: tuple[Layout, ...] = ()


def infer(lines: Iterable[Line], *, resets: bool) -> Inferred:
    """The form of this output. resets: the script forgets what it has printed, so that its numbers begin again."""
    sample = [(cleaned(line), t_ms) for line, t_ms in islice(lines, MAX_LINES)]
    if _is_trace(sample):
        return Inferred("calltrace")
    found = [*_json(sample), *_histograms(sample), *_globals(sample), *_headers(sample, resets)]
    found += _lists(sample, found, resets)
    if not found:
        return Inferred()
    found = _named_apart(found[:MAX_TABLES])
    timed = tuple(
        replace(layout, interval_s=_interval_s(_rows(layout, sample)) if layout.table.interval else None)
        for layout in found
    )
    return Inferred("rows" if all(layout.kind == "json" for layout in found) else "table", timed)


def _is_trace(sample: Sequence[Line]) -> bool:
    arrows = [found[1] for line, _ in sample if (found := _TRACE.match(line))]
    return len(set(arrows)) == 2 and len(arrows) >= 0.6 * sum(1 for line, _ in sample if line.strip())


def _named_apart(found: Sequence[Layout]) -> list[Layout]:
    names = _apart([layout.table.name for layout in found])
    return [
        replace(layout, table=replace(layout.table, name=name))
        for layout, name in zip(found, names, strict=True)
    ]


def _apart(names: Sequence[str]) -> list[str]:
    """The same with a number behind those that come again."""
    taken: Counter[str] = Counter()
    apart = []
    for name in names:
        taken[name] += 1
        apart.append(name if taken[name] == 1 else f"{name}_{taken[name]}")
    return apart


def _rows(layout: Layout, sample: Sequence[Line]) -> list[Row]:
    """What the report would read of this table in the sample."""
    form = layouts.LayoutsForm([layout])
    return [row for line, t_ms in sample for row in form.line(line, t_ms)]


def _interval_s(rows: Sequence[Row]) -> float | None:
    """Seconds from one print to the next, as the session's own times tell."""
    began: dict[int, int] = {}
    for row in rows:
        if row.interval is not None and row.t_ms is not None:
            began.setdefault(row.interval, row.t_ms)
    times = sorted(began.values())
    steps = [later - earlier for earlier, later in pairwise(times) if later > earlier]
    return round(median(steps) / 1000, 1) if steps else None


# --- columns


@dataclass
class _Seen:
    """A column as it was seen: the words above it, where they stand, and fields below them.

    kind: what nearly all of them are. trim: what all of them end with and is no part of them.
    """

    title: str
    fields: Sequence[bytes] = ()
    start: int = 0
    end: int = 0
    kind: str = ""
    trim: str = ""

    def __post_init__(self) -> None:
        self.trim = _common_end(self.fields)
        kept = [item.removesuffix(self.trim.encode()) for item in self.fields]
        whole = sum(1 for item in kept if _WHOLE.fullmatch(item))
        decimal = sum(1 for item in kept if _DECIMAL.fullmatch(item))
        numbers = whole + decimal >= 0.9 * len(kept) > 0
        self.kind = "text" if not numbers else "float" if decimal else "int"

    def takes(self, item: bytes) -> bool:
        kept = item.removesuffix(self.trim.encode())
        return (
            self.kind == "text"
            or _WHOLE.fullmatch(kept) is not None
            or (self.kind == "float" and _DECIMAL.fullmatch(kept) is not None)
        )


def _common_end(items: Sequence[bytes]) -> str:
    """A unit after numbers, or a colon or comma after names, if all fields have it."""
    units = {found[1] if (found := _WITH_UNIT.fullmatch(item)) else b"" for item in items}
    if len(units) == 1 and units != {b""}:
        return plain(units.pop())
    filled = [item for item in items if item]
    for sign in (b":", b","):
        if filled and all(item.endswith(sign) and len(item) > 1 for item in filled):
            return plain(sign)
    return ""


def _columns(seen: Sequence[_Seen], *, events: bool = False, latest: bool = False) -> tuple[Column, ...]:
    """Columns with names, types, units and meanings.

    events: each row is an event, so that a number that is no amount tells it from others. latest: a print repeats
    what was printed before, so that only the last one counts.
    """
    made = []
    for name, column in zip(_names([column.title for column in seen]), seen, strict=True):
        described = (
            f"What the script prints under {column.title!r}." if column.title else "What the script prints."
        )
        base = Column(name, "string", "key", described, header=column.title, label=_label(column.title))
        said = folded(column.title)
        if column.kind == "text":
            made.append(base)
            continue
        kind, unit = _type_and_unit(column)
        merge: Merge = "last" if latest else _merge(said, kind)
        if kind == "int" and not unit and (_IDS.search(said) or (events and merge == "last")):
            made.append(replace(base, type="int"))
            continue
        if events and merge == "last":
            merge = "max"
        made.append(replace(base, type=kind, unit=unit, role="measure", merge=merge))
    words_ = Counter(column.words.lower() for column in made)
    return tuple(replace(column, label="") if words_[column.words.lower()] > 1 else column for column in made)


def _names(titles: Sequence[str]) -> list[str]:
    names = []
    for position, title in enumerate(titles, 1):
        name = re.sub(r"[^a-z0-9]+", "_", title.lower().replace("%", " percent ")).strip("_")[:36]
        if not name:
            name = f"column_{position}"
        elif not name[0].isalpha():
            name = f"n_{name}"
        names.append("host_name" if name == "host" else name)  # the report's own first column is the host
    return _apart(names)


def _label(title: str) -> str:
    """The words above a column without the unit, which stands with every value."""
    for pattern in (_TIME, _AMOUNT):
        found = pattern.search(title)
        kept = f"{title[: found.start()]} {title[found.end() :]}" if found and "/" not in title else ""
        words_ = " ".join(re.sub(r"\(\s*\)|[()_]", " ", kept).split())
        if words_ and words_[0].isalpha():
            return words_.lower() if words_.isupper() else words_
    return ""


def _type_and_unit(column: _Seen) -> tuple[ColumnType, str]:
    plain_type: ColumnType = "int" if column.kind == "int" else "float"
    says = column.trim or column.title
    if "/" in says or any(item.startswith(b"-") for item in column.fields):
        return plain_type, ""
    if "%" in says:
        return plain_type, "%"
    if time := _TIME.search(says):
        return "duration", _TIME_UNITS[(time[1] or "").lower()]
    if column.kind == "int" and (amount := _AMOUNT.search(says) or re.fullmatch("(K|M)?B", says)):
        return "bytes", f"{amount[1] or ''}B".upper()
    return plain_type, ""


def _merge(said: str, kind: ColumnType) -> Merge:
    for pattern, merge in _MEANINGS:
        if pattern.search(said):
            return merge
    return "sum" if kind == "bytes" else "last"


def _table(
    name: str, description: str, columns: tuple[Column, ...], *, interval: bool = False, events: bool = False
) -> Table:
    """A table sorted by the first amount that adds up; one of events counts them, too."""
    derived: tuple[Column, ...] = ()
    amounts = [column.name for column in columns if column.merge == "sum"]
    if events or not any(column.merge for column in columns):
        taken = {column.name for column in columns}
        count = next(each for each in ("events", "lines", "printed_lines") if each not in taken)
        described = "How many such lines the script printed."
        derived = (Column(count, "int", "measure", described, merge="records"),)
        amounts = [*amounts, count]
    return Table(
        name=name,
        description=description,
        columns=columns,
        interval=interval,
        sort=amounts[0] if amounts else "",
        descending=bool(amounts),
        derived=derived,
    )


def _are_events(rows: Sequence[Row], columns: Sequence[Column]) -> bool:
    """Whether rows of one print have the same names: then they are no figures of things, but events."""
    places = [place for place, column in enumerate(columns) if column.is_key]
    names = {(row.interval, *(row.values[place] for place in places)) for row in rows}
    return len(rows) - len(names) > 0.1 * len(rows)


# --- a line of words above columns


@dataclass
class _Reading:
    """One way to read the lines under a header: `columns`, and which share of the lines fits and stands below them.

    exact: every line has one word for each column.
    """

    columns: list[_Seen]
    fits: float
    aligned: float
    exact: bool

    @property
    def rank(self) -> tuple[float, int, float, int]:
        numbers = sum(1 for column in self.columns if column.kind != "text")
        return round(self.fits, 1), numbers, round(self.aligned, 1), len(self.columns)


def _headers(sample: Sequence[Line], resets: bool) -> list[Layout]:
    places: dict[str, list[int]] = {}
    for at, (line, _) in enumerate(sample):
        if _may_be_header(line):
            places.setdefault(folded_line(line), []).append(at)
    found: list[Layout] = []
    for prints in places.values():
        line = sample[prints[0]][0]
        below = islice((row for at in prints for row in _lines_under(sample, at)), _MAX_ROWS)
        reading = _best_reading(line, list(below))
        if reading is not None and len(found) < MAX_TABLES:
            above = sample[prints[0] - 1][0] if prints[0] else b""
            found += _header(reading, above, sample, repeated=len(prints) > 1, resets=resets)
    return found


def _may_be_header(line: bytes) -> bool:
    found = words(line)
    return (
        2 <= len(found) <= MAX_COLUMNS
        and len(line) <= 240
        and not line.rstrip().endswith(_SENTENCE_ENDS)
        and all(_HEADING.fullmatch(word.text) for word in found)
    )


def _lines_under(sample: Sequence[Line], at: int) -> list[bytes]:
    """The lines below a header up to the next gap; one gap or rule may come before them."""
    header = folded_line(sample[at][0])
    below: list[bytes] = []
    for line, _ in sample[at + 1 : at + 1 + _MAX_ROWS]:
        if is_rule(line):
            if below and not line.strip():
                break
            continue
        if folded_line(line) == header or (not below and _may_be_header(line)):
            break
        below.append(line)
    return below


def _best_reading(header: bytes, below: Sequence[bytes]) -> _Reading | None:
    rows = [words(line) for line in below]
    readings = [
        reading
        for spans in _splits(header, rows)
        for taker in (None, *range(len(spans)))
        if (reading := _reading(header, spans, rows, taker)) is not None
    ]
    capitals = header == header.upper() and len(rows) >= 3  # HEADINGS, which may stand anywhere
    good = [
        one
        for one in readings
        if one.fits >= _MOST and (one.aligned >= _MOST or (capitals and one.exact)) and one.rank[1]
    ]
    return max(good, key=lambda one: one.rank, default=None)


def _splits(header: bytes, rows: Sequence[Sequence[Word]]) -> Iterator[list[tuple[int, int]]]:
    """Ways to see columns: every word, words with a gap between them, as many as the rows have fields."""
    single = [(word.start, word.end) for word in words(header)]
    spread = [single[0]]
    for start, end in single[1:]:
        if start - spread[-1][1] < 2:
            spread[-1] = (spread[-1][0], end)
        else:
            spread.append((start, end))
    ways = [single, spread]
    if len(rows) == 1:
        yield from (way for place, way in enumerate(ways) if len(way) >= 2 and way not in ways[:place])
        return  # one line alone does not tell which words above belong together
    usual = Counter(len(row) for row in rows).most_common(1)
    if usual and 2 <= usual[0][0] < len(single):
        ways.append(_joined(single, [row for row in rows if len(row) == usual[0][0]]))
    # Words of one heading may stand apart as far as columns do: any two neighbours may be one.
    ways += [
        [*single[:place], (single[place][0], single[place + 1][1]), *single[place + 2 :]]
        for place in range(len(single) - 1)
    ]
    yield from (way for place, way in enumerate(ways) if len(way) >= 2 and way not in ways[:place])


def _joined(header: Sequence[tuple[int, int]], rows: Sequence[Sequence[Word]]) -> list[tuple[int, int]]:
    """The words of a header joined to as many columns as the rows have fields: each goes to what it stands over."""
    count = len(rows[0])
    below = [
        (min(row[place].start for row in rows), max(row[place].end for row in rows)) for place in range(count)
    ]
    joined: list[tuple[int, int]] = []
    for position, (start, end) in enumerate(header):
        left = len(header) - position  # words that are still to be placed, this one too
        here, after = len(joined) - 1, len(joined)
        if after == count or (
            here >= 0
            and left > count - after
            and _gap(below[here], (start, end)) <= _gap(below[after], (start, end))
        ):
            joined[here] = (joined[here][0], end)
        else:
            joined.append((start, end))
    return joined


def _gap(one: tuple[int, int], other: tuple[int, int]) -> int:
    """How far two stretches of a line are from touching; the more they share, the less."""
    return max(one[0], other[0]) - min(one[1], other[1])


def _reading(
    header: bytes, spans: Sequence[tuple[int, int]], rows: Sequence[Sequence[Word]], taker: int | None
) -> _Reading | None:
    """Read the rows with these columns; `taker` is the one whose fields may be of several words."""
    taken: list[list[Word]] = []
    for row in rows:
        extra = len(row) - len(spans)
        if extra == 0:
            taken.append(list(row))
        elif extra > 0 and taker is not None:
            several = row[taker : taker + extra + 1]
            text = b" ".join(word.text for word in several)
            taken.append(
                [*row[:taker], Word(text, several[0].start, several[-1].end), *row[taker + extra + 1 :]]
            )
        elif extra == -1 and (whole := _with_empty(row, spans)):
            taken.append(whole)
    if not taken:
        return None
    columns = [
        _Seen(" ".join(plain(header[start:end]).split()), [row[place].text for row in taken], start, end)
        for place, (start, end) in enumerate(spans)
    ]
    if taker is not None and columns[taker].kind != "text":
        return None
    if any(column.fields.count(b"") > (1 - _RARE) * len(taken) for column in columns):
        return None  # hardly anything stands under this word: it belongs to another
    good = [row for row in taken if all(map(_Seen.takes, columns, (word.text for word in row)))]
    aligned = [_aligned(column, [row[place] for row in good]) for place, column in enumerate(columns)]
    exact = all(len(row) == len(spans) for row in rows)
    return _Reading(columns, len(good) / len(rows), min(aligned), exact)


def _with_empty(row: Sequence[Word], spans: Sequence[tuple[int, int]]) -> list[Word] | None:
    """The row with an empty field in the only place that leaves every word below its heading."""
    found = []
    for place, (start, end) in enumerate(spans):
        whole = [*row[:place], Word(b"", start, end), *row[place:]]
        pairs = zip(whole, spans, strict=True)
        if all(word.start == span[0] or word.end == span[1] for word, span in pairs):
            found.append(whole)
    return found[0] if len(found) == 1 else None


def _aligned(column: _Seen, found: Sequence[Word]) -> float:
    """Share of the fields that begin or end where the words above them do, but for what is trimmed."""
    if not found:
        return 0.0
    left = sum(1 for word in found if word.start == column.start)
    right = sum(1 for word in found if word.end - column.end in (0, len(column.trim)))
    return max(left, right) / len(found)


def _header(
    reading: _Reading, above: bytes, sample: Sequence[Line], *, repeated: bool, resets: bool
) -> list[Layout]:
    """The table, with what only all its prints together tell: whether it comes again, and what its rows are."""
    titles = [column.title for column in reading.columns]
    seen, ignore = _told_apart(reading.columns, above)
    described = f"What the script prints under: {' '.join(titles)}."

    def made(*, events: bool) -> Layout:
        columns = _columns(seen, events=events, latest=repeated and not resets)
        columns = tuple(replace(column, header=title) for column, title in zip(columns, titles, strict=True))
        table = _table("table", described, columns, interval=repeated, events=events)
        trims = tuple(column.trim for column in reading.columns)
        return Layout("header", replace(table, ignore=ignore), trims)

    first = made(events=False)
    rows = _rows(first, sample)
    if not first.table.printed and _all_timed(reading):
        return []  # who did what when: it says most as text, in the order of time
    return [made(events=_are_events(rows, first.table.columns))] if rows else []


def _all_timed(reading: _Reading) -> bool:
    items = reading.columns[0].fields
    return sum(begins_with_time(plain(restored(item))) for item in items) >= _MOST * len(items)


def _told_apart(columns: Sequence[_Seen], above: bytes) -> tuple[list[_Seen], str]:
    """Columns of the same words told apart by those above them: `KB tot` under `read` and under `write`.

    The second value finds that upper line, which is no text then.
    """
    counts = Counter(folded(column.title) for column in columns)
    group = words(above)
    if max(counts.values()) == 1 or not group or any(_WHOLE.fullmatch(word.text) for word in group):
        return list(columns), ""
    told = []
    for column in columns:
        over = [word for word in group if _gap((word.start, word.end), (column.start, column.end)) < 0]
        again = counts[folded(column.title)] > 1 and len(over) == 1
        told.append(replace(column, title=f"{plain(over[0].text)} {column.title}") if again else column)
    line = r"\s+".join(re.escape(plain(word.text)) for word in group)
    return told, rf"^\s*{line}\s*$"


# --- a name and its numbers, without words above


def _lists(sample: Sequence[Line], known: Sequence[Layout], resets: bool) -> list[Layout]:
    """At most one: blocks of three lines and more, each a text and as many numbers, one below the other."""
    form = layouts.LayoutsForm(known) if known else None
    blocks: list[list[bytes]] = [[]]
    for line, t_ms in sample:
        elsewhere = form is not None and (form.line(line, t_ms) or form.is_start(line))
        if not elsewhere and layouts.list_fields(line) is not None:
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    blocks = [block for block in blocks if len(block) >= 3 and _in_columns(block)]
    if not blocks:
        return []
    rows = [row for block in blocks for line in block if (row := layouts.list_fields(line))]
    count = Counter(len(row) for row in rows).most_common(1)[0][0]
    rows = [row for row in rows if len(row) == count]
    titles = ["name", *(["value"] if count == 2 else [f"value {place}" for place in range(1, count)])]
    seen = [_Seen(title, items) for title, items in zip(titles, zip(*rows, strict=True), strict=True)]
    if any(column.kind == "text" for column in seen[1:]):
        return []
    name, *numbers = _columns(seen, latest=True)
    columns = (replace(name, type="string", role="key", unit="", merge=""), *numbers)
    columns = tuple(replace(column, header="", description="What the script prints.") for column in columns)
    table = _table("list", "Names with numbers.", columns, interval=len(blocks) > 1 and resets)
    return [Layout("list", table, tuple(column.trim for column in seen))]


def _in_columns(block: Sequence[bytes]) -> bool:
    """Whether the last number of nearly every line begins or ends in the same place."""
    last = [words(line)[-1] for line in block]
    edges = (Counter(word.end for word in last), Counter(word.start for word in last))
    return any(edge.most_common(1)[0][1] >= 0.9 * len(block) for edge in edges)


# --- histograms


def _histograms(sample: Sequence[Line]) -> list[Layout]:
    reader = layouts.HistogramShape(layouts.HISTOGRAM)
    labels = []
    for line, t_ms in sample:
        if reader.starts(line):
            labels.append(reader.label)
        elif reader.rows(line, t_ms) is None:
            reader.other(line)
    if not labels:
        return []
    units = {_unit_of(label) for label in labels}
    kind, unit = units.pop() if len(units) == 1 else ("int", "")
    what, value, count = layouts.HISTOGRAM.table.columns
    again = len(set(labels)) < len(labels)
    views = [View("histogram", "count", "value"), *([View("heatmap", "count", "value")] if again else [])]
    table = replace(
        layouts.HISTOGRAM.table,
        columns=(what, replace(value, type=kind, unit=unit), count),
        interval=again,
        views=tuple(views),
    )
    return [replace(layouts.HISTOGRAM, table=table)]


def _unit_of(label: str) -> tuple[ColumnType, str]:
    """Type and unit that stand in brackets in the line above a histogram: `bio latency (ns):`."""
    found = re.search(r"\(([A-Za-z]+)\)", label)
    if found is None:
        return "int", ""
    kind, unit = _type_and_unit(_Seen(found[1], [b"1"]))
    return kind, unit


# --- JSON


def _json(sample: Sequence[Line]) -> list[Layout]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for line, _ in sample:
        for name, record in layouts.json_records(line):
            found.setdefault(name, []).append(record)
    tables = (_json_table(name, records) for name, records in found.items())
    return [layout for layout in tables if len(layout.table.columns) <= MAX_COLUMNS]


def _json_table(name: str, records: Sequence[Mapping[str, Any]]) -> Layout:
    """The commonest form that these objects have; those of another form are none of its rows."""
    forms = [tuple((key, _kind(value)) for key, value in record.items()) for record in records]
    usual = Counter(forms).most_common(1)[0][0]
    alike = [record for record, form in zip(records, forms, strict=True) if form == usual]
    seen = [_Seen(key.strip("_"), [json.dumps(record[key]).encode() for record in alike]) for key, _ in usual]

    def made(*, events: bool) -> tuple[Column, ...]:
        columns = []
        for (key, kind), column in zip(usual, _columns(seen, events=events), strict=True):
            described = f"The member {_quoted(key)} of the script's JSON."
            named = replace(column, header=key, description=described)
            if kind != "number":
                named = replace(
                    named, type="bool" if kind == "bool" else "string", role="key", merge="", unit=""
                )
            columns.append(named)
        return tuple(columns)

    rows = [
        Row("", None, place, tuple(str(value) for value in record.values()))
        for place, record in enumerate(alike)
    ]
    events = _are_events(rows, made(events=False))
    described = f"What the script says as JSON ({_quoted(name)})."
    return Layout("json", _table(_names([name])[0], described, made(events=events), events=events), of=name)


def _kind(value: object) -> str:
    return "bool" if isinstance(value, bool) else "number" if isinstance(value, (int, float)) else "string"


def _quoted(key: str) -> str:
    return repr(key[:60])


# --- variables that SystemTap prints at the end, because the script never reads them


def _globals(sample: Sequence[Line]) -> list[Layout]:
    found: dict[str, tuple[list[int | str], dict[str, int | str]]] = {}
    for line, _ in sample:
        entry = layouts.global_entry(line)
        if entry is not None:
            found.setdefault(entry[0], entry[1:])
    return [_global(name, keys, values) for name, (keys, values) in found.items()]


def _global(name: str, keys: Sequence[int | str], values: Mapping[str, int | str]) -> Layout:
    merges: dict[str, Merge] = {"count": "sum", "sum": "sum", "min": "min", "max": "max"}
    columns = [
        Column(
            "key" if len(keys) == 1 else f"key_{place}",
            "int" if isinstance(value, int) else "string",
            "key",
            f"Index {place} of {name}.",
        )
        for place, value in enumerate(keys, 1)
    ]
    columns += [
        Column(
            key,
            "int" if isinstance(value, int) else "string",
            "measure",
            f"What {name} holds." if key == "value" else f"The {key} of the values in {name}.",
            merge=merges.get(key, "last"),
        )
        for key, value in values.items()
    ]
    table = _table(_names([name])[0], f"The variable {name} of the script, at its end.", tuple(columns))
    return Layout("global", table, of=name)
