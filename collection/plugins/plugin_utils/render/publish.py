# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the report of a run directory, and what later sweeps compare with."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import (
    figures_file,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import registry
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import Report
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import history


def write(run_path: Path, report: Report) -> dict[str, list[str]]:
    """Write what every sweep makes into the run directory, each file whole or not at all; their names by format.

    Beside them what later sweeps take from this one, and, once only, what is new since earlier ones (see history).
    """
    written = registry.write(report, run_path)
    history.keep(run_path, report.figures, report.news)
    return written


def keep_figures(report: Report) -> None:
    """Write what later sweeps take from the runs of this report, each of its own hosts, into their directories."""
    evidence = [probe.evidence for probe in report.probes]
    kernels = {row.host: row.kernel for row in report.coverage}
    for info in report.runs:
        hosts = [host for host, home in report.homes.items() if home == info.id]
        figures = figures_file.figures_of(
            evidence, hosts, peers=report.peers, kernels=kernels, hashes=info.hashes
        )
        history.keep(Path(info.path), figures, {})
