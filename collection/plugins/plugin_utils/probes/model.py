# SPDX-License-Identifier: GPL-3.0-or-later
"""The plain data that flows through the core: what a probe declares and what one session yielded.

Nothing here computes: the catalog makes probes, parsers make rows and session results, the rest reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.quantities import MEASURED
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.forms import FORMS, Form

Value = str | int | float | bool
"""One cell of a row. `bytes` columns are ints in bytes, `duration` columns floats in seconds."""

ColumnType = Literal["string", "int", "float", "bytes", "duration", "path", "timestamp", "bool"]
Merge = Literal["", "sum", "max", "min", "mean", "count", "last", "p50", "p95", "p99", "records"]
Reading = Mapping[str, Any]
"""What the author of a script says of its output: header, units, keys, merge, prints (see scripts.reading)."""
Prints = Literal["reset", "cumulative"]
Output = str
"""Name of an output form, see `forms`."""
MoreIs = Literal["worse", "better", "neutral"]
Scope = Literal["host", "key"]
Severity = Literal["critical", "warning", "info"]
Topic = Literal["io", "filesystem", "memory", "network", "nfs", "process", "other"]


@dataclass(frozen=True)
class Compare:
    """How a measure may be compared between hosts that should be alike.

    scope: the host's total, or the total of each key ("/dev/vda" against the others' "/dev/vda").
    min_difference: the least difference worth a word, in the measure's shown unit (per second for rates of
    hosts that sampled different times: see findings). min_ratio: the least factor. min_samples: records that
    must be behind a host's figure.
    """

    scope: Scope = "host"
    min_difference: float = 0.0
    min_ratio: float = 2.0
    min_samples: int = 0


@dataclass(frozen=True)
class Check:
    """A figure that is bad by itself: above or below a threshold, in the measure's shown unit.

    overload: a host that breaks it has more work than processors.
    """

    measure: str
    severity: Severity
    above: float | None = None
    below: float | None = None
    scope: Scope = "host"
    overload: bool = False


@dataclass(frozen=True)
class Events:
    """A table whose records are past a threshold of the probe itself, so that each is worth naming.

    count: measure that counts them. worst: measure whose largest value tells the worst of them apart, or empty.
    what, one: their name after a number, and after 1; parameters in braces, as in Table.what.
    """

    count: str
    worst: str = ""
    what: str = ""
    one: str = ""


@dataclass(frozen=True)
class Part:
    """One part of what a request takes, as a total of this table (`here`) or of the other side's (`there`)."""

    label: str
    here: str = ""
    there: str = ""


@dataclass(frozen=True)
class OtherSide:
    """The table of another probe that tells of the same requests on the host that answered them.

    Pairs are columns here and there: host names the other side's host, key must be equal on both, count counts the
    requests. parts: from outside in, each within the one before. worth: seconds of a mean that are worth a word.
    names: a table of the same probe that says which files (or the like) were asked for.
    """

    probe: str
    table: str
    host: tuple[str, str]
    key: tuple[str, str]
    count: tuple[str, str]
    parts: tuple[Part, ...]
    worth: float
    names: str = ""


@dataclass(frozen=True)
class View:
    """How a table is best looked at. bucket: the key column that holds a histogram bucket's lower bound."""

    kind: Literal["table", "series", "histogram", "heatmap", "flame"]
    measure: str = ""
    bucket: str = ""


@dataclass(frozen=True)
class Column:
    """One column of a table. `unit` is what the script prints; `shown_unit` what the parser yields.

    header: for output form `table`, the words the script prints above the column, when they are not its name.
    label: short words for people. ratio: of a derived measure, the two measures it is the quotient of. largest: of
    a ratio that is a mean, the measure that has the largest single value of those that were added up.
    """

    name: str
    type: ColumnType
    role: Literal["key", "measure"]
    description: str
    unit: str = ""
    merge: Merge = ""
    rate: bool = False
    more_is: MoreIs = "neutral"
    header: str = ""
    label: str = ""
    compare: Compare | None = None
    ratio: tuple[str, str] | None = None
    largest: str = ""

    @property
    def words(self) -> str:
        """Return what people read: the label, or the name in words."""
        return self.label or self.name.replace("_", " ")

    @property
    def is_key(self) -> bool:
        return self.role == "key"

    @property
    def shown_unit(self) -> str:
        """Return the unit of the values the parser yields: `B` for bytes, `s` for durations, else the declared one."""
        measured = MEASURED.get(self.type)
        return measured.shown if measured else self.unit


