# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence of small fleets, written down row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import find
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import fleet as merge
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.host import HostMerger
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.limits import MAX_ROWS_PER_HOST
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Table, Value

WINDOW_S = 30.0
Values = tuple[Value, ...]

FILES: dict[str, Any] = {
    "description": "Files.",
    "what": "files open longer than {threshold_ms} ms",
    "sort": "-seconds",
    "columns": {
        "process": {"type": "string", "role": "key", "description": "Process."},
        "pid": {"type": "int", "role": "key", "description": "Number."},
        "path": {"type": "path", "role": "key", "description": "File."},
        "seconds": {
            "type": "duration",
            "unit": "s",
            "role": "measure",
            "merge": "max",
            "more_is": "worse",
            "label": "open time",
            "description": "How long.",
            "compare": {"scope": "host", "min_difference": 1},
        },
    },
    "derived": {
        "files": {
            "type": "int",
            "merge": "records",
            "more_is": "worse",
            "description": "How many.",
            "compare": {"scope": "host", "min_difference": 3},
        }
    },
}

EVENTS: dict[str, Any] = {
    **FILES,
    "events": {"count": "files", "worst": "seconds", "one": "file open longer than {threshold_ms} ms"},
}
ATTEMPTS: dict[str, Any] = {
    "description": "Attempts.",
    "what": "attempts to connect",
    "sort": "-longest",
    "columns": {
        "to": {"type": "string", "role": "key", "description": "To whom."},
        "failed": {
            "type": "int",
            "role": "measure",
            "merge": "sum",
            "more_is": "worse",
            "description": "Failures.",
            "compare": {"scope": "host", "min_difference": 5},
        },
        "longest": {
            "type": "duration",
            "unit": "s",
            "role": "measure",
            "merge": "max",
            "description": "The longest.",
        },
    },
    "events": {"count": "failed", "what": "failed attempts to connect", "one": "failed attempt to connect"},
}


def measure(merged: str = "sum", kind: str = "int", more_is: str = "worse", **more: Any) -> dict[str, Any]:
    """A measure that is compared, by hosts unless `compare` says otherwise."""
    units = {"duration": {"unit": "s"}, "bytes": {"unit": "B"}}.get(kind, {})
    data = {"type": kind, "role": "measure", "merge": merged, "more_is": more_is, "description": "It."}
    return {**data, **units, "compare": {"scope": "host"}, **more}


def simple(column: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A table with the key `name` and the measure `it`."""
    key = {"type": "string", "role": "key", "description": "Name."}
    return {"description": "It.", "columns": {"name": key, "it": dict(column)}, **more}


def table(manifest: Mapping[str, Any]) -> Table:
    """The only table, called `files`, of a probe."""
    threshold = {"type": "int", "default": 1000, "description": "Shortest time.", "unit": "ms"}
    data = {
        "description": "A probe.",
        "question": "What is different?",
        "output": "rows",
        "cost": "low",
        "parameters": {"threshold_ms": threshold},
        "tables": {"files": dict(manifest)},
    }
    return catalog.probe_from_manifest("probe", data).tables["files"]


def evidence(
    manifest: Mapping[str, Any],
    rows: Mapping[str, Sequence[Values]],
    *,
    seconds: Mapping[str, float | None] | None = None,
    marks: Mapping[str, str] | None = None,
    parameters: Mapping[str, Value] | None = None,
    max_rows: int = MAX_ROWS_PER_HOST,
) -> Evidence:
    """One probe whose hosts printed these rows; each row is a record."""
    declared = table(manifest)
    times = {**dict.fromkeys(rows, WINDOW_S), **(seconds or {})}
    fleet = merge.FleetMerger("probe", declared, max_rows=max_rows)
    for host in sorted(rows):
        merger = HostMerger(declared)
        for number, values in enumerate(rows[host], 1):
            merger.add(Row("files", 1000, number, values))
        fleet.add(host, merger, times[host])
    asked = {"threshold_ms": 1000} if parameters is None else dict(parameters)
    return Evidence("probe", asked, [fleet.finish()], times, dict(marks or {}))


def found(
    manifest: Mapping[str, Any],
    rows: Mapping[str, Sequence[Values]],
    peers: Mapping[str, str] | None = None,
    **more: Any,
) -> find.Found:
    """What is found among these hosts."""
    return find.find([evidence(manifest, rows, **more)], peers or {})


def sums(**figures: Sequence[float]) -> dict[str, list[Values]]:
    """Rows for `simple`: of each host a row for each of these values, all of different names."""
    return {
        host: [(f"n{number}", value) for number, value in enumerate(values)]
        for host, values in figures.items()
    }
