# SPDX-License-Identifier: GPL-3.0-or-later
"""The conditions of the run: kernels, clocks, and what the probes cost."""

from __future__ import annotations

from statistics import median

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import cost
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import values as cells
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.grids import Grid, named
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import tops
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.values import Cell, Head
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.coverage import HostCoverage
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import ProbeReport, Report


def systems(report: Report) -> Grid:
    """Return the kernels, and what ran on them."""
    groups: dict[tuple[str, str, str], list[HostCoverage]] = {}
    for row in report.coverage:
        groups.setdefault((row.kernel, row.distribution, row.staprun), []).append(row)
    rows = [
        [
            *(cells.text(part or cells.NOTHING) for part in group),
            Cell(cells.amount(len(found))),
            Cell(named([row.host for row in found])),
        ]
        for group, found in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    heads = [
        Head("Kernel"),
        Head("Distribution"),
        Head("staprun"),
        Head("Hosts", numeric=True),
        Head("Which"),
    ]
    return Grid("Kernels of the hosts", heads, rows)


def clocks(report: Report) -> list[tuple[str, str]]:
    """Return how well the hosts looked at the same moment."""
    offsets = [row.clock_offset_s for row in report.coverage if row.clock_offset_s is not None]
    errors = [row.clock_error_s for row in report.coverage if row.clock_error_s is not None]
    late = [row.late_s for row in report.coverage if row.late_s is not None]
    facts: list[tuple[str, str]] = []
    if offsets:
        facts.append(("Clock offsets", f"{min(offsets):+.3f} to {max(offsets):+.3f} s"))
    if errors:
        facts.append(("Known to", f"± {max(errors):.3f} s"))
    if late:
        facts.append(("Latest start", f"{max(late):.1f} s"))
    return facts


def costs(report: Report) -> Grid | None:
    """Return what each probe cost in this run, and what it was measured to cost."""
    if not report.probes:
        return None
    figures = ("CPU of a session (median)", "(most)", "Hits", "Records", "Hosts with losses")
    heads = [
        Head("Probe"),
        Head("Cost"),
        *(Head(title, numeric=True) for title in figures),
        Head("Measured before"),
    ]
    return Grid("What the probes cost", heads, [_cost(probe) for probe in report.probes])


def _cost(probe: ProbeReport) -> list[Cell]:
    spent = [session.cpu_s for session in probe.sessions.values() if session.cpu_s is not None]
    hits = [session.hits for session in probe.sessions.values() if session.hits is not None]
    return [
        Cell(tops.named(probe)),
        cells.text(probe.cost),
        Cell(cells.shown("duration", median(spent) if spent else None)),
        Cell(cells.shown("duration", max(spent) if spent else None)),
        Cell(cells.amount(sum(hits)) if hits else cells.NOTHING),
        Cell(cells.amount(sum(session.rows for session in probe.sessions.values()))),
        Cell(cells.amount(sum(bool(probe.mark(host)) for host in probe.sampled))),
        cells.text(cost.sentence(probe.overhead) or cells.NOTHING),
    ]
