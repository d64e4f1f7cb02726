# SPDX-License-Identifier: GPL-3.0-or-later
"""A line that was printed for people: what a reader takes for its words, and where they stand."""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain

_ANSI = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
# Signs that only stand between fields: `eth0 : 12`, `10.0.0.1 --> 10.0.0.2`. A - alone says that there is nothing.
_SIGN = re.compile(rb"(?<!\S)(?:[:=|]+|-+>)(?!\S)")
# ctime() is one word: `Tue Nov 24 12:25:14 2026`.
_CTIME = re.compile(rb"[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} [0-9]{4}")
_JOINED = b"\x1f"
_WORD = re.compile(rb"\S+")
# A line of a histogram, where the | belongs to the picture.
_DRAWN = re.compile(rb"\s*([<>]?-?[0-9]+|value) \|")
_RULE = re.compile(rb"(?:[-=_+*|\s]|\xe2\x80[\x90-\x95]|\xe2\x94[\x80-\xbf]|\xe2\x95[\x80-\xbf])*")
_TAB = 8


class Word(NamedTuple):
    """A word and where it stands in its line, in bytes: [start, end)."""

    text: bytes
    start: int
    end: int


def without_colours(line: bytes) -> bytes:
    """Return the line without what moves a terminal's cursor or colours it."""
    return _ANSI.sub(b"", line) if b"\x1b" in line else line


def cleaned(line: bytes) -> bytes:
    """Return the line with one space or more between its fields: no colours, no tabs, no signs that stand alone."""
    line = without_colours(line)
    if b"\t" in line:
        line = line.expandtabs(_TAB)
    if _DRAWN.match(line):
        return line
    line = _SIGN.sub(lambda sign: b" " * len(sign[0]), line)
    return _CTIME.sub(lambda time: time[0].replace(b" ", _JOINED), line)


def restored(word: bytes) -> bytes:
    """Return a word of a cleaned line as it was printed."""
    return word.replace(_JOINED, b" ")


def words(line: bytes) -> list[Word]:
    """Return the words of a cleaned line."""
    return [Word(found[0], found.start(), found.end()) for found in _WORD.finditer(line)]


def is_rule(line: bytes) -> bool:
    """Return whether the line is empty or only drawn."""
    return _RULE.fullmatch(line) is not None


def folded(text: str) -> str:
    """Return letters, digits and % in lower case, anything between them one space: `KB Read` = `kb_read`."""
    return " ".join(re.findall(r"[0-9a-z%]+", text.lower()))


def folded_line(line: bytes) -> str:
    return folded(plain(line))
