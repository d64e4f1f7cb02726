# SPDX-License-Identifier: GPL-3.0-or-later
"""From a probe whose output has an unknown form to one whose form is known, as its run directories tell.

All hosts that are looked at decide together, so that they can be compared.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect import corrections, infer
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.prints import forgets
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.sample import (
    MAX_LINES,
    Line,
    taken,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.session import printed_lines
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Layout, Output, Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read

MAX_SAMPLE = 4 * 1024 * 1024
MAX_HOSTS = 32
"""Hosts that are looked at."""


def settled(probe: Probe, script: str, samples: Iterable[Iterable[Line]]) -> Probe:
    """Return the probe with output form and tables, as all of its hosts that are looked at print them.

    samples: what it printed, host by host; script: its text, if known.
    """
    hosts = list(islice(samples, MAX_HOSTS))
    looked_at = [sample for host in hosts if (sample := taken(host, MAX_LINES // len(hosts)))]
    found = infer.infer(looked_at, forgets(script), probe.reading) if looked_at else infer.Inferred()
    remarks = corrections.unmatched(found.layouts, probe.reading) if looked_at else []
    return replace(with_layouts(probe, found.output, found.layouts), remarks=tuple(remarks))


def with_layouts(probe: Probe, output: Output, layouts: Sequence[Layout]) -> Probe:
    """Return the probe as if its manifest had declared this output form and these layouts."""
    tables = {layout.table.name: layout.table for layout in layouts}
    return replace(probe, output=output, layouts=tuple(layouts), tables=tables)


def samples(run: read.Run, probe: str, nonce: str) -> Iterator[Iterator[Line]]:
    """Yield the lines of each host of a run directory that printed any, from its first MAX_SAMPLE bytes of output."""
    run = replace(run, notes=[])  # what cannot be read is noted when it is read for the report
    for host in sorted(run.hosts):
        with run.open_output(host, probe, MAX_SAMPLE) as stream:
            if stream is not None:
                reader = io.BufferedReader(stream)
                lines = printed_lines(nonce, reader, MAX_SAMPLE)
                first = next(lines, None)
                if first is not None:
                    yield _chained(first, lines)


def _chained(first: Line, rest: Iterator[Line]) -> Iterator[Line]:
    yield first
    yield from rest
