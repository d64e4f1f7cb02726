# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the report of a run directory, and what later sweeps compare with."""

from __future__ import annotations

from pathlib import Path

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
