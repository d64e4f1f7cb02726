# SPDX-License-Identifier: GPL-3.0-or-later
"""The line protocol: bounded lines from a stream, and the records that carry this session's nonce."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from typing import IO, NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain, printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import HostLoad, SessionResult

MAX_LINE = 64 * 1024
SAMPLES = 5
SAMPLE_LENGTH = 120
END_REASONS = ("window", "ttl", "stop")

_ARITY = {"@armed": 1, "@start": 1, "@time": 0, "@load": 8, "@hits": 1, "@end": 2}
_NUMBER = re.compile(rb"-?[0-9]{1,19}")
_MAX_EPOCH_MS = 10**15


class LineError(Exception):
    """A line that is not what it should be; the text says why. It is counted, never guessed at."""


class Record(NamedTuple):
    """One line that carries the nonce, its data fields still encoded."""

    seq: int
    table: str
    t_ms: int
    fields: list[bytes]


def reject(result: SessionResult, why: str, line: bytes) -> None:
    """Count a rejected line and keep the first few, cut and safe to show."""
    result.rejected_lines += 1
    if len(result.rejected_sample) < SAMPLES:
        shown = printable(plain(line[:SAMPLE_LENGTH]))[:SAMPLE_LENGTH]
        result.rejected_sample.append(f"{why}: {shown}")


def read_lines(stream: IO[bytes], result: SessionResult, max_bytes: int) -> Iterator[bytes]:
    """Yield each complete line without its newline. Holds at most MAX_LINE bytes, reads at most about `max_bytes`.

    A longer line is rejected unread. Output that ends inside a line, inside its compression, or beyond
    `max_bytes` sets `result.truncated`; the cut line is rejected.
    """
    too_long = False
    while True:
        try:
            chunk = stream.readline(MAX_LINE + 1)
        except (OSError, EOFError, ValueError, zlib.error) as problem:
            result.truncated = True
            why = printable(str(problem))[:SAMPLE_LENGTH]
            result.notes.append(f"the output could not be read to its end: {why}")
            return
        if not chunk:
            # The file ended with a newline, or inside a line that was rejected already.
            result.truncated = result.truncated or too_long
            return
        result.bytes_read += len(chunk)
        if result.bytes_read > max_bytes:
            result.truncated = True
            result.notes.append(f"only the first {max_bytes} bytes of the output were read")
            return
        ended = chunk.endswith(b"\n")
        if too_long:
            too_long = not ended
        elif ended:
            yield chunk[:-1]
        elif len(chunk) > MAX_LINE:
            reject(result, f"longer than {MAX_LINE} bytes", chunk)
            too_long = True
        else:
            reject(result, "cut off", chunk)
            result.truncated = True


def whole_number(field: bytes, what: str) -> int:
    """Return a decimal integer that fits 64 bits, with sign; LineError otherwise."""
    if not _NUMBER.fullmatch(field):
        raise LineError(f"{what} is not a whole number")
    number = int(field)
    if not -(2**63) <= number < 2**63:
        raise LineError(f"{what} does not fit 64 bits")
    return number


class Protocol:
    """Recognises the records of one session and keeps account of their numbers."""

    def __init__(self, nonce: str, result: SessionResult) -> None:
        self.prefix = nonce.encode("ascii") + b"\t"
        self.now_ms: int | None = None
        """Time of the last control record, since the window's start: what follows was printed after it."""
        self._result = result
        self._seen = 0
        self._highest = 0

    def read(self, line: bytes) -> Record:
        """Return the record in a line that starts with the prefix; LineError if it is malformed."""
        fields = line[len(self.prefix) :].split(b"\t")
        seq = whole_number(fields[0], "sequence number")
        if seq < 1:
            raise LineError("sequence number below 1")
        # From here on the record is not lost, whatever else is wrong with it.
        self._seen += 1
        self._highest = max(self._highest, seq)
        self._result.lost_records = max(0, self._highest - self._seen)
        if len(fields) < 3:
            raise LineError("too few fields")
        t_ms = whole_number(fields[2], "time")
        table = plain(fields[1])
        if t_ms < 0 and not table.startswith("@"):
            raise LineError("before the window")
        return Record(seq, table, t_ms, fields[3:])

    def count(self, sequence: Sequence[int]) -> None:
        """Note the numbers, at least one, of records that were read elsewhere."""
        self._seen += len(sequence)
        self._highest = max(self._highest, *sequence)
        self._result.lost_records = max(0, self._highest - self._seen)

    def control(self, record: Record) -> None:
        """Note an `@armed`, `@start`, `@time`, `@load`, `@hits` or `@end` record; LineError if it is none of them."""
        if _ARITY.get(record.table) != len(record.fields):
            raise LineError("unknown control record")
        if record.table != "@armed":
            self.now_ms = record.t_ms
        if record.table == "@time":
            return
        if record.table == "@hits":
            self._result.hits = max(0, whole_number(record.fields[0], "hits"))
            return
        if record.table == "@load":
            self._result.load = _load(record.fields)
            return
        epoch_ms = whole_number(record.fields[0], "time")
        if not 0 < epoch_ms < _MAX_EPOCH_MS:
            raise LineError("impossible time")
        if record.table == "@armed":
            self._result.armed_ms = self._result.armed_ms or epoch_ms
        elif record.table == "@start":
            if self._result.start_ms is None:
                self._result.start_ms, self._result.window_ms = epoch_ms, epoch_ms - record.t_ms
        else:
            reason = plain(record.fields[1])
            if reason not in END_REASONS:
                raise LineError("unknown reason to end")
            self._result.end_ms, self._result.end_reason = epoch_ms, reason


def _load(fields: Sequence[bytes]) -> HostLoad:
    """Return what the fields of an `@load` record say; LineError if one is no number, or none that can be."""
    numbers = [whole_number(field, "load") for field in fields]
    if min(numbers) < 0 or max(numbers) >= _MAX_EPOCH_MS:
        raise LineError("impossible load")
    window_ms, processors, before, after, *spent = numbers
    busy_s, stolen_s, late_s, latest_s = (each / 1000 for each in spent)
    return HostLoad(
        window_ms / 1000, processors, before / 100, after / 100, busy_s, stolen_s, late_s, latest_s
    )
