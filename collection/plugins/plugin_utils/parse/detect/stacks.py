# SPDX-License-Identifier: GPL-3.0-or-later
"""Stacks as `print_stack()`, `print_ustack()` and `print_backtrace()` print them, each followed by its count."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.columns import table_of
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.prints import (
    Forgets,
    prints_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.sample import (
    HostSample,
    Samples,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.shape_base import Shape
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.printed_words import is_rule
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Layout

SEPARATOR = ";"
"""Between the functions of a stack, outermost first; no symbol of a program holds one."""
MAX_FRAMES = 128
MAX_NAME = 120

_SIZES = rb"\+0x[0-9a-f]+(?:/0x[0-9a-f]+)?"
_WHERE = rb"(?: at \S.{0,300}?)?(?: \[(?P<module>[^\]+]{1,300})\])?(?: \(inexact\))?\s*"
# `0xffffffff81 : vfs_read+0x0/0x110 [kernel]`, and without an address in front: `vfs_read+0x1c [kernel]`.
_NAMED = re.compile(rb"(?:0x[0-9a-f]+ : )?(?P<name>[^\s\[].{0,400}?)" + _SIZES + _WHERE)
# `0x7f30 [/usr/lib/libc.so.6+0x2724a/0x1d5000]`: a module, but no symbol. `0x7f30`: nothing is known of it.
_NAMELESS = re.compile(
    rb"(?:0x[0-9a-f]+ : )?0x[0-9a-f]{4,16}(?: \[(?P<module>[^\]+]{1,300})" + _SIZES + rb"\])?"
    rb"(?: at \S.{0,300})?(?: \(inexact\))?\s*"
)
_RETURNING = re.compile(rb"Returning (?:from|to  ):\s+")
_COUNT = re.compile(
    rb"\s*(?:(?P<name>[^\s:=,](?:[^:=,]{0,60}?[^\s:=,])??)(?:\s*[:=]\s*|\s+))?(?P<count>[0-9]{1,18})"
    rb"(?:\s*(?:x|times|samples?|hits?|calls?|events?|occurrences))?\s*[.;]?\s*",
    re.IGNORECASE,
)
_COUNTED = frozenset(
    {"count", "counts", "n", "x", "times", "samples", "hits", "calls", "events", "occurrences", "@count"}
)
_NO_PROCESS = re.compile(
    r"\b(avg|average|mean|min|max|sum|total|lat|latency|time|elapsed|bytes|size|us|ms|ns|s|usecs?|msecs?"
    r"|pid|tid|uid|cpu|depth|level|line)\b",
    re.IGNORECASE,
)


class Counted(NamedTuple):
    """How often a stack was seen, and the process name that stands beside the figure."""

    times: int
    process: str


class _Block(NamedTuple):
    """A stack as it was printed: the line of text directly above it, its frames, and the line below."""

    above: bytes
    frames: int
    below: Counted | None
    is_last: bool


def frame_of(line: bytes) -> str | None:
    """Return the function on a line of a stack; None if it is no such line.

    `[libc.so.6]` where only the module is known, `[unknown]` where nothing is: addresses differ from host to host.
    """
    line = line.strip()
    returning = _RETURNING.match(line)
    line = line[returning.end() :] if returning else line
    if found := _NAMELESS.fullmatch(line):
        module = found["module"]
        return "[unknown]" if module is None else f"[{plain(module.rsplit(b'/', 1)[-1])[:MAX_NAME]}]"
    found = _NAMED.fullmatch(line) if b"+0x" in line else None
    return plain(found["name"]).replace(SEPARATOR, ",")[:MAX_NAME] if found else None


def count_of(line: bytes) -> Counted | None:
    """Return the count, and the process name if one stands in front of it; None if a line says anything else."""
    found = _COUNT.fullmatch(line)
    if found is None:
        return None
    name = plain(found["name"] or b"")
    if name.lower() in _COUNTED:
        return Counted(int(found["count"]), "")
    if name and (_NO_PROCESS.search(name) or name.isdigit()):
        return None
    return Counted(int(found["count"]), name)


def counted_stacks(samples: Samples, forgets: Forgets) -> list[Layout]:
    """Return the layout of the stacks in an output, if each of them is followed by a count; else none."""
    hosts = [list(_blocks(sample)) for sample in samples]
    # A print may be cut off by the end of what is looked at, and of the window.
    blocks = [block for host in hosts for block in host if block.below is not None or not block.is_last]
    if not blocks or any(block.below is None for block in blocks) or max(b.frames for b in blocks) < 2:
        return []
    named = {bool(block.below and block.below.process) for block in blocks}
    if len(named) > 1:
        return []
    of = "below" if named == {True} else "above" if _names_above(blocks) else ""
    found = [_rows(_layout(of), sample) for sample in samples]
    again = any(row.interval for rows in found for row in rows)
    prints = prints_of(_layout(of), found, forgets) if again else ""
    return [replace(_layout(of, again=again, latest=prints == "unclear"), prints=prints)]


def _layout(of: str, *, again: bool = False, latest: bool = False) -> Layout:
    process = Column("process", "string", "key", "What the script prints beside the stack.")
    columns = (
        *((process,) if of else ()),
        Column("stack", "string", "key", "Functions of the stack, the outermost first."),
        Column("count", "int", "measure", "How often the stack was seen.", merge="last" if latest else "sum"),
    )
    table = table_of("stacks", "Stacks with their counts.", columns, interval=again)
    return Layout("stacks", table, ("",) * len(columns), of)


def _names_above(blocks: Sequence[_Block]) -> bool:
    """Return True if a name stands directly above every stack, and not always the same one."""
    names = {block.above for block in blocks}
    return len(names) > 1 and all(_is_name(name) for name in names)


def _is_name(line: bytes) -> bool:
    text = plain(line).strip(" :")
    return 0 < len(text) <= 64 and not text.isdigit() and not is_rule(line) and ":" not in text


def _blocks(sample: HostSample) -> Iterator[_Block]:
    """Yield each stack of one host with what stands around it."""
    above, frames = b"", 0
    for line in sample:
        if frame_of(line.raw) is not None:
            frames += 1
        elif frames and not line.raw.strip():
            continue  # before the count
        elif frames:
            count = count_of(line.raw)
            yield _Block(above, frames, count, is_last=False)
            frames, above = 0, b"" if count else line.raw
        else:
            above = line.raw
    if frames:
        yield _Block(above, frames, None, is_last=True)


def _rows(layout: Layout, sample: HostSample) -> list[Row]:
    reader = StacksShape(layout)
    rows = []
    for line in sample:
        found = reader.rows(line.raw, line.t_ms)
        if found is None:
            reader.other(line.raw)
        rows += found or []
    return rows


def without_stacks(samples: Samples, layouts: Sequence[Layout]) -> Samples:
    """Return what is left of an output without its stacks and their counts."""
    if not layouts:
        return samples
    left = []
    for sample in samples:
        reader = StacksShape(layouts[0])
        kept = []
        for line in sample:
            if reader.rows(line.raw, line.t_ms) is None:
                reader.other(line.raw)
                kept.append(line)
        left.append(kept)
    return left


class StacksShape(Shape):
    """Lines of a stack, the innermost function first, and the count below; each stack is a row."""

    raw = True

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.takes_title = layout.of == "above"
        self._frames: list[str] = []
        self._above = ""
        self._interval, self._seen, self._time = 0, set[str](), -1

    def rows(self, line: bytes, t_ms: int | None) -> list[Row] | None:
        frame = frame_of(line)
        if frame is not None:
            if len(self._frames) < MAX_FRAMES:
                self._frames.append(frame)
            return []
        if not self._frames:
            return None
        if not line.strip():
            return []
        found = count_of(line)
        if found is None or bool(found.process) != (self._of == "below"):
            self._frames.clear()
            self.cut_rows += 1  # a stack without a count
            return None
        stack = SEPARATOR.join(reversed(self._frames))
        process = (found.process if self._of == "below" else self._above,) if self._of else ()
        self._frames.clear()
        return [
            self._row((*process, stack, found.times), t_ms, self._print("\n".join((*process, stack)), t_ms))
        ]

    def _print(self, key: str, t_ms: int | None) -> int:
        """Return the number of the print: no stack comes twice in one, and its lines have one time."""
        time = -1 if t_ms is None else t_ms
        if key in self._seen or (self._seen and time != self._time):
            self._interval += 1
            self._seen.clear()
        self._time = time
        self._seen.add(key)
        return self._interval

    def other(self, line: bytes) -> None:
        self._above = plain(line).strip(" :")[:64]

    def restart(self) -> None:
        super().restart()
        self._frames.clear()
        self._interval, self._time = 0, -1
        self._seen.clear()
