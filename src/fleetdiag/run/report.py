# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the report of a sweep on the terminal and on disk, and the exit code of the command."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError, no_report
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import index, news
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import publish
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import registry as renderers
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as core_report
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import model

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


def render(run_dir: Path, fail_on: str = "") -> int:
    """Build the report of a run directory, print it, write what every sweep makes; the exit code.

    Errors: FleetdiagError where there is nothing to build it from.
    """
    report = core_report.build(run_dir)
    print_text(report)
    return _write(report, run_dir, lambda: publish.write(run_dir, report), [run_dir], fail_on)


def render_together(run_dirs: Sequence[Path], fail_on: str = "") -> int:
    """The same of the shards of one sweep. The report is in a folder beside them, named for the first of them."""
    report = core_report.build(run_dirs)
    print_text(report)
    folder = run_dirs[0].with_name(f"{run_dirs[0].name}_shards")

    def write() -> dict[str, list[str]]:
        folder.mkdir(mode=0o700, exist_ok=True)
        written = renderers.write(report, folder, renderers.chosen([]))
        publish.keep_figures(report)
        return written

    return _write(report, folder, write, run_dirs, fail_on)


def sweep_finished(run_dir: Path, report: model.Report) -> None:
    """Do what follows a report that was written: say what is new, and take the run into the index.

    Trouble with the index is one sentence, and no error.
    """
    headline = news.headline(report.news) if report.runs and report.runs[0].name else ""
    if headline:
        print(f"\nsince the sweep before: {printable(headline)}")
    trouble = index.refresh(run_dir.absolute().parent)
    if trouble:
        sys.stdout.flush()
        print(f"fleetdiag: {printable(trouble)}", file=sys.stderr)


def _write(
    report: model.Report,
    folder: Path,
    write: Callable[[], Mapping[str, Sequence[str]]],
    run_dirs: Sequence[Path],
    fail_on: str,
) -> int:
    """Write the files and print where they are. A disk without room does not take back what was collected."""
    code = exit_code(report, fail_on)
    try:
        print_places(folder, write())
        sweep_finished(run_dirs[0], report)
    except (FleetdiagError, OSError) as error:
        # What was shown comes first where both streams are one file.
        sys.stdout.flush()
        print(f"fleetdiag: {printable(no_report(error, run_dirs))}", file=sys.stderr)
        return code or EXIT_INCOMPLETE
    return code


def print_text(report: model.Report) -> None:
    text = renderers.chosen(["txt"])[0].text
    print_encoded(text(report) if text else "")


def print_encoded(text: str) -> None:
    """Also on a terminal whose encoding has not all the characters."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


def print_places(folder: Path, written: Mapping[str, Sequence[str]]) -> None:
    """Where the files are, one path per line, there to be copied; of several in a folder, the folder."""
    print()
    for name, files in written.items():
        if not files:
            print(f"{name}: there is nothing for it in this report")
        elif len(files) == 1:
            print(printable(str(folder / files[0])))
        else:
            print(printable(str((folder / files[0]).parent)) + "/")
