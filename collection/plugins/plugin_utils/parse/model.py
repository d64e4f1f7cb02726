# SPDX-License-Identifier: GPL-3.0-or-later
"""The plain data that parsers make of one session: rows, call trees, and what its output says about itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Value


class Row(NamedTuple):
    """One record of one session. `values` has one value for each column of the table, in the table's order.

    t_ms: milliseconds since the window's start; for output form `table` that of the last time the session told, or
    None.
    seq: number of the record (`rows`) or of the row (`table`), from 1.
    interval: for output form `table`, number of the repeated header above the row, from 0; else None.
    """

    table: str
    t_ms: int | None
    seq: int
    values: tuple[Value, ...]
    interval: int | None = None


class Batch(NamedTuple):
    """Rows of one table of one session, column by column; the fields are those of Row.

    columns: of each column of the table the values of all rows. interval: None if no row has one.
    """

    table: str
    t_ms: Sequence[int | None]
    seq: Sequence[int]
    columns: Sequence[Sequence[Value]]
    interval: Sequence[int | None] | None = None


def batch_of(rows: Sequence[Row]) -> Batch:
    """Return the same rows, at least one and all of one table, as a batch."""
    names, times, numbers, values, intervals = zip(*rows, strict=True)
    known = any(interval is not None for interval in intervals)
    return Batch(names[0], times, numbers, list(zip(*values, strict=True)), intervals if known else None)


@dataclass(frozen=True)
class CallNode:
    """All calls of one function from one chain of callers. Times are microseconds.

    path: function names, outermost first; the last is this function. `(other)` is what was folded away.
    count: calls seen. unfinished: calls whose return was not seen (they add nothing to the times).
    """

    path: tuple[str, ...]
    count: int
    total_us: int
    self_us: int
    unfinished: int = 0


@dataclass(frozen=True)
class CallTree:
    """The folded calls of all threads of one process name, parents before children.

    counted: stacks that a script counted; then `count`, `total_us` and `self_us` of its nodes say how often a
    function was on a stack, the same, and how often it was the innermost one.
    unfinished: calls without a return; orphan_returns: returns whose call came before the window or was lost.
    """

    process: str
    nodes: tuple[CallNode, ...]
    unfinished: int = 0
    orphan_returns: int = 0
    counted: bool = False


@dataclass(frozen=True)
class HostLoad:
    """What a session saw of its host from the window's begin to its end, which took `seconds`.

    load_before, load_after: load average of the last minute, then. busy_s, stolen_s: seconds that all processors
    together worked, or that a hypervisor gave to others. late_s: seconds by which a timer of 10 ms came late, in all;
    latest_s: at most.
    """

    seconds: float
    processors: int
    load_before: float
    load_after: float
    busy_s: float
    stolen_s: float
    late_s: float
    latest_s: float


@dataclass
class SessionResult:
    """What one session's output says about itself. Complete once its rows have been read to the end.

    armed_ms, start_ms, end_ms: epoch milliseconds on the host's clock; window_ms: when the window began by it, which
    is before start_ms on a host that was late. hits: how often a handler ran in the window, None if it was not said
    or the script does not count. load: None if it was not said. end_reason: window, ttl, stop, or
    empty when the output was cut off. folded_calls: calls counted under `(other)` because the tree was full.
    text_times: of each of text_lines, milliseconds since the window's start, never later than it was printed and
    earlier by less than the session's fd_stamp_ms; None where the session printed no time.
    All texts are safe to show (see base.text.printable) except `text_lines`, which is data like the rows.
    """

    rows: int = 0
    bytes_read: int = 0
    rejected_lines: int = 0
    rejected_sample: list[str] = field(default_factory=list)
    lost_records: int = 0
    truncated: bool = False
    armed_ms: int | None = None
    start_ms: int | None = None
    window_ms: int | None = None
    end_ms: int | None = None
    end_reason: str = ""
    hits: int | None = None
    load: HostLoad | None = None
    calltrees: tuple[CallTree, ...] = ()
    folded_calls: int = 0
    text_lines: tuple[str, ...] = ()
    text_times: tuple[int | None, ...] = ()
    text_lines_total: int = 0
    notes: list[str] = field(default_factory=list)
