# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenMetrics for the textfile collector: when each named sweep last ended, how, and what is open."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from fleetdiag.config import Config
from fleetdiag.notify import summary
from fleetdiag.notify.summary import Summary
from fleetdiag.schedule import clock

SEVERITIES = ("critical", "warning", "info")
STATUSES = (summary.FINE, summary.FINDINGS, summary.INCOMPLETE, summary.SKIPPED, summary.MISSED)
FAMILIES = {
    "fleetdiag_sweep_last_end_timestamp_seconds": "When the last sweep of this name ended, since 1970.",
    "fleetdiag_sweep_next_timestamp_seconds": "When the next sweep of this name is due, since 1970.",
    "fleetdiag_sweep_last_status": "How the last slot of this name ended: 1 for the status it has.",
    "fleetdiag_sweep_slots": "Slots of the last seven days by how they ended.",
    "fleetdiag_sweep_hosts": "Hosts of the last sweep of this name by how well they were probed.",
    "fleetdiag_sweep_open_findings": "Findings that are open, by severity.",
}
"""Every metric that is written, with its meaning. All are gauges with the label `sweep`."""


def write(config: Config, path: Path, now: float) -> None:
    """Write the file, whole or not at all, readable for the collector."""
    text = render([summary.of(sweep, now) for sweep in config.sweeps.values()], now)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as new:
        new.write(text)
    os.chmod(new.name, 0o644)
    os.replace(new.name, path)


def render(sweeps: Sequence[Summary], now: float) -> str:
    """Return the text, ending with `# EOF`."""
    lines = []
    for family, about in FAMILIES.items():
        samples = [line for sweep in sweeps for line in _samples(family, sweep, now)]
        if samples:
            lines += [f"# TYPE {family} gauge", f"# HELP {family} {about}", *samples]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _samples(family: str, sweep: Summary, now: float) -> Iterator[str]:
    """Yield the samples of a sweep. Its name is of letters that need no escape; so are the other labels."""
    name = f'{family}{{sweep="{sweep.name}"'
    if family == "fleetdiag_sweep_last_end_timestamp_seconds":
        if sweep.ended:
            yield f"{name}}} {sweep.ended:.0f}"
    elif family == "fleetdiag_sweep_next_timestamp_seconds":
        if sweep.following is not None:
            yield f"{name}}} {sweep.following:.0f}"
    elif family == "fleetdiag_sweep_last_status":
        for status in STATUSES if sweep.marks else ():
            yield f'{name},status="{status}"}} {int(sweep.marks[-1].status == status)}'
    elif family == "fleetdiag_sweep_slots":
        counts = sweep.counts(clock.iso(now - clock.WEEK_S))
        for status in STATUSES:
            yield f'{name},status="{status}"}} {counts[status]}'
    elif family == "fleetdiag_sweep_hosts":
        states = list(summary.coverage(sweep.last).values())
        for state in sorted({"probed", *states} & set(summary.HOST_STATES)):
            yield f'{name},status="{state}"}} {states.count(state)}'
    else:
        found = [str(item.get("severity")) for item in sweep.open()]
        for severity in SEVERITIES:
            yield f'{name},severity="{severity}"}} {found.count(severity)}'
