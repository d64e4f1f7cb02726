# SPDX-License-Identifier: GPL-3.0-or-later
"""Columns of a table as they were printed: what is in them, and what the words above say of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_numbers import printed_number
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_words import folded
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Column,
    ColumnType,
    Merge,
    Table,
)

MAX_COLUMNS = 24
_NUMBERS = 0.9
"""Share of the fields that must be numbers, so that the column is one of numbers."""

Content = Literal["text", "int", "float", "time", "bytes", "percent"]

# What the words above a column say of its numbers.
# A bare s, us, ms or ns is a name: a unit stands in brackets or behind another word.
_TIME = re.compile(
    r"(?:^(?=[a-z]*sec)|(?<=[a-z0-9%])[ _]+\(?|\()(?:in )?(u|m|n|micro|milli|nano)?s(?:ecs?|econds?)?(?=$|[ _)])",
    re.IGNORECASE,
)
_TIME_UNITS = {"": "s", "u": "us", "micro": "us", "m": "ms", "milli": "ms", "n": "ns", "nano": "ns"}
_AMOUNT = re.compile(r"(?:^|[ _(])(?:(k|m)i?(?:b|bytes?)|bytes?)(?=$|[ _)])", re.IGNORECASE)
_IDS = re.compile(
    r"\b([a-z]?(pid|tid|uid|gid)|tgid|fd|cpu|core|node|[a-z]?port|inode|ino|dev|device|major|minor|sig|signo|signum|signal"
    r"|prio|priority|nice|line|addr|address|id|index|irq|vector|errno|vlan|zone|order|from|to|time|timestamp|ns)\b"
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
class PrintedColumn:
    """A column as it was seen: the words above it, where they stand, and fields below them.

    content: what nearly all of them are. trim: a sign that all of them end with and is no part of them.
    """

    title: str
    fields: Sequence[bytes] = ()
    start: int = 0
    end: int = 0
    content: Content = "text"
    trim: str = ""

    def __post_init__(self) -> None:
        self.trim = _common_end(self.fields)
        self.content = _content([item.removesuffix(self.trim.encode()) for item in self.fields], self.title)

    def takes(self, item: bytes) -> bool:
        """Return True if this field could stand in the column."""
        if self.content == "text":
            return True
        found = printed_number(item.removesuffix(self.trim.encode()))
        if found is None:
            return False
        if self.content in ("int", "float"):
            return found.kind in ("", "scale") and (self.content == "float" or found.whole)
        return found.kind in ("", "scale", self.content)


def _content(items: Sequence[bytes], title: str) -> Content:
    """Return what nearly all of these fields are; text where their kinds differ, or a number lacks its unit."""
    found = [number for item in items if (number := printed_number(item))]
    if not items or len(found) < _NUMBERS * len(items):
        return "text"
    kinds = {number.kind for number in found if number.kind or number.number}
    if kinds <= {"", "scale"}:
        return "int" if all(number.whole for number in found) else "float"
    if kinds == {"percent"} or kinds == {"percent", ""}:
        return "percent"
    for kind, pattern in (("time", _TIME), ("bytes", _AMOUNT)):
        if kinds == {kind} or (kinds <= {kind, "", "scale"} and pattern.search(title)):
            positive = all(number.number >= 0 for number in found)
            return kind if positive else "text"  # type: ignore[return-value]
    return "text"


def _common_end(items: Sequence[bytes]) -> str:
    """Return a colon or comma that stands behind all names.

    `%-12s: %d` prints a name of 12 letters and more with its colon, and a shorter one without.
    """
    filled = [item for item in items if item]
    for sign in (b":", b","):
        ending = [item for item in filled if item.endswith(sign) and len(item) > 1]
        others = [len(item) for item in filled if not item.endswith(sign)]
        if ending and max(others, default=0) < min(len(item) for item in ending) - 1:
            return plain(sign)
    return ""


def columns_of(
    seen: Sequence[PrintedColumn], *, events: bool = False, latest: bool = False
) -> tuple[Column, ...]:
    """Return columns with names, types, units and meanings.

    events: each row is an event, so that a number that is no amount tells it from others. latest: what is an amount
    or an average is that of the last print.
    """
    made = []
    for name, column in zip(column_names([column.title for column in seen]), seen, strict=True):
        described = (
            f"What the script prints under {column.title!r}." if column.title else "What the script prints."
        )
        base = Column(name, "string", "key", described, header=column.title, label=_label(column.title))
        said = folded(column.title)
        if column.content == "text":
            made.append(base)
            continue
        kind, unit = type_and_unit(column)
        merge: Merge = _merge(said, kind)
        if kind == "int" and not unit and (_IDS.search(said) or (events and merge == "last")):
            made.append(replace(base, type="int"))
            continue
        if events and merge == "last":
            merge = "max"
        if latest and merge in ("sum", "mean"):
            merge = "last"
        made.append(replace(base, type=kind, unit=unit, role="measure", merge=merge))
    words_ = Counter(column.words.lower() for column in made)
    return tuple(replace(column, label="") if words_[column.words.lower()] > 1 else column for column in made)


def column_names(titles: Sequence[str]) -> list[str]:
    names = []
    for position, title in enumerate(titles, 1):
        name = re.sub(r"[^a-z0-9]+", "_", title.lower().replace("%", " percent ")).strip("_")[:36]
        if not name:
            name = f"column_{position}"
        elif not name[0].isalpha():
            name = f"n_{name}"
        names.append("host_name" if name == "host" else name)  # the report's own first column is the host
    return apart(names)


def apart(names: Sequence[str]) -> list[str]:
    """Return the same with a number behind those that come again."""
    taken: Counter[str] = Counter()
    apart = []
    for name in names:
        taken[name] += 1
        apart.append(name if taken[name] == 1 else f"{name}_{taken[name]}")
    return apart


def _label(title: str) -> str:
    """Return a column's title without its unit, which stands with every value; "" if it has no unit or nothing else."""
    for pattern in (_TIME, _AMOUNT):
        found = pattern.search(title)
        kept = f"{title[: found.start()]} {title[found.end() :]}" if found and "/" not in title else ""
        words_ = " ".join(re.sub(r"\(\s*\)|[()_]", " ", kept).split())
        if words_ and words_[0].isalpha():
            return words_.lower() if words_.isupper() else words_
    return ""


