# SPDX-License-Identifier: GPL-3.0-or-later
"""report.json: everything the report knows, for programs. The schema is report.schema.json, versioned in
`schema`.

Values stand in the order of the table's columns: `key` those with role key, `values` and `rates` the
measures, derived ones last. Texts are data as the hosts gave them, not made safe to show; the document is ASCII,
so that none of them can act on what it is shown with.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Comparison, Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import calltrees, keys, results
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import CallNode, CallTree
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.format import one_file
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.coverage import (
    HostCoverage,
    SessionCoverage,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import (
    HostCalls,
    ProbeReport,
    Report,
)

MAX_KEYS = 5_000
"""Keys of the fleet with totals of their own; `keys_left_out` says how many there were beyond."""


def render(report: Report) -> str:
    """Return the report as one JSON document, ASCII only, with a newline at its end."""
    return json.dumps(document(report), separators=(",", ":"), allow_nan=False) + "\n"


def document(report: Report) -> dict[str, Any]:
    """Return the same as plain data."""
    return {
        "schema": report.schema,
        "generated": report.generated,
        "verdict": report.verdict,
        "counts": report.counts,
        "findings": [_finding(finding) for finding in report.findings],
        "worth_a_look": [_finding(finding) for finding in report.worth_a_look],
        "comparisons": [_comparison(item) for item in report.comparisons],
        "peers": report.peers,
        "runs": [_run(asdict(run)) for run in report.runs],
        "coverage": [_host(row) for row in report.coverage],
        "probes": [_probe(probe) for probe in report.probes],
        "builds": [asdict(item) for item in report.builds],
        "notes": report.notes,
        **({"traffic": [asdict(told) for told in report.traffic]} if report.traffic else {}),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    rows = [{"host": host, "key": key, "values": values} for host, key, values in finding.rows]
    return {**vars(finding), "rows": rows, "symptoms": [_finding(under) for under in finding.symptoms]}


def _comparison(item: Comparison) -> dict[str, Any]:
    """Return a comparison with its hosts in the order of their names."""
    return {
        **vars(item),
        "values": dict(sorted(item.values.items())),
        "scores": dict(sorted(item.scores.items())),
    }


def _run(run: dict[str, Any]) -> dict[str, Any]:
    """Return a run without hashes and path (its directory may be moved), and without batches and name if empty."""
    optional = ("batches", "name")
    return {
        key: value
        for key, value in run.items()
        if key not in ("path", "hashes") and (key not in optional or value)
    }


def _host(row: HostCoverage) -> dict[str, Any]:
    data = {key: value for key, value in vars(row).items() if key not in ("sessions", "losses")}
    data["losses"] = [asdict(loss) for loss in row.losses]
    data["sessions"] = {name: _session(session) for name, session in row.sessions.items()}
    return data


def _session(session: SessionCoverage) -> dict[str, Any]:
    data = {key: value for key, value in vars(session).items() if key != "losses"}
    data["losses"] = [asdict(loss) for loss in session.losses]
    return data


def _probe(probe: ProbeReport) -> dict[str, Any]:
    return {
        "name": probe.name,
        "title": probe.title or probe.name,
        "topic": probe.topic,
        "description": probe.description,
        "question": probe.question,
        "output": probe.output,
        "cost": probe.cost,
        "parameters": probe.parameters,
        "overhead": probe.overhead,
        "views": [vars(view) for view in probe.views],
        "sampled": probe.sampled,
        "tables": [_table(table) for table in probe.tables],
        "calls": [_calls(calls) for calls in probe.calls],
        "fleet_calls": [_fleet_tree(tree) for tree in probe.fleet_calls],
        "texts": [asdict(text) for text in probe.texts],
    }


def _table(merged: results.MergedTable) -> dict[str, Any]:
    table = merged.table
    return {
        "name": table.name,
        "description": table.description,
        "interval_s": merged.interval_s,
        "sort": ("-" if table.descending else "") + table.sort,
        "what": table.what,
        "columns": [_column(column) for column in (*table.columns, *table.derived)],
        "views": [vars(view) for view in table.views],
        "checks": [vars(check) for check in table.checks],
        "rows": [_row(row) for row in merged.rows()],
        "hosts": [
            {
                "host": host.host,
                "total": _total(host.total),
                "other": _total(host.other),
                "intervals": _series(host.intervals),
            }
            for host in merged.hosts
        ],
        "keys": [
            {"key": total.key, "values": total.values, "rates": total.rates, "hosts": total.hosts}
            for total in merged.keys[:MAX_KEYS]
        ],
        "keys_left_out": max(0, len(merged.keys) - MAX_KEYS),
        "other_keys": _total(merged.other_keys),
        "total": _total(merged.total),
    }


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "role": column.role,
        "unit": column.shown_unit,
        "merge": column.merge,
        "rate": column.rate,
        "more_is": column.more_is,
        "label": column.words,
        "derived": column.ratio is not None or column.merge == "records",
        "ratio": column.ratio,
        "compare": None if column.compare is None else vars(column.compare),
        "description": column.description,
    }


def _row(row: results.MergedRow) -> dict[str, Any]:
    data: dict[str, Any] = {"host": row.host, "key": row.key, "values": row.values, "rates": row.rates}
    data["rows"] = row.rows
    if row.series:
        data["series"] = _series(row.series)
    return data


def _series(series: tuple[tuple[int, keys.Cells], ...]) -> list[dict[str, Any]]:
    return [{"interval": number, "values": values} for number, values in series]


def _total(total: results.Total | None) -> dict[str, Any] | None:
    if total is None:
        return None
    return {name: value for name, value in asdict(total).items() if name != "parts"}


def _calls(calls: HostCalls) -> dict[str, Any]:
    trees = [_tree(tree) for tree in calls.trees]
    return {"host": calls.host, "trees": trees, "nodes_left_out": calls.more, "lines": calls.lines}


def _tree(tree: CallTree) -> dict[str, Any]:
    return {
        "process": tree.process,
        "unfinished": tree.unfinished,
        "orphan_returns": tree.orphan_returns,
        "nodes": [_node(node) for node in tree.nodes],
    }


def _fleet_tree(tree: calltrees.FleetTree) -> dict[str, Any]:
    return {
        "process": tree.process,
        "hosts": tree.hosts,
        "unfinished": tree.unfinished,
        "orphan_returns": tree.orphan_returns,
        "nodes": [{**_node(item.node), "hosts": item.hosts} for item in tree.nodes],
        "nodes_left_out": tree.more,
    }


def _node(node: CallNode) -> dict[str, Any]:
    """Return a node of a call tree; times in microseconds."""
    return {
        "path": node.path,
        "count": node.count,
        "total_us": node.total_us,
        "self_us": node.self_us,
        "unfinished": node.unfinished,
    }


FORMAT = one_file(
    "json", "report.json", "everything, for programs; its schema has a version", render, by_default=True
)
