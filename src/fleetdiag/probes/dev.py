# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag probes dev`: a sweep of one host with one probe, then its raw output beside what was read from it."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import phrases
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain, printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect import settle
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.explain import Line, explain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog, parameters
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Probe,
    Row,
    SessionResult,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import values as cells
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build, coverage, model
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.read import open_run
from fleetdiag.probes import folder_check, inferred
from fleetdiag.run import sweep
from fleetdiag.run.login import Login
from fleetdiag.run.report import EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_NOT_STARTED, EXIT_OK

WIDE = 110
"""Columns from which raw and parsed stand side by side."""

MORE_REJECTED = 20


@dataclass(frozen=True)
class Wish:
    """What was asked on the command line. parameters: `name=value`; lines: how many to show."""

    probe: Probe
    host: str
    inventory: Sequence[str]
    window: str = "5s"
    parameters: Sequence[str] = ()
    catalogs: Sequence[str] = ()
    lines: int = 100
    record: bool = False
    runs_dir: str = ""
    become: bool = True
    login: Login = field(default_factory=Login)
    extra_vars: Sequence[str] = ()
    verbosity: int = 0


@dataclass(frozen=True)
class Trial:
    """What came back. output: None if there is none. cover: the host's row of the coverage table."""

    run_dir: Path
    probe: Probe
    cover: coverage.HostCoverage
    nonce: str
    output: bytes | None
    builds: Sequence[model.Built] = ()


def run(wish: Wish) -> int:
    """Try the probe, show what came, perhaps record it; returns the exit code."""
    if wish.lines < 1:
        raise FleetdiagError(f"--lines {wish.lines}: is out of range; choose at least 1")
    request = request_of(wish)
    checked = sweep.check(request)
    if len(checked.hosts) != 1:
        raise FleetdiagError(
            f"--host {printable(wish.host)}: matches {len(checked.hosts)} hosts; name one of"
            f" {printable(', '.join(checked.hosts[:5]))}"
        )
    os.umask(0o077)
    outcome = sweep.carry_out(request, checked)
    if outcome.run_dir is None:
        return EXIT_INTERRUPTED
    trial = read(outcome.run_dir, checked.hosts[0])
    code = show(trial, wish.lines)
    if wish.record and trial.output is not None:
        print(
            f"\n{record(wish.probe, trial)}: recorded; look through it before you share it: it names"
            f" processes and files of {printable(trial.cover.host)}"
        )
    return EXIT_INTERRUPTED if outcome.interrupted else code


def request_of(wish: Wish) -> sweep.Request:
    """Return the sweep that tries the probe. A probe given by its folder has a catalog of its own: what holds it."""
    catalogs = list(wish.catalogs)
    folder = wish.probe.folder
    if folder is not None and folder.parent != catalog.shipped():
        catalogs.append(str(folder.parent))
    known = parameters.declared(wish.probe)
    return sweep.Request(
        inventory=wish.inventory,
        probes=[wish.probe.title],
        window=wish.window,
        limit=wish.host,
        parameters=[
            f"{wish.probe.name}.{text}" if text.partition("=")[0].strip() in known else text
            for text in wish.parameters
        ],
        catalogs=catalogs,
        runs_dir=wish.runs_dir,
        become=wish.become,
        login=wish.login,
        extra_vars=wish.extra_vars,
        verbosity=wish.verbosity,
    )


def read(run_dir: Path, host: str) -> Trial:
    """Return what the sweep of one probe left of `host` in its run directory."""
    opened = open_run(run_dir)
    entry = opened.request.probes[0]
    probe = catalog.probe_from_manifest(entry.name, entry.manifest)
    made = build.build(run_dir)
    for section in made.probes:
        if probe.output == "auto":  # the report has found out
            probe = settle.with_layouts(probe, section.output, section.layouts)
    limit = (probe.limits.output_mb + 1) << 20
    with opened.open_output(host, probe.name, limit) as stream:
        output = None if stream is None else stream.read()
    (cover,) = [row for row in made.coverage if row.host == host]
    builds = [built for built in made.builds if built.probe == probe.name and built.error]
    return Trial(run_dir, probe, cover, entry.nonce, output, builds)


# --- showing


def show(trial: Trial, most: int) -> int:
    """Print what came; returns the exit code: 2 for a fault of the probe, 3 if the host was not probed."""
    name, host = printable(trial.probe.title), printable(trial.cover.host)
    session = trial.cover.sessions.get(trial.probe.name)
    for built in trial.builds:
        print(f"{name}: does not compile for {printable(built.kernel)}:\n")
        print("\n".join(printable(line) for line in built.error.splitlines()))
    if trial.output is None or session is None:
        said = session.error if session is not None and session.error else trial.cover.reason
        remedy = f"; {printable(trial.cover.remedy)}" if trial.cover.remedy else ""
        if not trial.builds:
            print(f"{name}: gave nothing on {host}: {printable(said) or 'no reason is known'}{remedy}")
        print(f"\nrun directory: {trial.run_dir}")
        return EXIT_NOT_STARTED if trial.builds else EXIT_INCOMPLETE
    lines, result = explain(trial.probe, trial.nonce, io.BytesIO(trial.output))
    chosen = _chosen(lines, most)
    write_lines(chosen, trial)
    print()
    if len(chosen) < len(lines):
        print(f"{len(lines) - len(chosen)} more lines are not shown; see --lines")
    print(f"{name} on {host}: {_counts(trial.probe, lines, result)}")
    for text in inferred.lines(trial.probe):
        print(f"  {text}")
    for text in (*(loss.text for loss in session.losses), *session.warnings, *session.notes):
        print(f"  {printable(text)}")
    print(f"run directory: {trial.run_dir}")
    return EXIT_NOT_STARTED if result.rejected_lines else EXIT_OK


