# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to read the lines below a line of words: which words stand over which fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.columns import PrintedColumn
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_words import Word, words

MIN_SHARE = 0.8
"""Share of the rows under a header that must fit it, and of them that must stand where its words do."""
_RARE = 0.2
"""Share of the rows that must have something in a column, so that it is one."""
_SIEVE = 8
"""Rows by which most readings are told to be wrong, before all rows are looked at."""


@dataclass
class Reading:
    """One way to read the lines under a header: `columns`, and which share of the lines fits and stands below them.

    exact: every line has one word for each column.
    """

    columns: list[PrintedColumn]
    fits: float
    aligned: float
    exact: bool

    @property
    def is_plain(self) -> bool:
        """Return True for a name and then numbers, in every line: such columns need not stand below their words."""
        numbers = [column.content != "text" for column in self.columns]
        words_ = any(" " in title.replace(" (", "(") for title in (column.title for column in self.columns))
        return (
            self.fits == 1
            and not words_
            and sum(numbers) == len(numbers) - 1
            and (not numbers[0] or not numbers[-1])
        )

    @property
    def rank(self) -> tuple[float, int, float, int]:
        numbers = sum(1 for column in self.columns if column.content != "text")
        return round(self.fits, 1), numbers, round(self.aligned, 1), len(self.columns)


def best_reading(header: bytes, below: Sequence[bytes], budget: Budget) -> Reading | None:
    """Return the reading that fits nearly all lines, has most numbers and stands best; None if none does.

    Nothing is read any more when the budget is used up.
    """
    rows = [words(line) for line in below]
    capitals = header == header.upper() and len(rows) >= 3  # HEADINGS, which may stand anywhere

    def good(one: Reading | None) -> bool:
        if one is None or one.fits < MIN_SHARE or not one.rank[1]:
            return False
        if any(": " in column.title or "... " in column.title for column in one.columns):
            return False  # a sentence
        return one.aligned >= MIN_SHARE or (capitals and one.exact) or (len(rows) >= 3 and one.is_plain)

    sieve = rows[:_SIEVE]
    found: list[Reading] = []
    for spans in _splits(header, rows):
        for taker in (None, *range(len(spans))):
            if not budget.spend(len(sieve)):
                return None
            if len(rows) > _SIEVE and not _may_be(_reading(header, spans, sieve, taker)):
                continue
            if not budget.spend(len(rows)):
                return None
            reading = _reading(header, spans, rows, taker)
            if reading is not None and good(reading):
                found.append(reading)
    return max(found, key=lambda one: one.rank, default=None)


def _may_be(reading: Reading | None) -> bool:
    """Return False for a reading that most of the first rows do not fit."""
    return reading is not None and reading.fits >= 0.5 and reading.rank[1] > 0


@dataclass
class Budget:
    """Rows that may still be read to find the headers of an output."""

    rows: int

    def spend(self, rows: int) -> bool:
        """Return True if so many rows may be read, and count them."""
        self.rows -= rows
        return self.rows >= 0


def _splits(header: bytes, rows: Sequence[Sequence[Word]]) -> Iterator[list[tuple[int, int]]]:
    """Yield ways to see columns: every word, words with a gap between them, as many as the rows have fields."""
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
    """Join the words of a header to as many columns as the rows have fields: each goes to what it stands over."""
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
            and gap_between(below[here], (start, end)) <= gap_between(below[after], (start, end))
        ):
            joined[here] = (joined[here][0], end)
        else:
            joined.append((start, end))
    return joined


def gap_between(one: tuple[int, int], other: tuple[int, int]) -> int:
    """Return how many bytes two stretches of a line are apart; minus the number they share where they overlap."""
    return max(one[0], other[0]) - min(one[1], other[1])


def _reading(
    header: bytes, spans: Sequence[tuple[int, int]], rows: Sequence[Sequence[Word]], taker: int | None
) -> Reading | None:
    """Read the rows with these columns; `taker` is the one whose fields may be of several words."""
    taken: list[list[Word]] = []
    for row in rows:
        extra = len(row) - len(spans)
        if extra == 0:
            taken.append(list(row))
        elif extra > 0 and taker is not None:
            several = row[taker : taker + extra + 1]
            if any(later.start - earlier.end > 1 for earlier, later in pairwise(several)):
                continue  # the words of a name stand beside each other
            text = b" ".join(word.text for word in several)
            taken.append(
                [*row[:taker], Word(text, several[0].start, several[-1].end), *row[taker + extra + 1 :]]
            )
        elif extra == -1 and (whole := _with_empty(row, spans)):
            taken.append(whole)
    if not taken:
        return None
    columns = [
        PrintedColumn(
            " ".join(plain(header[start:end]).split()), [row[place].text for row in taken], start, end
        )
        for place, (start, end) in enumerate(spans)
    ]
    if taker is not None and columns[taker].content != "text":
        return None
    if any(column.fields.count(b"") > (1 - _RARE) * len(taken) for column in columns):
        return None  # hardly anything stands under this word: it belongs to another
    good = [row for row in taken if all(map(PrintedColumn.takes, columns, (word.text for word in row)))]
    aligned = [_aligned(column, [row[place] for row in good]) for place, column in enumerate(columns)]
    exact = all(len(row) == len(spans) for row in rows)
    return Reading(columns, len(good) / len(rows), min(aligned), exact)


def _with_empty(row: Sequence[Word], spans: Sequence[tuple[int, int]]) -> list[Word] | None:
    """Return the row with an empty field in the only place that leaves every word below its heading, else None."""
    found = []
    for place, (start, end) in enumerate(spans):
        whole = [*row[:place], Word(b"", start, end), *row[place:]]
        pairs = zip(whole, spans, strict=True)
        if all(word.start == span[0] or word.end == span[1] for word, span in pairs):
            found.append(whole)
    return found[0] if len(found) == 1 else None


def _aligned(column: PrintedColumn, found: Sequence[Word]) -> float:
    """Return the share (0 to 1) of fields that begin or end where the words above them do, but for what is trimmed."""
    if not found:
        return 0.0
    left = sum(1 for word in found if word.start == column.start)
    right = sum(1 for word in found if word.end - column.end in (0, len(column.trim)))
    return max(left, right) / len(found)
