# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of text between tables: what they name, without the figures in them, and which rows are printed totals."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_numbers import printed_number
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_words import (
    folded,
    restored,
    words,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Table, Value

NO_TITLE = "\0"
"""Above rows, but nothing that names them: perhaps a row that could not be read."""
_MAX_NAME = 200
_NUMBER = r"[-+]?[0-9]+(?:\.[0-9]+)?"
_TIME = re.compile(
    r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} [0-9]{4}"
    r"|\b[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.]{5,18}Z?)?|\b[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"|\b[0-9]{9,19}(?:\.[0-9]+)?\b"
)
_COUNTED = re.compile(
    rf"(?:\b(?:for|of|from|over|after|in|last|past|with)\s+(?:the\s+(?:last|past)\s+)?)?(?<![\w.]){_NUMBER} ?"
    r"(?:samples?|values?|events?|calls?|requests?|operations?|ops|entries|times|packets?|bytes|ticks|intervals?"
    r"|ns|us|usecs?|ms|msecs?|s|secs?|seconds?|minutes?|[KMG]?i?[Bb](?:/s(?:ec)?)?|%)(?![\w])"
)
_STATISTIC = re.compile(
    r"\b(?:min|max|avg|average|mean|median|stddev|count|sum|total|samples|p[0-9]{2}|n|events)\b",
    re.IGNORECASE,
)
_UNIT = re.compile(r"\s*\((?:in )?([A-Za-z]+)\)")
_MESSAGE = re.compile(r"\s*\[?(warning|error|note|info|debug|fatal|critical)\]?:", re.IGNORECASE)
_TOTALS = frozenset({"total", "totals", "sum", "all", "overall", "grand total", "in total", "subtotal"})


def name_in(line: bytes) -> str:
    """Return what a line of text names: without times and counted figures; "" for one that only tells figures."""
    text = _COUNTED.sub(" ", _TIME.sub(" ", plain(restored(line))))
    if re.search(r"[0-9]", text) and _STATISTIC.search(text):
        return ""
    named = " ".join(text.split()).strip(" :-=#*,;<>")[:_MAX_NAME]
    return named if re.search(r"[A-Za-z]", named) else ""


def title_of(line: bytes) -> str:
    """Return `name_in` as words in lower case, to compare titles by; NO_TITLE for what may be a row or is a message."""
    found = words(line)
    if (len(found) > 1 and printed_number(found[-1].text)) or _MESSAGE.match(plain(line)):
        return NO_TITLE
    return folded(name_in(line))


def histogram_name(line: bytes) -> str:
    """Return `name_in` without the unit in brackets, which is that of the values."""
    return _UNIT.sub("", name_in(line)).strip(" :-")


def unit_in(line: bytes) -> str:
    """Return the word that stands in brackets as a unit: `bio latency (ns):`, `(in microseconds)`."""
    found = _UNIT.search(name_in(line))
    return found[1] if found else ""


def is_total(table: Table, values: Sequence[Value]) -> bool:
    """Return True for a row that the script added up itself: the rest of the table is in it already."""
    texts = [
        value
        for column, value in zip(table.columns, values, strict=True)
        if column.is_key and isinstance(value, str)
    ]
    return bool(texts) and is_total_name(texts[0])


def is_total_name(text: str) -> bool:
    """Return True for what scripts write in front of a sum."""
    return folded(text) in _TOTALS
