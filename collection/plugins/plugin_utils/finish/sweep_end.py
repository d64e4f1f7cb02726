# SPDX-License-Identifier: GPL-3.0-or-later
"""End a sweep: write its report, show it, take the run into the index, and tell whoever wants to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError, no_report
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import index
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import publish
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import Report

Written = Mapping[str, Sequence[str]]
"""Names of the files that were written, by format."""
Step = Callable[[Path, Report], str]
"""What follows a sweep (a notification, a page): gets what sweep_finished gets, returns "" or a sentence of trouble."""


def sweep_finished(
    run_dir: Path,
    report: Report,
    show: Callable[[Written], None],
    tell: Callable[[str], None],
    steps: Sequence[Step] = (),
) -> bool:
    """Write the report into `run_dir`, show it, index the run, take each step; return whether it was written.

    show: gets the names of the files. tell: gets one sentence for each thing that did not work. What was collected
    is kept in any case, so neither a full disk nor a damaged index is an error, and both leave the steps to be taken.
    """
    written: Written | None = None
    try:
        written = publish.write(run_dir, report)
    except (FleetdiagError, OSError) as error:
        tell(no_report(error, [Path(run.path) for run in report.runs]))
    try:
        if written is not None:
            show(written)
    finally:  # nobody may read what is shown (`| head`); receivers are told all the same
        for step in (*([] if written is None else [_index]), *steps):
            if trouble := step(run_dir, report):
                tell(trouble)
    return written is not None


def _index(run_dir: Path, _report: Report) -> str:
    return index.refresh(run_dir.absolute().parent)
