# SPDX-License-Identifier: GPL-3.0-or-later
"""report.prom: a few figures per host for a monitoring system, as OpenMetrics text.

Totals of each measure by host, never single rows: what a process is called must not become a series. All metrics are
gauges, so that the text is the older Prometheus form as well, and fits node_exporter's textfile directory.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.quantities import MEASURED
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import results
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Value
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.format import one_file
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.coverage import STATUSES
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import ProbeReport, Report

SEVERITIES = ("critical", "warning", "info")
_UNITS = {kind.shown: kind.metric for kind in MEASURED.values()}
# Endings that say something of a metric's kind, and words for the time a series began.
_RESERVED = re.compile(r"_(total|created|bucket|count|sum|info|gcount|gsum)$")


@dataclass
class _Family:
    """One metric: its samples by label set."""

    name: str
    about: str
    unit: str = ""
    samples: list[tuple[Mapping[str, str], float]] = field(default_factory=list)


def render(report: Report) -> str:
    """Return the whole text, ending with `# EOF`."""
    families = [*_sweep(report), *_sessions(report), *_measures(report)]
    lines = [line for family in families if family.samples for line in _shown(family)]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _shown(family: _Family) -> Iterator[str]:
    yield f"# TYPE {family.name} gauge"
    if family.unit:
        yield f"# UNIT {family.name} {family.unit}"
    yield f"# HELP {family.name} {_escaped(family.about)}"
    for labels, value in family.samples:
        pairs = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
        yield f"{family.name}{{{pairs}}} {_number(value)}" if pairs else f"{family.name} {_number(value)}"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(float(value))


def _escaped(text: str) -> str:
    """Return a label's value: quotes, backslashes and newlines as the form wants them, all else safe to show."""
    lines = (printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in text.split("\n"))
    return "\\n".join(lines)


# --- the sweep ---


def _sweep(report: Report) -> Iterator[_Family]:
    starts = [run.start for run in report.runs if run.start is not None]
    start = _Family(
        "fleetdiag_window_start_seconds", "When the window of the sweep began, since 1970.", "seconds"
    )
    start.samples = [({}, min(starts))] if starts else []
    yield start
    hosts = _Family("fleetdiag_hosts", "Hosts of the sweep by how well they were probed.")
    hosts.samples = [({"status": status}, report.counts.get(status, 0)) for status in STATUSES]
    yield hosts
    status = _Family("fleetdiag_host_status", "How well a host was probed: 1 for the status it has.")
    status.samples = [({"host": row.host, "status": row.status}, 1) for row in report.coverage]
    yield status
    found = _Family("fleetdiag_findings", "What the report found, by severity.")
    severities: list[str] = [finding.severity for finding in report.findings]
    found.samples = [({"severity": severity}, severities.count(severity)) for severity in SEVERITIES]
    yield found
    by_host = _Family("fleetdiag_host_findings", "What the report found of a host, by severity.")
    counts: dict[tuple[str, str], int] = {
        (row.host, severity): 0 for row in report.coverage for severity in SEVERITIES
    }
    for finding in report.all_findings:
        place = (finding.host, finding.severity)
        counts[place] = counts.get(place, 0) + 1
    by_host.samples = [({"host": host, "severity": level}, count) for (host, level), count in counts.items()]
    yield by_host


# --- sessions ---


def _sessions(report: Report) -> Iterator[_Family]:
    def family(
        name: str, about: str, unit: str, values: Iterable[tuple[Mapping[str, str], float | None]]
    ) -> _Family:
        known = [(labels, value) for labels, value in values if value is not None and math.isfinite(value)]
        return _Family(name, about, unit, known)

    sessions = [
        ({"host": row.host, "probe": name}, session)
        for row in report.coverage
        for name, session in row.sessions.items()
    ]
    yield family(
        "fleetdiag_session_sampled",
        "1 if the probe has sampled on this host.",
        "",
        ((labels, int(session.has_data)) for labels, session in sessions),
    )
    yield family(
        "fleetdiag_session_sampled_seconds",
        "How long the probe has sampled.",
        "seconds",
        ((labels, session.sampled_s) for labels, session in sessions),
    )
    yield family(
        "fleetdiag_session_cpu_seconds",
        "Processor time of the session's own process.",
        "seconds",
        ((labels, session.cpu_s) for labels, session in sessions),
    )
    yield family(
        "fleetdiag_session_records",
        "Records that the probe has printed.",
        "",
        ((labels, session.rows) for labels, session in sessions if session.has_data),
    )
    yield family(
        "fleetdiag_session_losses",
        "What makes the session's figures too low: how many, or 1 where that cannot be counted.",
        "",
        (
            ({**labels, "kind": loss.kind}, max(1, loss.count))
            for labels, session in sessions
            for loss in session.losses
        ),
    )


# --- measures ---


def _measures(report: Report) -> Iterator[_Family]:
    taken: set[str] = set()
    for probe in report.probes:
        for merged in probe.tables:
            for place, column in enumerate(merged.table.measures):
                yield _measure(probe, merged, place, column, taken)


def _measure(
    probe: ProbeReport, merged: results.MergedTable, place: int, column: Column, taken: set[str]
) -> _Family:
    """Return the total of each host, as the measure folds: a sum, a maximum, a mean."""
    unit = _UNITS.get(column.shown_unit, "")
    family = _Family(
        _metric(probe.name, merged.table.name, column.name, unit, taken), column.description, unit
    )
    for host in sorted(merged.hosts, key=lambda host: host.host):
        value = _figure(host.total.values[place])
        if value is not None:
            family.samples.append(({"host": host.host}, value))
    return family


def _figure(value: Value | None) -> float | None:
    if value is None or isinstance(value, str) or not math.isfinite(value):
        return None
    return int(value) if isinstance(value, bool) else value


def _metric(probe: str, table: str, measure: str, unit: str, taken: set[str]) -> str:
    """Return `fleetdiag_slow_open_files_seconds`; ends with its unit, and says nothing of a kind that it is not."""
    name = f"fleetdiag_{probe}_{table}_{measure}"
    if _RESERVED.search(name):
        name += "_value"
    if unit and not name.endswith(f"_{unit}"):
        name += f"_{unit}"
    while name in taken:
        name = f"{name.removesuffix(f'_{unit}')}_2" + (f"_{unit}" if unit else "")
    taken.add(name)
    return name


FORMAT = one_file("openmetrics", "report.prom", "totals per host, for a monitoring system", render)