def _chosen(lines: Sequence[Line], most: int) -> list[Line]:
    """Return the first lines, and of the others the first that were rejected."""
    rejected = [line for line in lines[most:] if line.rejected]
    return [*lines[:most], *rejected[:MORE_REJECTED]]


def _counts(probe: Probe, lines: Sequence[Line], result: SessionResult) -> str:
    parts = [phrases.plural(len(lines), "line")]
    if probe.tables:
        parts.append(phrases.plural(result.rows, "row"))
    if probe.form.calls:
        calls = sum(node.count for tree in result.calltrees for node in tree.nodes)
        parts.append(phrases.plural(calls, "call"))
    parts.append(f"{result.rejected_lines} rejected")
    return ", ".join(parts)


def write_lines(lines: Sequence[Line], trial: Trial, console: Console | None = None) -> None:
    """Print raw beside parsed where the terminal is wide enough, else parsed below raw; cut nowhere."""
    console = console or Console(highlight=False, markup=False, emoji=False)
    described = [(line, _raw(line, trial), list(_parsed(line, trial))) for line in lines]
    if console.is_terminal and console.width >= WIDE:
        table = Table("line", "raw", "parsed", box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for column, ratio in zip(table.columns[1:], (1, 1), strict=True):
            column.overflow, column.ratio = "fold", ratio
        table.expand = True
        for line, raw, parsed in described:
            table.add_row(Text(str(line.number), style="dim"), Text(raw), Text("\n").join(parsed))
        console.print(table)
        return
    for line, raw, parsed in described:
        head = f"{line.number:>4}  "
        console.print(Text(head, style="dim") + Text(raw), soft_wrap=True)
        for text in parsed:
            console.print(Text("      ") + text, soft_wrap=True)


def _raw(line: Line, trial: Trial) -> str:
    """Return a line as printed, but for the session's mark, the same in each line, and tabs, which show nothing."""
    raw = plain(line.raw)
    mark = f"{trial.nonce}\t"
    text = ("…" if mark in raw else "") + raw.replace(mark, "", 1)
    return "⇥".join(printable(part) for part in text.split("\t"))


def _parsed(line: Line, trial: Trial) -> Iterator[Text]:
    for row in line.rows:
        yield Text(_row(row, trial.probe))
    for why in line.rejected:
        yield Text(f"rejected: {why}", style="bold red")
    if not line.rows and not line.rejected:
        yield Text(_other(line, trial), style="dim")


def _row(row: Row, probe: Probe) -> str:
    table = probe.tables[row.table]
    time = "" if row.t_ms is None else f" at {row.t_ms / 1000:.3f} s"
    values = [
        f"{column.name}={cells.value_cell(column, value).text}"
        for column, value in zip(table.columns, row.values, strict=True)
    ]
    return f"{row.table}{time}: {' '.join(values)}"


_CONTROLS = {
    "@armed": "armed",
    "@start": "the window begins",
    "@time": "the time",
    "@load": "how busy the host was",
    "@hits": "how often handlers ran",
    "@end": "the session ends",
}


def _other(line: Line, trial: Trial) -> str:
    mark = f"{trial.nonce}\t".encode()
    fields = line.raw.partition(mark)[2].split(b"\t")
    if len(fields) > 1 and plain(fields[1]) in _CONTROLS:
        return _CONTROLS[plain(fields[1])]
    form = trial.probe.form
    return "text" if form.lines else "call trace" if form.calls else "no row"


# --- recording


def record(probe: Probe, trial: Trial) -> Path:
    """Write the output as the probe's sample.out, if it is one that `check` accepts; returns its path."""
    if probe.folder is None or trial.output is None:
        raise FleetdiagError(
            f"probe {probe.title}: has no folder to record into; make one: fleetdiag probes new"
        )
    path = probe.folder / folder_check.SAMPLE
    data = trial.output.replace(trial.nonce.encode(), folder_check.NONCE.encode())
    if len(data) > folder_check.MAX_SAMPLE_BYTES:
        raise FleetdiagError(
            f"{path}: not recorded: {len(data)} bytes are too many for a sample; try a shorter --window"
        )
    faults = folder_check.faults_of_output(probe, data, path)
    if faults:
        raise FleetdiagError(f"not recorded: {printable(faults[0])}")
    try:
        with tempfile.NamedTemporaryFile(dir=probe.folder, prefix=".sample-", delete=False) as file:
            file.write(data)
        os.chmod(file.name, 0o644)
        os.replace(file.name, path)
    except OSError as error:
        raise FleetdiagError(
            f"{path}: {error.strerror}; name a probe in a folder you may write to"
        ) from error
    return path
