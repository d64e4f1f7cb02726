# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of one session, read as a stream: rows as they come, at the end what is known of the whole.

session = parse_session(probe, nonce, stream)
for row in session:
    ...
session.result          # complete only now

or, where all rows are read, `for batch in session.batches()`.
"""

from __future__ import annotations

import contextlib
import io
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import IO

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.calltrace import CalltraceForm
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.reader import LayoutsForm
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import (
    Batch,
    Row,
    SessionResult,
    batch_of,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import (
    MAX_LINE,
    LineError,
    Protocol,
    read_lines,
    reject,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.row_blocks import BlockReader
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.rows import RowsForm
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.table import TableForm
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.text import TextForm
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe

MAX_EARLY = 1024 * 1024
BATCH = 1_000
"""Rows that came one by one and are given together."""
_LINE_COST = 64  # what an empty line takes in memory
_NONCE = re.compile(r"[0-9a-f]{16}")


class Session:
    """Iterate once over its rows, or over its batches; then `result` is complete. Memory does not grow with the output.

    A script that was not written for fleetdiag prints from the moment it is armed. What it says before the
    window is left out; if the window never came (the script ended by itself before), it is all there is.
    """

    def __init__(
        self, probe: Probe, nonce: str, stream: IO[bytes], max_bytes: int, lines_as_rows: bool
    ) -> None:
        self.result = SessionResult()
        self._protocol = Protocol(nonce, self.result)
        self._counts_hits = not probe.unmodified
        self._remarks = probe.remarks
        self._form = _form(probe, lines_as_rows)
        self._early = _Early()
        self._stream = stream
        self._max_bytes = max_bytes
        self._lines = read_lines(stream, self.result, max_bytes)
        self._blocks = BlockReader(probe, nonce) if isinstance(self._form, RowsForm) else None

    def __iter__(self) -> Iterator[Row]:
        for line in self._lines:
            yield from self._of_line(line)
        yield from self._end()

    def batches(self) -> Iterator[Batch]:
        """Yield the same rows, many at a time, those of each table in their order: read in a fraction of the time."""
        waiting = _Waiting()
        ended = False
        while not ended:
            block = self._block()
            taken = self._blocks.read(block) if block and self._blocks is not None else None
            if taken is not None:
                yield from waiting.all()
                self._stream.read(len(block))
                yield from self._take(block, *taken)
                continue
            ended = True
            for line in islice(self._lines, max(1, block.count(b"\n"))):
                ended = False
                for row in self._of_line(line):
                    yield from waiting.add(row)
        for row in self._end():
            yield from waiting.add(row)
        yield from waiting.all()

    def _block(self) -> bytes:
        """Return the whole lines that have been unpacked already, and may be read at once; empty if there are none."""
        if self._blocks is None or not isinstance(self._stream, io.BufferedReader):
            return b""
        try:
            ahead = self._stream.peek()
        except (OSError, EOFError, ValueError, zlib.error):
            return b""  # read_lines will meet it too, and note it
        block = ahead[: ahead.rfind(b"\n", 0, MAX_LINE) + 1]
        return block if self.result.bytes_read + len(block) <= self._max_bytes else b""

    def _take(self, block: bytes, batches: Sequence[Batch], control: Sequence[bytes]) -> Iterator[Batch]:
        self.result.bytes_read += len(block)
        for line in control:
            self._read(line)
        for batch in batches:
            self._protocol.count(batch.seq)
            self.result.rows += len(batch.seq)
            yield batch

    def _of_line(self, line: bytes) -> Iterator[Row]:
        for part in self._parts(line):
            for row in self._read(part):
                self.result.rows += 1
                yield row

    def _end(self) -> Iterator[Row]:
        for line in self._early.lines if self.result.start_ms is None else ():
            for row in self._guarded(self._form.line, line, None):
                self.result.rows += 1
                yield row
        if not self._counts_hits:
            self.result.hits = None
        self._early.tell(self.result)
        self.result.notes += self._remarks
        self._form.finish(self.result)

    def _parts(self, line: bytes) -> Iterator[bytes]:
        """Yield a control record apart from a text in front of it: a script's last text may lack its newline."""
        position = line.find(self._protocol.prefix)
        if position > 0 and not isinstance(self._form, RowsForm):
            yield line[:position]
            line = line[position:]
        yield line

    def _read(self, line: bytes) -> Sequence[Row]:
        if line.startswith(self._protocol.prefix):
            return self._guarded(self._record, line)
        if self.result.start_ms is None and not isinstance(self._form, RowsForm):
            self._early.keep(line)
            self._form.before(line)
            return ()
        return self._guarded(self._form.line, line, self._protocol.now_ms)

    def _record(self, line: bytes) -> Row | None:
        record = self._protocol.read(line)
        if record.table.startswith("@"):
            self._protocol.control(record)
            return None
        if isinstance(self._form, RowsForm):
            return self._form.record(record)
        raise LineError("a record of this session among other text")

    def _guarded(
        self, read: Callable[..., Row | list[Row] | None], line: bytes, *more: int | None
    ) -> Sequence[Row]:
        try:
            found = read(line, *more)
        except LineError as why:
            reject(self.result, str(why), line)
            return ()
        return found if isinstance(found, list) else () if found is None else (found,)


