# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag report`: from run directories to the report on the terminal, its files, and the command's exit code."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import references
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import registry as renderers
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.format import Format
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as core_report
from fleetdiag.cli import options
from fleetdiag.run.progress import steps_teller
from fleetdiag.run.report import PLAINLY, SEVERE, exit_code, print_encoded, print_places, print_text, render

EXIT_CODES = """exit codes:
  0    all hosts were probed, and every weight is known to be given back (else 3)
  2    bad input, or the sweep could not start
  3    not all hosts were probed, or the files of the report could not be written
  4    something as severe as --fail-on says was found (also if not all hosts were probed)
  130  interrupted; the report of what was there is made
"""
STDOUT = "-"


# --- what sweep and report share ---


def add_fail_on(parser: argparse.ArgumentParser) -> None:
    """Add `--fail-on SEVERITY`."""
    parser.add_argument(
        "--fail-on",
        choices=sorted(SEVERE),
        default="",
        metavar="SEVERITY",
        help="end with exit code 4 if a finding of this severity or worse is in the report: warning or critical"
        " (default: findings do not change the exit code)",
    )


# --- the command ---


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `fleetdiag report`."""
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
    """Return a line of help: what every sweep makes."""
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
        report = core_report.build(directories, tell=steps_teller(PLAINLY))
        print_encoded(item.text(report) if item.text else "")
        return exit_code(report, args.fail_on)
    folder = _folder(directories, args.output)
    if not args.formats and not args.output:
        return render(folder, args.fail_on)
    report = core_report.build(directories, tell=steps_teller(PLAINLY))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = renderers.write(report, folder, wanted)
    if not args.formats:
        print_text(report)
    print_places(folder, written)
    return exit_code(report, args.fail_on)


def _one_text(wanted: Sequence[Format], asked: bool) -> Format:
    """Return the format to print; without --format that of the terminal."""
    if not asked:
        return renderers.chosen(["txt"])[0]
    if len(wanted) != 1 or wanted[0].text is None:
        possible = ", ".join(item.name for item in renderers.formats().values() if item.text is not None)
        raise FleetdiagError(f"-o -: only one format that is a single text can be printed: {possible}")
    return wanted[0]


def _folder(directories: Sequence[Path], output: str) -> Path:
    """Return where the files go."""
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
