# SPDX-License-Identifier: GPL-3.0-or-later
"""A probe's folder as a whole: manifest, script and recorded sample, and all that is wrong with them."""

from __future__ import annotations

import io
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import yaml_lines
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.explain import Line, explain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import SessionResult
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog, manifest
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import policy

SAMPLE = "sample.out"
NONCE = "0123456789abcdef"
"""The session's mark in a recorded sample: always the same, so that a new recording differs in nothing else."""

MAX_SAMPLE_BYTES = 1024 * 1024
MAX_FAULTS = 10

_ARMED = re.compile(rb"^([0-9a-f]{16})\t[0-9]+\t@armed\t", re.MULTILINE)


def faults(folder: Path) -> list[str]:
    """Return one sentence, with file and line, for each thing that is wrong with the probe in `folder`."""
    try:
        name = catalog.checked_folder(folder)
        path = folder / catalog.MANIFEST
        data, lines = yaml_lines.read(path)
        found: list[str] = []
        manifest.check(data, yaml_lines.Source(str(path), lines, found))
    except FleetdiagError as error:
        return [str(error)]
    probe = None if found else catalog.load_manifest(folder)
    found += _script_faults(folder / f"{name}.stp", probe)
    if probe is not None:
        found += sample_faults(probe, folder / SAMPLE)
    return found


def _script_faults(script: Path, probe: Probe | None) -> list[str]:
    if not script.is_file():
        return [f"{script}: is missing; name the script like its folder"]
    try:
        text = policy.text_of(script)
    except FleetdiagError as error:
        return [str(error)]
    return [
        fault.sentence(script)
        for fault in sorted({*policy.faults(text, "probe", probe), *policy.unfinished(text)})
    ]


def nonce_of(sample: bytes) -> str:
    """Return the mark of the session whose output this is; empty if it has no record @armed."""
    found = _ARMED.search(sample)
    return found[1].decode() if found else ""


def sample_faults(probe: Probe, sample: Path) -> list[str]:
    """Return what is wrong with a recorded session: it must be understood to the last line, and show every table."""
    try:
        if not stat.S_ISREG(sample.stat().st_mode):
            return [f"{sample}: is no file; {_record(sample)}"]
        if sample.stat().st_size > MAX_SAMPLE_BYTES:
            return [f"{sample}: is larger than {MAX_SAMPLE_BYTES} bytes; record a shorter window"]
        data = sample.read_bytes()
    except FileNotFoundError:
        return [f"{sample}: is missing; {_record(sample)}"]
    except OSError as error:
        return [f"{sample}: {error.strerror}; make it readable"]
    return faults_of_output(probe, data, sample)


def faults_of_output(probe: Probe, data: bytes, sample: Path) -> list[str]:
    """Return the same faults of an output that is, or is to be, the file `sample`."""
    nonce = nonce_of(data)
    if not nonce:
        what = "holds no record @armed, so it is no session's output"
        return [f"{sample}:1: {what}; {_record(sample)}"]
    lines, result = explain(probe, nonce, io.BytesIO(data))
    rejected = [f"{sample}:{line.number}: {why}; {_ADVICE}" for line in lines for why in line.rejected]
    more = len(rejected) - MAX_FAULTS
    if more > 0:
        rejected[MAX_FAULTS:] = [f"{sample}: {more} more lines are rejected; {_ADVICE}"]
    whole = [f"{sample}:{len(lines)}: {what}; {_record(sample)}" for what in _lacks(probe, lines, result)]
    return rejected + whole


def _record(sample: Path) -> str:
    return f"record one: fleetdiag probes dev {sample.parent} --host HOST -i INVENTORY --record"


_ADVICE = "script, manifest and sample must agree"


def _lacks(probe: Probe, lines: list[Line], result: SessionResult) -> Iterator[str]:
    if result.lost_records:
        yield f"{plural(result.lost_records, 'record')} of those before this line missing"
    if result.start_ms is None:
        yield "the window never began (no record @start)"
    if not result.end_reason:
        yield "the session did not end (no record @end)"
    printed = {row.table for line in lines for row in line.rows}
    for name in probe.tables:
        if name not in printed:
            yield f"there is no row of table {name}"
    if probe.form.calls and not result.calltrees:
        yield "there is no call"
    if probe.form.lines and not result.text_lines_total:
        yield "there is no line of text"