class _Waiting:
    """Rows that came one by one, until there are many."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Row]] = {}

    def add(self, row: Row) -> Iterator[Batch]:
        rows = self._rows.setdefault(row.table, [])
        rows.append(row)
        if len(rows) >= BATCH:
            del self._rows[row.table]
            yield batch_of(rows)

    def all(self) -> Iterator[Batch]:
        for rows in self._rows.values():
            yield batch_of(rows)
        self._rows.clear()


class _Early:
    """The first lines printed before the window, up to MAX_EARLY bytes."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self._room = MAX_EARLY
        self._count = 0

    def keep(self, line: bytes) -> None:
        self._count += 1
        self._room -= len(line) + _LINE_COST
        if self._room >= 0:
            self.lines.append(line)

    def tell(self, result: SessionResult) -> None:
        left_out = self._count - (0 if result.start_ms is not None else len(self.lines))
        if left_out:
            lines = "1 line" if left_out == 1 else f"{left_out} lines"
            are = "is" if left_out == 1 else "are"
            result.notes.append(f"{lines} printed before the window began {are} left out")
        self.lines.clear()


def _form(probe: Probe, lines_as_rows: bool) -> RowsForm | TableForm | CalltraceForm | TextForm | LayoutsForm:
    if probe.layouts:
        return LayoutsForm(probe.layouts)
    if probe.output == "rows":
        return RowsForm(probe)
    if probe.output == "table":
        return TableForm(next(iter(probe.tables.values())))
    if probe.output == "calltrace":
        return CalltraceForm()
    return TextForm(as_rows=lines_as_rows)


def parse_session(
    probe: Probe,
    nonce: str,
    stream: IO[bytes],
    max_bytes: int | None = None,
    *,
    lines_as_rows: bool = False,
) -> Session:
    """Return the session of `probe` whose output is `stream` (uncompressed, opened and closed by the caller).

    max_bytes: stop there and say so; by default the probe's own output limit and a little more, so that a
    hostile host's gzip bomb ends as a truncated session. lines_as_rows: of output form `text`, give each line as
    a row of no table. No content of the stream raises; a bad nonce is a
    FleetdiagError.
    """
    if not _NONCE.fullmatch(nonce):
        raise FleetdiagError(
            f"probe {probe.name}: the run directory has no valid nonce for it, so its output cannot be told"
            " from forged lines; sweep again"
        )
    most = max_bytes or (probe.limits.output_mb + 1) * 1024 * 1024
    return Session(probe, nonce, stream, most, lines_as_rows)


def printed_lines(nonce: str, stream: IO[bytes], max_bytes: int) -> Iterator[tuple[bytes, int | None]]:
    """Return each line that a script itself printed, before the window too, with the last `@time` record's time.

    None before the first: lines of many prints may stand there. Nothing is counted, and no content of the stream
    raises: it is for those who are to find out what form it has.
    """
    result = SessionResult()
    protocol = Protocol(nonce, result)
    told = False
    for line in read_lines(stream, result, max_bytes):
        position = line.find(protocol.prefix)
        if position != 0:
            yield line[:position] if position > 0 else line, protocol.now_ms if told else None
        if position >= 0:
            with contextlib.suppress(LineError):
                record = protocol.read(line[position:])
                protocol.control(record)
                told = told or record.table == "@time"
