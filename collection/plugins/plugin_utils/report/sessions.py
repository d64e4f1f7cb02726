# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions read back from a run directory: rows, first lines, limits and intervals."""

from __future__ import annotations

import io
from collections.abc import Mapping

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import decode, plain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.host import HostMerger
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import SessionResult
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import MAX_LINE
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.session import parse_session
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.timestamps import LineClock
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe, Table
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import coverage
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import HostText
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.runs import Shard
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import ProbeRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.stderr import Losses, read_losses

FIRST_LINES = 100
"""Lines of a call trace or a text kept per host; the whole stays in the run directory."""
DEFAULT_INTERVAL_S = 5
LEAST_INTERVAL_S = 0.001
"""What says to print more often than this is damaged."""
OUTPUT_FACTOR = 2
"""A collected output may unpack to this many times its declared limit before it is read no further."""
HEAD_LINES = 20
"""Lines of any other output kept per host, as they were printed."""
_LINE = 4096


def read_session(
    shard: Shard,
    host: str,
    name: str,
    record: coverage.HostRecord,
    mergers: Mapping[str, HostMerger],
) -> coverage.SessionOutput | None:
    probe = shard.probes[name]
    limit = output_limit(probe)
    with shard.run.open_output(host, name, limit) as stream:
        if stream is None:
            return None
        nonce = shard.entries[name].nonce
        # The stream itself is bounded and tells truncation apart, so the parser need not stop before it.
        reader = io.BufferedReader(stream, MAX_LINE)  # blocks of this size are read at once
        head = _head(reader.peek(), nonce) if probe.form.tables != 0 else ()
        session = parse_session(probe, nonce, reader, limit + 1)
        for batch in session.batches():
            mergers[batch.table].add_batch(batch)
        collected = record.collect.sessions.get(name) if record.collect else None
        expected = collected.sha256 if collected else ""
        said = shard.run.read_err(host, name)
        return coverage.SessionOutput(
            result=session.result,
            losses=read_losses(said) if said is not None else Losses(),
            cut=stream.cut,
            over_limit=stream.over_limit,
            altered=bool(expected) and expected != stream.sha256,
            head=head,
            exits=probe.exits,
        )


def _head(data: bytes, nonce: str) -> tuple[str, ...]:
    """Return the first whole lines of an output as they stand, without the nonce, which only says that a line is
    ours."""
    prefix = nonce.encode() + b"\t"
    lines = [line for line in data.split(b"\n")[:-1] if line.strip()]
    return tuple(plain(line.removeprefix(prefix)[:_LINE].rstrip(b"\r")) for line in lines[:HEAD_LINES])


def host_text(host: str, result: SessionResult, window_s: float) -> HostText:
    """Return the first lines with their times. All kept ones are looked at: late ones tell how times are known."""
    clock = LineClock(result.window_ms, window_s * 1000)
    pairs = zip(result.text_lines, result.text_times, strict=True)
    times = [clock.time(line, told) for line, told in pairs][:FIRST_LINES]
    timed = ("own" if clock.own else "session") if clock.known else ""
    return HostText(host, list(result.text_lines[:FIRST_LINES]), result.text_lines_total, times, timed)


def first_lines(shard: Shard, host: str, name: str) -> list[str]:
    """Return the first lines of what the script itself printed, control records left out."""
    prefix = shard.entries[name].nonce.encode() + b"\t"
    lines: list[str] = []
    with shard.run.open_output(host, name, FIRST_LINES * _LINE) as stream:
        if stream is None:
            return lines
        reader = io.BufferedReader(stream)
        while len(lines) < FIRST_LINES and (line := reader.readline(_LINE)):
            if line.strip() and not line.startswith(prefix):
                lines.append(decode(line.rstrip(b"\r\n")))
    return lines


def output_limit(probe: Probe) -> int:
    return OUTPUT_FACTOR * probe.limits.output_mb * 1024 * 1024


def interval_s(entry: ProbeRecord, probe: Probe, table: Table) -> float | None:
    """Return seconds from one print of a table to the next; None if that is not known."""
    if probe.layouts:
        return next((layout.interval_s for layout in probe.layouts if layout.table == table), None)
    told = untrusted.number(entry.parameters, "interval_s")
    return told if told is not None and told >= LEAST_INTERVAL_S else DEFAULT_INTERVAL_S
