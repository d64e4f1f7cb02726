# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the report of a sweep on the terminal and on disk, and the exit code of the command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.finish.sweep_end import (
    Step,
    Written,
    sweep_finished,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import news
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import registry as renderers
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as core_report
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import model
from fleetdiag.run.progress import Look, steps_teller

PLAINLY = Look()
EXIT_OK = 0
EXIT_NOT_STARTED = 2
EXIT_INCOMPLETE = 3
EXIT_FOUND = 4
EXIT_INTERRUPTED = 130
# A degraded host was probed: it has data, with what was lost said beside it.
_PROBED = frozenset({"probed", "degraded"})
# By --fail-on, the severities that count.
SEVERE = {"critical": ("critical",), "warning": ("critical", "warning")}


def exit_code(report: model.Report, fail_on: str = "") -> int:
    """Return 4 for findings as severe as `fail_on`, else 3 for hosts not probed or weights not given back, else 0."""
    if any(finding.severity in SEVERE.get(fail_on, ()) for finding in report.findings):
        return EXIT_FOUND
    if any(told.alarms for told in report.traffic):
        return EXIT_INCOMPLETE
    return EXIT_OK if all(host.status in _PROBED for host in report.coverage) else EXIT_INCOMPLETE


def render(run_dir: Path, fail_on: str = "", steps: Sequence[Step] = (), look: Look = PLAINLY) -> int:
    """Build the report of a run directory, print it, end the sweep with it; return the exit code.

    steps: what follows a sweep. look: how it is shown that something takes long. Raise FleetdiagError where there is
    nothing to build the report from.
    """
    return _end(run_dir, core_report.build(run_dir, tell=steps_teller(look)), fail_on, steps)


def render_together(
    run_dirs: Sequence[Path], fail_on: str = "", steps: Sequence[Step] = (), look: Look = PLAINLY
) -> int:
    """Do the same for the shards of one sweep: the report is in a folder beside them, named for the first of them."""
    folder = run_dirs[0].with_name(f"{run_dirs[0].name}_shards")
    return _end(folder, core_report.build(run_dirs, tell=steps_teller(look)), fail_on, steps)


def _end(run_dir: Path, report: model.Report, fail_on: str, steps: Sequence[Step]) -> int:
    """Print the report, then write it. A disk without room does not take back what was collected."""
    print_text(report)
    code = exit_code(report, fail_on)
    written = sweep_finished(run_dir, report, lambda files: _show(run_dir, report, files), _complain, steps)
    return code if written else code or EXIT_INCOMPLETE


def _show(run_dir: Path, report: model.Report, files: Written) -> None:
    """Print where the files are, and what is new since the sweep before."""
    print_places(run_dir, files)
    headline = news.headline(report.news) if report.runs and report.runs[0].name else ""
    if headline:
        print(f"\nsince the sweep before: {printable(headline)}")


def _complain(sentence: str) -> None:
    sys.stdout.flush()  # what was shown comes first where both streams are one file
    print(f"fleetdiag: {printable(sentence)}", file=sys.stderr)


def print_text(report: model.Report) -> None:
    """Print the report as the terminal shows it."""
    text = renderers.chosen(["txt"])[0].text
    print_encoded(text(report) if text else "")


def print_encoded(text: str) -> None:
    """Print, also on a terminal whose encoding has not all the characters."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


def print_places(folder: Path, written: Written) -> None:
    """Print where the files are, one path per line, ready to be copied; for several files in a folder, the folder."""
    print()
    for name, files in written.items():
        if not files:
            print(f"{name}: there is nothing for it in this report")
        elif len(files) == 1:
            print(printable(str(folder / files[0])))
        else:
            print(printable(str((folder / files[0]).parent)) + "/")
