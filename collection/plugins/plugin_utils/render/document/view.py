# SPDX-License-Identifier: GPL-3.0-or-later
"""What the terminal and a ticket show, as grids of cells: which rows, in which order, with which remarks.

The renderers decide only how it looks. All texts in a grid are safe to show.
"""

from __future__ import annotations

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import cost
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.calls import call_grids
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.grids import (
    FAILED,
    DisplayLimits,
    Grid,
    Lines,
    Section,
    named,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.head import BUILD_LINES
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.lines import lines_of
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.tables import table_grids
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import (
    ProbeReport,
)

# --- one probe ---


def section(probe: ProbeReport, most: DisplayLimits) -> Section:
    """Return all that a document says of one probe."""
    grids: list[Grid] = []
    for table in probe.tables:
        grids.extend(table_grids(probe, table, most))
    grids.extend(call_grids(probe, most))
    return Section(
        name=printable(probe.title or probe.name),
        question=printable(probe.question),
        description=printable(probe.description),
        facts=facts(probe),
        grids=grids,
        lines=lines_of(probe, most),
        failures=failures(probe),
        warnings=warnings(probe),
    )


def facts(probe: ProbeReport) -> list[tuple[str, str]]:
    sampled = probe.sampled
    lossy = sum(bool(probe.mark(host)) for host in sampled)
    on = f"{len(sampled)} of {plural(len(probe.sessions), 'host')}"
    if lossy:
        on += f", {lossy} with losses"
    facts = [("Sampled on", on)]
    records = sum(session.rows for session in probe.sessions.values())
    if probe.tables:
        facts.append(("Records", f"{records:,}"))
    hits = [session.hits for session in probe.sessions.values() if session.hits is not None]
    if hits:
        facts.append(("Hits", f"{sum(hits):,}"))
    facts.append(("Cost", printable(probe.cost)))
    if measured := cost.sentence(probe.overhead):
        facts.append(("Measured before", printable(measured)))
    spent = [session.cpu_s for session in probe.sessions.values() if session.cpu_s is not None]
    if spent:
        facts.append(("CPU of a session", f"{max(spent):.2f} s at most"))
    facts.extend((printable(name), printable(str(value))) for name, value in probe.parameters.items())
    return facts


def warnings(probe: ProbeReport) -> list[str]:
    """Return what went wrong for this probe, each remark once with the hosts it concerns."""
    said: dict[str, list[str]] = {}
    samples: dict[str, str] = {}
    for host, session in sorted(probe.sessions.items()):
        if session.error and session.status in FAILED:
            said.setdefault(FAILED[session.status] + session.error, []).append(host)
        for text in session.warnings:
            said.setdefault(f"SystemTap said: {text}", []).append(host)
        for why, sample in dict(_why(text) for text in reversed(session.rejected)).items():
            samples.setdefault(why, sample)
            said.setdefault(why, []).append(host)
        for text in session.notes:
            said.setdefault(text, []).append(host)
    return [
        f"{named(hosts)}: {printable(text[:500])}" + printable(samples.get(text, ""))
        for text, hosts in said.items()
    ]


def _why(rejected: str) -> tuple[str, str]:
    """Return why a line was not taken, and the line."""
    why, _unused, sample = rejected.partition(": ")
    return f"lines not taken: {why}", f", for instance {sample}" if sample else ""


def failures(probe: ProbeReport) -> list[Lines]:
    """Return SystemTap's own messages for the kernels this probe could not be built for."""
    failures = []
    for item in probe.not_built:
        where = named(item.hosts) if item.hosts else "no host of this sweep"
        lines = item.error.splitlines()
        shown = [printable(line.expandtabs(8)) for line in lines[:BUILD_LINES]]
        title = f"Not built for kernel {printable(item.kernel)} ({where})"
        failures.append(Lines(title, shown, len(lines) - len(shown)))
    return failures
