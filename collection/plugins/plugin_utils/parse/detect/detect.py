# SPDX-License-Identifier: GPL-3.0-or-later
"""From a probe whose output has an unknown form to one whose form is known, as its run directories tell.

The first host that printed something with a form decides for all of them, so that they can be compared.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect import infer
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.session import printed_lines
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Layout, Output, Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read

MAX_SAMPLE = 4 * 1024 * 1024
MAX_HOSTS = 8
"""Hosts that are looked at before an output is taken for text."""


def settled(probe: Probe, script: str, samples: Iterable[Iterable[infer.Line]]) -> Probe:
    """The probe with output form and tables. samples: what it printed, host by host; script: its text, if known."""
    # A script that never deletes an array prints the same counts again and again, ever higher.
    resets = not script or re.search(r"\bdelete\b", script) is not None
    found = infer.Inferred()
    for sample in islice(samples, MAX_HOSTS):
        found = infer.infer(sample, resets=resets)
        if found.output != "text":
            break
    return with_layouts(probe, found.output, found.layouts)


def with_layouts(probe: Probe, output: Output, layouts: Sequence[Layout]) -> Probe:
    """The probe as if its manifest had said this."""
    tables = {layout.table.name: layout.table for layout in layouts}
    return replace(probe, output=output, layouts=tuple(layouts), tables=tables)


def samples(run: read.Run, probe: str, nonce: str) -> Iterator[Iterator[infer.Line]]:
    """What the hosts of one run directory printed, the first MAX_SAMPLE bytes of each that printed anything."""
    run = replace(run, notes=[])  # what cannot be read is noted when it is read for the report
    for host in sorted(run.hosts):
        with run.open_output(host, probe, MAX_SAMPLE) as stream:
            if stream is not None:
                reader = io.BufferedReader(stream)
                lines = printed_lines(nonce, reader, MAX_SAMPLE)
                first = next(lines, None)
                if first is not None:
                    yield _chained(first, lines)


def _chained(first: infer.Line, rest: Iterator[infer.Line]) -> Iterator[infer.Line]:
    yield first
    yield from rest
