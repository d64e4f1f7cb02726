# SPDX-License-Identifier: GPL-3.0-or-later
"""<probe>.lines.txt: all that the hosts printed as text, merged by time, with time and host in front.

Times are seconds since the window's start, and as good as parse.linetimes can know them: a line was printed then or
later, before the next line of its host. Hosts that tell no times come last, one after the other. Memory does not grow
with the lines: at most FILES sessions are open at once, and what they come to is put aside in files of its own.
"""

from __future__ import annotations

import heapq
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import raw_rows
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.format import Format
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import ProbeReport, Report
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.write import filled

FILES = 64
LATER = 2**62
"""When what has no time was printed."""


class Said(NamedTuple):
    """One line. They are in order by time, then host, then as printed."""

    t_ms: int
    host: str
    number: int
    text: str


def write(report: Report, folder: Path) -> list[str]:
    names = []
    for probe in report.probes:
        if probe.form.lines:
            name = f"{probe.name}.lines.txt"
            with (
                filled(folder, name) as path,
                path.open("w", encoding="utf-8") as out,
                ExitStack() as stack,
            ):
                width = max((len(printable(host)) for host in probe.sampled), default=0)
                for said in _merged(_readers(report, probe), stack, path.parent):
                    out.write(_shown(said, width) + "\n")
            names.append(name)
    return names


def _shown(said: Said, width: int) -> str:
    when = "-" if said.t_ms == LATER else f"{said.t_ms / 1000:.3f}"
    return f"{when:>9}  {printable(said.host):<{width}}  {printable(said.text.expandtabs(8))}"


def _readers(report: Report, probe: ProbeReport) -> list[Callable[[], Iterator[Said]]]:
    untimed = {text.host for text in probe.texts if not text.timed}
    return [_reader(host, read, host in untimed) for host, read in raw_rows.sessions(report, probe)]


def _reader(host: str, read: raw_rows.Read, untimed: bool) -> Callable[[], Iterator[Said]]:
    def lines() -> Iterator[Said]:
        for row in read():
            yield _said(host, row, untimed)

    return lines


def _said(host: str, row: Row, untimed: bool) -> Said:
    t_ms = LATER if untimed or row.t_ms is None else row.t_ms
    return Said(t_ms, host, row.seq, str(row.values[0]))


# --- merging more sessions than can be open at once ---


def _merged(readers: list[Callable[[], Iterator[Said]]], stack: ExitStack, folder: Path) -> Iterable[Said]:
    """Return all lines in order. Of more than FILES sessions each FILES are merged into a file first."""
    while len(readers) > FILES:
        groups = [readers[start : start + FILES] for start in range(0, len(readers), FILES)]
        readers = [_put_aside(group, stack, folder) for group in groups]
    return heapq.merge(*(read() for read in readers))


def _put_aside(
    readers: list[Callable[[], Iterator[Said]]], stack: ExitStack, folder: Path
) -> Callable[[], Iterator[Said]]:
    aside: IO[str] = stack.enter_context(
        tempfile.TemporaryFile("w+", encoding="utf-8", dir=folder)  # noqa: SIM115 - the stack closes it
    )
    for said in heapq.merge(*(read() for read in readers)):
        aside.write(json.dumps(said) + "\n")

    def lines() -> Iterator[Said]:
        aside.seek(0)
        for line in aside:
            yield Said(*json.loads(line))

    return lines


FORMAT = Format("lines", "what was printed as text, all hosts merged by time", write)
