# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the prints of a table add up: the script's arrays say it, and the figures do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Layout, Value
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.language import (
    Script,
    Word,
    calls,
    read,
)

Forgets = Literal["all", "none", "some", "unknown"]
"""Which of the arrays that a script prints it empties where it prints them."""

_PRINTERS = ("printf", "printd", "printdln", "print", "println", "sprintf", "sprint")


def forgets(text: str) -> Forgets:
    """Return which of the printed arrays and counters a script empties in the handler that prints them."""
    if not text.strip():
        return "unknown"
    script = read(text)
    names = {variable.name for variable in script.globals}
    printed: set[str] = set()
    emptied: set[str] = set()
    touched = prints = False
    for handler in script.handlers:
        body = _with_functions(handler.body, script)
        mentioned = {word.text for word in body} & names
        prints |= _prints(body)
        touched |= _prints(body) and any(_is_changed(script, name) for name in mentioned)
        shown = _printed(body, names)
        printed |= shown
        emptied |= shown & _emptied(body)
    changed = {name for name in printed if _is_changed(script, name)}
    if not changed:
        return "unknown" if touched or not prints else "all"  # it keeps nothing of what it prints
    if changed <= emptied:
        return "all"
    return "some" if changed & emptied else "none"


def _with_functions(body: Sequence[Word], script: Script) -> list[Word]:
    """Return a body and those of the functions and macros that it uses."""
    whole = list(body)
    known: set[str] = set()
    at = 0
    while at < len(whole) and len(whole) < 100_000:
        name = whole[at].text
        at += 1
        if name not in known and (name in script.functions or name in script.macros):
            known.add(name)
            whole += script.functions.get(name, ()) + script.macros.get(name, ())
    return whole


def _prints(body: Sequence[Word]) -> bool:
    return any(True for _unused in calls(body, *_PRINTERS))


def _printed(body: Sequence[Word], names: set[str]) -> set[str]:
    """Return the globals whose figures are printed, not those by which they are looked up."""
    if not _prints(body):
        return set()
    found = {word.text for _unused, given in calls(body, *_PRINTERS) for part in given for word in part}
    found |= {word.text for _unused2, (given, *_rest) in _loops(body) for word in given}
    return found & names


def _loops(body: Sequence[Word]) -> Iterator[tuple[Word, list[tuple[Word, ...]]]]:
    for word, given in calls(body, "foreach"):
        if given:
            last = given[-1]
            begun = next((at for at, each in enumerate(last) if each.text == "in"), None)
            if begun is not None:
                yield word, [last[begun + 1 : begun + 2]]


def _emptied(body: Sequence[Word]) -> set[str]:
    """Return the globals that are deleted as a whole, set to 0, or deleted entry by entry in a loop over them."""
    found = set()
    looped = {word.text for _unused, (given, *_rest) in _loops(body) for word in given}
    for at, word in enumerate(body[:-1]):
        name = body[at + 1].text
        if word.text == "delete":
            indexed = at + 2 < len(body) and body[at + 2].text == "["
            if not indexed or name in looped:
                found.add(name)
        elif name == "=" and at + 2 < len(body) and body[at + 2].text == "0":
            found.add(word.text)
    return found


def _is_changed(script: Script, name: str) -> bool:
    """Return True if the script counts in this global: with `++`, `+=`, `<<<` or `=`, at any index."""
    signs = ("++", "--", "+=", "-=", "<<<", "=")
    for body in script.bodies:
        for at, word in enumerate(body):
            if word.text != name:
                continue
            end = at + 1
            if end < len(body) and body[end].text == "[":
                depth = 1
                end += 1
                while end < len(body) and depth:
                    depth += (body[end].text == "[") - (body[end].text == "]")
                    end += 1
            if (end < len(body) and body[end].text in signs) or (at and body[at - 1].text in ("++", "--")):
                return True
    return False


def prints_of(
    layout: Layout, hosts: Sequence[Sequence[Row]], script: Forgets, *, each_row: bool = False
) -> Literal["", "total", "unclear"]:
    """Return how the prints of a table stand to each other (see Layout.prints).

    hosts: of each its rows, with the number of the print as interval. each_row: each row is a print of its own.
    """
    sums = [place for place, column in enumerate(layout.table.columns) if column.merge == "sum"]
    means = any(column.merge == "mean" for column in layout.table.columns)
    if not (sums or means) or script == "all":
        return ""
    keys = [place for place, column in enumerate(layout.table.columns) if column.is_key]
    if each_row:
        hosts = [[row._replace(interval=number) for number, row in enumerate(rows)] for rows in hosts]
    if not any(_has_again(rows, keys) for rows in hosts):
        return ""  # no name comes twice: nothing is added up
    falls = any(_falls(rows, keys, sums, counted=not each_row) for rows in hosts)
    if script == "none":
        return "unclear" if falls else "total"
    return "" if falls else "unclear"


def _has_again(rows: Sequence[Row], keys: Sequence[int]) -> bool:
    names = {tuple(row.values[place] for place in keys) for row in rows}
    return len(names) < len(rows)


def _falls(rows: Sequence[Row], keys: Sequence[int], sums: Sequence[int], *, counted: bool) -> bool:
    """Return True if a figure is smaller than in an earlier print, or a print has fewer rows than the one before.

    counted: rows are counted; not those of the last print, which may be cut off by the window's end.
    """
    last: dict[tuple[Value, ...], Row] = {}
    lengths: Counter[int] = Counter()
    for row in rows:
        lengths[row.interval or 0] += 1
        key = tuple(row.values[place] for place in keys)
        before = last.get(key)
        if before is not None and before.interval == row.interval:
            continue
        if before is not None and any(row.values[place] < before.values[place] for place in sums):  # type: ignore[operator]
            return True
        last[key] = row
    whole = [length for _unused, length in sorted(lengths.items())][:-1]
    return counted and any(later < earlier for earlier, later in pairwise(whole))
