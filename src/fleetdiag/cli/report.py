# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag report`: from run directories to the report on the terminal, its files, and the command's exit code."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError, no_report
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import index, news, references
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import registry as renderers
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.format import Format
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as core_report
from fleetdiag.cli import options
from fleetdiag.cli.exit_codes import EXIT_FOUND, EXIT_INCOMPLETE, EXIT_OK

EXIT_CODES = """exit codes:
  0    all hosts were probed, and every weight is known to be given back (else 3)
  2    bad input, or the sweep could not start
  3    not all hosts were probed, or the files of the report could not be written
  4    something as severe as --fail-on says was found (also if not all hosts were probed)
  130  interrupted; the report of what was there is made
"""
STDOUT = "-"

# A degraded host was probed: it has data, with what was lost said beside it.
_PROBED = frozenset({"probed", "degraded"})
# By --fail-on, the severities that count.
_SEVERE = {"critical": ("critical",), "warning": ("critical", "warning")}


# --- what sweep and report share ---


def add_fail_on(parser: argparse.ArgumentParser) -> None:
    """`--fail-on SEVERITY`."""
    parser.add_argument(
        "--fail-on",
        choices=sorted(_SEVERE),
        default="",
        metavar="SEVERITY",
        help="end with exit code 4 if a finding of this severity or worse is in the report: warning or critical"
        " (default: findings do not change the exit code)",
    )


def exit_code(report: core_report.Report, fail_on: str = "") -> int:
    """Return 4 for findings as severe as `fail_on`, else 3 for hosts not probed or weights not given back, else 0."""
    if any(finding.severity in _SEVERE.get(fail_on, ()) for finding in report.findings):
        return EXIT_FOUND
    if any(told.alarms for told in report.traffic):
        return EXIT_INCOMPLETE
    return EXIT_OK if all(host.status in _PROBED for host in report.coverage) else EXIT_INCOMPLETE


def render(run_dir: Path, fail_on: str = "") -> int:
    """Build the report of a run directory, print it, write what every sweep makes; the exit code.

    Errors: FleetdiagError where there is nothing to build it from.
    """
    report = core_report.build(run_dir)
    _print_text(report)
    return _write(report, run_dir, lambda: core_report.write(run_dir, report), [run_dir], fail_on)


def render_together(run_dirs: Sequence[Path], fail_on: str = "") -> int:
    """The same of the shards of one sweep. The report is in a folder beside them, named for the first of them."""
    report = core_report.build(run_dirs)
    _print_text(report)
    folder = run_dirs[0].with_name(f"{run_dirs[0].name}_shards")

    def write() -> dict[str, list[str]]:
        folder.mkdir(mode=0o700, exist_ok=True)
        written = renderers.write(report, folder, renderers.chosen([]))
        core_report.keep_figures(report)
        return written

    return _write(report, folder, write, run_dirs, fail_on)


def sweep_finished(run_dir: Path, report: core_report.Report) -> None:
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
    report: core_report.Report,
    folder: Path,
    write: Callable[[], Mapping[str, Sequence[str]]],
    run_dirs: Sequence[Path],
    fail_on: str,
) -> int:
    """Write the files and print where they are. A disk without room does not take back what was collected."""
    code = exit_code(report, fail_on)
    try:
        _print_places(folder, write())
        sweep_finished(run_dirs[0], report)
    except (FleetdiagError, OSError) as error:
        # What was shown comes first where both streams are one file.
        sys.stdout.flush()
        print(f"fleetdiag: {printable(no_report(error, run_dirs))}", file=sys.stderr)
        return code or EXIT_INCOMPLETE
    return code


# --- the command ---


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`fleetdiag report`."""
    parser = commands.add_parser(
        "report",
        help="make the report of one or more run directories again",
        description="Make the report of a run directory again, also of a sweep that was interrupted, or one report of"
        " several run directories of different hosts.",
        epilog=f"{_formats_help()}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    options.add_run(parser, "a sweep, several make one report", nargs="+", name="runs")
    add(
        "--format",
        action="append",
        default=[],
        metavar="FORMAT",
        dest="formats",
        help="make these only, and print where they are: md, csv, ... (see below), several with commas, or all",
    )
    add(
        "-o",
        "--output",
        default="",
        metavar="OUT",
        help="directory for the files (default: the run directory; needed for several); '-' prints a format that is"
        " one file of text",
    )
    add_fail_on(parser)
    parser.set_defaults(func=_run)


def made_by_sweep() -> str:
    """A line of help: what every sweep makes."""
    names = ", ".join(item.name for item in renderers.chosen([]))
    return f"the report is made as {names}; 'fleetdiag report RUN --format' makes others"


def _formats_help() -> str:
    known = list(renderers.formats().values())
    width = max(len(item.name) for item in known)
    lines = [f"  {item.name:{width}}  {item.about}{'' if item.by_default else ' *'}" for item in known]
    return "\n".join(["formats (* made only when asked for, the others by every sweep):", *lines, ""])


def _run(args: argparse.Namespace) -> int:
    place = options.runs_dir(args)
    directories = [references.resolve(word, place) for word in args.runs]
    wanted = renderers.chosen([word for words in args.formats for word in re.split(r"[,|]", words)])
    if args.output == STDOUT:
        item = _one_text(wanted, bool(args.formats))
        report = core_report.build(directories)
        _print(item.text(report) if item.text else "")
        return exit_code(report, args.fail_on)
    folder = _folder(directories, args.output)
    report = core_report.build(directories)
    if not args.formats and not args.output:
        written = core_report.write(folder, report)
        sweep_finished(directories[0], report)
    else:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = renderers.write(report, folder, wanted)
    if not args.formats:
        _print_text(report)
    _print_places(folder, written)
    return exit_code(report, args.fail_on)


def _one_text(wanted: Sequence[Format], asked: bool) -> Format:
    """The format to print; without --format that of the terminal."""
    if not asked:
        return renderers.chosen(["txt"])[0]
    if len(wanted) != 1 or wanted[0].text is None:
        possible = ", ".join(item.name for item in renderers.formats().values() if item.text is not None)
        raise FleetdiagError(f"-o -: only one format that is a single text can be printed: {possible}")
    return wanted[0]


def _folder(directories: Sequence[Path], output: str) -> Path:
    """Where the files go."""
    if not output:
        if len(directories) > 1:
            raise FleetdiagError(
                "several run directories make one report: say where its files go with -o OUT"
            )
        return directories[0]
    folder = Path(os.path.expanduser(output))
    if folder.exists() and not folder.is_dir():
        raise FleetdiagError(f"-o {output}: is not a directory; name one for the report's files")
    own = len(directories) == 1 and folder.exists() and folder.samefile(directories[0])
    if (folder / "sweep.json").exists() and not own:
        raise FleetdiagError(
            f"-o {output}: is the run directory of a sweep, whose own report is there; name another"
        )
    return folder


# --- the terminal ---


def _print_text(report: core_report.Report) -> None:
    text = renderers.chosen(["txt"])[0].text
    _print(text(report) if text else "")


def _print(text: str) -> None:
    """Also on a terminal whose encoding has not all the characters."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _print_places(folder: Path, written: Mapping[str, Sequence[str]]) -> None:
    """Where the files are, one path per line, there to be copied; of several in a folder, the folder."""
    print()
    for name, files in written.items():
        if not files:
            print(f"{name}: there is nothing for it in this report")
        elif len(files) == 1:
            print(printable(str(folder / files[0])))
        else:
            print(printable(str((folder / files[0]).parent)) + "/")
