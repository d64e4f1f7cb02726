# SPDX-License-Identifier: GPL-3.0-or-later
"""From a run directory to the report on the terminal and the command's exit code."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils import report as core_report
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.errors import FleetdiagError

EXIT_OK = 0
EXIT_NOT_STARTED = 2
EXIT_INCOMPLETE = 3
EXIT_INTERRUPTED = 130

# A degraded host was probed: it has data, with what was lost said beside it.
_PROBED = frozenset({"probed", "degraded"})


def render(run_dir: Path) -> core_report.Report:
    """Build the report of a run directory, write its three files, print the text. Errors: FleetdiagError."""
    report = core_report.build(run_dir)
    core_report.write(run_dir, report)
    text, page = run_dir / "report.txt", run_dir / "report.html"
    for path in (text, page):
        if not path.is_file() or not path.stat().st_size:
            raise FleetdiagError(
                f"{path}: was not written; free space there, then 'fleetdiag report {run_dir}'"
            )
    sys.stdout.write(text.read_text(encoding="utf-8"))
    return report


def exit_code(report: core_report.Report) -> int:
    """0 when every host was probed, 3 when one was not."""
    return EXIT_OK if all(host.status in _PROBED for host in report.coverage) else EXIT_INCOMPLETE
