# SPDX-License-Identifier: GPL-3.0-or-later
"""Every record of every session, read again from the run directories, for the formats that hold all of them.

Nothing is kept: a session is read when it is asked for, from its beginning to its end.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect import settle
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.session import parse_session
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.timestamps import LineClock
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import ProbeReport, Report
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.sessions import OUTPUT_FACTOR
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.read import Run, open_run

Read = Callable[[], Iterator[Row]]


def sessions(report: Report, probe: ProbeReport) -> Iterator[tuple[str, Read]]:
    """Return the hosts that gave data, by name, and for each what reads its rows.

    Of output form `text` each line is a row of no table, with the time of the line.
    """
    places = dict(_places(report, probe))
    for host in probe.sampled:
        place = places.get(host)
        if place is not None:
            yield host, place.read


@dataclass(frozen=True)
class _Session:
    """Where one session's output is, and what is needed to read it."""

    run: Run
    host: str
    probe: Probe
    nonce: str
    length_ms: float

    def read(self) -> Iterator[Row]:
        limit = OUTPUT_FACTOR * self.probe.limits.output_mb * 1024 * 1024
        with self.run.open_output(self.host, self.probe.name, limit) as stream:
            if stream is None:
                return
            reader = io.BufferedReader(stream)
            session = parse_session(self.probe, self.nonce, reader, limit + 1, lines_as_rows=True)
            clock: LineClock | None = None
            for row in session:
                if self.probe.form.lines:
                    clock = clock or LineClock(session.result.window_ms, self.length_ms)
                    row = row._replace(t_ms=clock.time(str(row.values[0]), row.t_ms))
                yield row


def _places(report: Report, section: ProbeReport) -> Iterator[tuple[str, _Session]]:
    name = section.name
    for info in report.runs:
        run = open_run(Path(info.path))
        entry = next((one for one in run.request.probes if one.name == name), None)
        if entry is None:  # of one that could not be read there is no report
            continue
        try:
            probe = catalog.probe_from_manifest(name, entry.manifest)
        except (FleetdiagError, AttributeError):
            continue  # a note of the report says so; another run directory has a manifest that can be read
        if probe.output == "auto":  # the report knows by now
            probe = settle.with_layouts(probe, section.output, section.layouts)
        for host in run.hosts:
            yield host, _Session(run, host, probe, entry.nonce, info.window_s * 1000)