def type_and_unit(column: PrintedColumn) -> tuple[ColumnType, str]:
    """Return type and unit of a column of numbers. No unit for times and sizes that all say their own."""
    title, content = column.title, column.content
    plain_type: ColumnType = "int" if content == "int" else "float"
    if content == "percent":
        whole = all(b"." not in item for item in column.fields)
        return ("int" if whole else "float"), "%"
    if content == "time":
        found = _TIME.search(title)
        return "duration", _TIME_UNITS[(found[1] or "").lower()] if found else ""
    if content == "bytes":
        amount = _AMOUNT.search(title)
        return "bytes", f"{amount[1] or ''}B".upper() if amount else ""
    if "/" in title or any(item.startswith(b"-") for item in column.fields):
        return plain_type, ""
    if "%" in title:
        return plain_type, "%"
    if time := _TIME.search(title):
        return "duration", _TIME_UNITS[(time[1] or "").lower()]
    if content == "int" and (amount := _AMOUNT.search(title)):
        return "bytes", f"{amount[1] or ''}B".upper()
    return plain_type, ""


def _merge(said: str, kind: ColumnType) -> Merge:
    for pattern, merge in _MEANINGS:
        if pattern.search(said):
            return merge
    return "sum" if kind == "bytes" else "last"


def table_of(
    name: str,
    description: str,
    columns: tuple[Column, ...],
    *,
    interval: bool = False,
    events: bool = False,
    ignore: str = "",
) -> Table:
    """Return a table sorted by the first amount that adds up; one of events counts them, too."""
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
        ignore=ignore,
    )


def are_events(hosts: Sequence[Sequence[Row]], columns: Sequence[Column]) -> bool:
    """Return True if rows of one print of a host have the same names: then they are no figures of things, but events."""
    places = [place for place, column in enumerate(columns) if column.is_key]
    names = {
        (host, row.interval, *(row.values[place] for place in places))
        for host, rows in enumerate(hosts)
        for row in rows
    }
    total = sum(map(len, hosts))
    return total - len(names) > 0.1 * total