@dataclass(frozen=True)
class Table:
    """The typed rows a probe yields. `columns` are in the order printed; `sort` is a column name or empty.

    derived: measures that the script does not print, computed from what was merged: the quotient of two
    measures, or the number of records. They come after the printed ones in `measures`.
    ignore: for output form `table`, a regular expression of lines that are neither header nor row.
    what: what a record is, in words that follow a number: "files open longer than {threshold_ms} ms".
    events: set if each host that has any of these records gets a finding.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    interval: bool = False
    sort: str = ""
    descending: bool = False
    ignore: str = ""
    derived: tuple[Column, ...] = ()
    what: str = ""
    checks: tuple[Check, ...] = ()
    views: tuple[View, ...] = ()
    other_side: OtherSide | None = None
    events: Events | None = None

    @property
    def keys(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.role == "key")

    @property
    def printed(self) -> tuple[Column, ...]:
        """Return the measures that the script prints."""
        return tuple(column for column in self.columns if column.role == "measure")

    @property
    def measures(self) -> tuple[Column, ...]:
        """Return all measures, in the order of a merged row's values: printed, then derived."""
        return (*self.printed, *self.derived)

    def index(self, name: str) -> int:
        """Return position of the column `name` in a row's values; KeyError if there is none."""
        for position, column in enumerate(self.columns):
            if column.name == name:
                return position
        raise KeyError(name)


LayoutKind = Literal["header", "list", "histogram", "json", "global", "separated", "pairs", "rate", "stacks"]


@dataclass(frozen=True)
class Layout:
    """How one table of a script that was not written for fleetdiag stands in its output (see parse.detect).

    kind: `header` (words above columns), `list` (a name and its numbers), `histogram` (as SystemTap draws them),
    `json`, `global` (as SystemTap prints a variable that the script itself never prints), `separated` (fields between
    commas or tabs), `pairs` (`key=value key=value`), `rate` (`[time] 12 MB/s`), `stacks` (lines of a
    stack, then a count).
    trims: of each column, what is cut off the end of its fields (":", ","). of: the member of the JSON that holds the
    rows, or the variable, or the title above rows whose form others have too; of stacks whether the process name stands
    `above` them or `below`, beside the count. separator: of `separated`.
    once: the words above are printed once, and rows that come later, after a gap, still stand below them.
    prints: "" where each print has new figures; `total` where they count up from print to print; `unclear` where that
    is not known, so that only the last print is shown. interval_s: seconds from one print to the next, None if that
    is not known.
    """

    kind: LayoutKind
    table: Table
    trims: tuple[str, ...] = ()
    of: str = ""
    separator: str = ""
    once: bool = False
    prints: Literal["", "total", "unclear"] = ""
    interval_s: float | None = None


@dataclass(frozen=True)
class Parameter:
    """One setting of a probe: a script global set at load, or (`when: compile`) a compiler argument.

    type `words`: any number of arguments in one text, as a shell reads them; `min` is then how many there must be.
    """

    name: str
    type: Literal["int", "bool", "string", "words"]
    default: int | bool | str
    description: str
    min: int | None = None
    max: int | None = None
    pattern: str = ""
    unit: str = ""
    when: Literal["load", "compile"] = "load"


@dataclass(frozen=True)
class Limits:
    """What one session may cost: output in MiB, seconds to arm, sizes and shares compiled into the module."""

    output_mb: int = 64
    arm_seconds: int = 60
    map_entries: int = 2048
    string_length: int = 128
    overload_percent: int = 10


