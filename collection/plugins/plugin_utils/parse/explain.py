# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of each line of a session's output, for people who write a probe."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, Any, cast

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row, SessionResult
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.session import parse_session
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe

MAX_LINES = 100_000
_SHOWN = 4096


@dataclass
class Line:
    """One line as printed (its first 4096 bytes), the rows read from it, and why it was rejected."""

    number: int
    raw: bytes
    rows: list[Row] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)


def explain(probe: Probe, nonce: str, stream: IO[bytes]) -> tuple[list[Line], SessionResult]:
    """Return the first MAX_LINES lines of the output, and the result of the whole. Raises as parse_session does."""
    tap = _Tap(stream)
    session = parse_session(probe, nonce, cast("IO[bytes]", tap))
    tap.result = session.result
    for row in session:
        tap.current.rows.append(row)
    tap.settle()
    return tap.lines, session.result


class _Tap:
    """The stream, line by line: the parser asks for the next line when it is done with the one before."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.lines: list[Line] = []
        self.current = Line(0, b"")
        self.result = SessionResult()
        self._stream = stream
        self._ended = True

    def readline(self, size: int) -> bytes:
        self.settle()
        chunk = self._stream.readline(size)
        if chunk and self._ended:
            self.current = Line(self.current.number + 1, chunk[:_SHOWN].rstrip(b"\n"))
            if len(self.lines) < MAX_LINES:
                self.lines.append(self.current)
        self._ended = chunk.endswith(b"\n")
        return chunk

    def settle(self) -> None:
        """Take what was rejected since; the result itself keeps only a few."""
        self.current.rejected += [sample.partition(": ")[0] for sample in self.result.rejected_sample]
        self.result.rejected_sample.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