@dataclass(frozen=True)
class Probe:
    """A folder of the catalog, or a manifest recorded in a run directory (`folder` and `script` are None).

    name: safe in file, unit and kernel module names. title: what the user asked for and reads.
    overhead: what it was measured to cost, as the manifest has it. views: of a call trace.
    output `auto`: what form it has is found out from what it prints; `layouts` is what was found (see parse.detect).
    unmodified: its script was not written for fleetdiag. It samples from the moment it is armed, and prints names
    as they are. exits: it may end by itself. origin: where the script comes from. flags: options of stap on its first
    line. target: whether it asks for a process (see scripts.target): empty, `optional` or `needed`.
    reading: what its author says of its output. remarks: what of that does not fit the output.
    """

    name: str
    description: str
    question: str
    output: Output
    cost: Literal["low", "medium", "high"]
    requires_debuginfo: bool = False
    module_files: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    folder: Path | None = None
    script: Path | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    topic: Topic = "other"
    overhead: Mapping[str, Any] = field(default_factory=dict)
    views: tuple[View, ...] = ()
    layouts: tuple[Layout, ...] = ()
    unmodified: bool = False
    exits: bool = False
    origin: str = ""
    flags: tuple[str, ...] = ()
    target: str = ""
    reading: Reading = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def form(self) -> Form:
        return FORMS[self.output]

    @property
    def has_intervals(self) -> bool:
        return any(table.interval for table in self.tables.values())


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
    All texts are safe to show (see parse.decode.printable) except `text_lines`, which is data like the rows.
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


@dataclass(frozen=True)
class Losses:
    """What SystemTap itself said on stderr about lost data. Zero, False and empty mean nothing was said.

    dead_probes: probe points that could not be registered; the session went on without them.
    """

    errors: int = 0
    skipped: int = 0
    transport_failures: int = 0
    lost_messages: int = 0
    lost_bytes: int = 0
    overload: bool = False
    dead_probes: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def lossy(self) -> bool:
        """Return True if figures of this session may be too low."""
        counts = (self.errors, self.skipped, self.transport_failures, self.lost_messages, self.lost_bytes)
        return self.overload or self.dead_probes > 0 or any(counts)


@dataclass(frozen=True)
class Finding:
    """One sentence that an on-call engineer can act on, with the figures and the rows that prove it.

    key: empty for a figure of the whole host. value, expected, spread: in the measure's shown unit; expected is
    the median of the others, of the host's own past, or the threshold; spread is how far alike hosts lie apart.
    score: robust deviations from `expected`. chance: probability that hosts which are alike would show this
    anywhere in the report. mark: the losses that touch the figure. rows: (host, key, values) of at most 5 rows.
    symptoms: findings of the same incident, whose cause this one is; they are not in the report's own list.
    hosts: all that it speaks for, empty if that is the one. What is known of it from sweep to sweep, empty where
    nothing is: fingerprint, state, the sweep since which it is there and the last one without it, how many sweeps had
    it, and history: of the last covered ones `1` with it and `0` without.
    """

    severity: Severity
    kind: Literal["compare", "check", "changed", "set", "calls", "sides", "events"]
    host: str
    probe: str
    table: str
    measure: str
    sentence: str
    value: float
    key: tuple[Value, ...] = ()
    unit: str = ""
    type: ColumnType = "float"
    peers: int = 0
    peer_set: str = ""
    expected: float | None = None
    spread: float | None = None
    ratio: float | None = None
    score: float | None = None
    chance: float | None = None
    mark: str = ""
    rows: tuple[tuple[str, tuple[Value, ...], tuple[Value | None, ...]], ...] = ()
    symptoms: tuple[Finding, ...] = ()
    hosts: tuple[str, ...] = ()
    fingerprint: str = ""
    state: str = ""
    since: str = ""
    last_normal: str = ""
    sweeps: int = 0
    history: str = ""

    @property
    def told(self) -> tuple[Finding, ...]:
        """Return the finding itself, and its symptoms."""
        return (self, *self.symptoms)


@dataclass(frozen=True)
class Comparison:
    """One measure on the hosts of one peer set, for a line of the hosts x measures map.

    values: by host, hosts without data left out. scores: signed robust deviations from the median, 0 when
    alike, at most 99 either way. found: the hosts of which a finding speaks.
    """

    probe: str
    table: str
    measure: str
    label: str
    peer_set: str
    values: Mapping[str, float]
    scores: Mapping[str, float]
    unit: str = ""
    type: ColumnType = "float"
    more_is: MoreIs = "neutral"
    key: tuple[Value, ...] = ()
    median: float | None = None
    spread: float | None = None
    found: tuple[str, ...] = ()
