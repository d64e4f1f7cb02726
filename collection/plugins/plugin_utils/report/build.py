# SPDX-License-Identifier: GPL-3.0-or-later
"""From a run directory, or several of one sweep's shards, to one Report: plain data that every renderer
shows.

The same run directory gives the same Report but for `generated`. Nothing here touches Ansible or the
network, and nothing that a run directory holds makes it fail: what cannot be read becomes a note.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import phrases, slow_steps
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import (
    compare_past,
    find,
    overload,
    past_sentences,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.candidates import RANK
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.client_server.join import join
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.overload import Load
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import decisions, past, settings
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import news as news_file
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import calltrees, fleet, stacks
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.host import HostMerger
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.limits import (
    MAX_ROWS_PER_HOST,
    MAX_SERIES_PER_HOST,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Finding,
    Probe,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import (
    coverage,
    kernel_types,
    traffic,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import (
    Built,
    HostCalls,
    ProbeReport,
    Report,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.runs import (
    Shard,
    built_modules,
    homes_of,
    natural,
    probes_of,
    run_id,
    run_info,
    settled,
    together,
    unlike,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.sessions import (
    first_lines,
    host_text,
    interval_s,
    read_session,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import history, read
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import KernelBuild
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    PreflightRecord,
    ProbeRecord,
)

HOST_CALL_NODES = 2_000
"""Nodes of one process's call tree kept per host."""
ROWS_IN_ALL = 300_000
"""Rows of all hosts and tables together that a report has; each host and table has its share."""
POINTS_IN_ALL = 1_000_000
"""The same of the values of single rows per interval."""
LEAST_ROWS = 10
"""So many rows each host has of each table, however many hosts there are."""


def build(
    runs: str | Path | Sequence[str | Path],
    *,
    generated: str = "",
    max_rows: int = MAX_ROWS_PER_HOST,
    tell: slow_steps.Tell | None = None,
) -> Report:
    """Return the report of one run directory, or of several whose hosts differ (shards).

    generated: ISO time to put in; now by default. tell: shows one line for each probe and host that takes seconds to
    read, meanwhile and from another thread. Errors: no run directory, a newer format, a host or a
    probe that two run directories tell differently about.
    """
    with slow_steps.told(tell) as begin:
        return _build(runs, generated, max_rows, begin)


def _build(
    runs: str | Path | Sequence[str | Path], generated: str, max_rows: int, begin: slow_steps.Tell
) -> Report:
    paths = [runs] if isinstance(runs, (str, Path)) else list(runs)
    if not paths:
        raise FleetdiagError("no run directory was named; name one that a sweep has left")
    opened = sorted((read.open_run(Path(path)) for path in paths), key=run_id)
    for run in opened:
        if not (run.path / "hosts").exists() and (run.path / history.FIGURES).exists():
            raise FleetdiagError(
                f"{run.path}: what its hosts sent is not kept any more; the report that was made of it is still there"
            )
    several = len(opened) > 1
    shards = [Shard(run, f"{run_id(run)}: " if several else "") for run in opened]
    probes = settled(shards, probes_of(shards), begin)
    homes = homes_of(shards)
    builder = _Builder(probes, _room(shards, probes, len(homes), max_rows), begin)
    for host in sorted(homes):
        builder.add(homes[host], host)
    begin("comparing hosts")
    rows = [builder.rows[host] for host in sorted(homes, key=natural)]
    statuses = [row.status for row in rows]
    counts: dict[str, int] = {status: statuses.count(status) for status in coverage.STATUSES}
    built = together(item for shard in shards for item in built_modules(shard, builder.rows))
    reports = builder.finish(built)
    peer_of = {host: name for shard in shards for host, name in shard.peers().items()}
    evidence = [
        replace(report.evidence, apart=_apart(shards, builder.rows, report.name)) for report in reports
    ]
    joined = join(evidence, builder.addresses, builder.windows)
    for pair in joined:
        next(report for report in reports if report.name == pair.probe).tables.append(pair.table)
    found = find.find(evidence, peer_of, joined, builder.load)
    figures = _figures(shards, evidence, peer_of, builder.rows)
    news = {} if several else _news(shards[0], figures, evidence, found.findings)
    changed = overload.marked(news_file.findings_of(news), found.overloaded, evidence)
    findings = sorted([*found.findings, *changed], key=lambda finding: RANK[finding.severity])
    headline = found.headline
    if changed and findings[0] is changed[0]:
        headline = past_sentences.headline(changed[0], len(findings) - 1)
    busy = overload.sentence(found.overloaded, findings)
    findings = news_file.remembered(findings, news)
    balanced = [told for shard in shards if (told := traffic.read(shard.balancers)) is not None]
    lowered = "weights on load balancers may still be lowered" if any(t.alarms for t in balanced) else ""
    return Report(
        generated=generated or datetime.now(UTC).isoformat(timespec="seconds"),
        verdict="; ".join(filter(None, [lowered, headline, busy, verdict(counts)])),
        counts=counts,
        runs=[run_info(shard) for shard in shards],
        coverage=rows,
        probes=reports,
        builds=built,
        notes=[
            *unlike(shards),
            *(note for shard in shards for note in shard.notes()),
            *(note for pair in joined for note in pair.notes),
        ],
        findings=findings,
        worth_a_look=found.worth_a_look,
        comparisons=found.comparisons,
        peers=peer_of,
        homes={host: run_id(shard.run) for host, shard in homes.items()},
        figures=figures,
        news=news,
        traffic=balanced,
    )


def verdict(counts: Mapping[str, int]) -> str:
    """Return `3 of 5 hosts probed (1 of them with losses), 1 refused, 1 unreachable`."""
    total = sum(counts.values())
    if not total:
        return "no host was in the pattern"
    lossy = counts.get("degraded", 0)
    probed = counts.get("probed", 0) + lossy
    line = f"{probed} of {phrases.plural(total, 'host')} probed"
    if lossy:
        which = {1: "it has losses" if probed == 1 else "1 with losses", probed: "all with losses"}
        line += f" ({which.get(lossy, f'{lossy} with losses')})"
    rest = [f"{counts[status]} {status}" for status in coverage.STATUSES[2:] if counts.get(status)]
    return ", ".join([line, *rest])


def _figures(
    shards: Sequence[Shard],
    evidence: Sequence[Evidence],
    peer_of: Mapping[str, str],
    rows: Mapping[str, coverage.HostCoverage],
) -> dict[str, Any]:
    """Return figures.json of all shards together."""
    return compare_past.figures_of(
        evidence,
        name=shards[0].run.request.name,
        peers=peer_of,
        kernels={host: row.kernel for host, row in rows.items()},
        hashes={name: value for shard in shards for name, value in shard.hashes.items()},
    )


def _news(
    shard: Shard, figures: Mapping[str, Any], evidence: Sequence[Evidence], findings: Sequence[Finding]
) -> dict[str, Any]:
    """Return the run's news.json: the one it keeps, else made from the runs beside it. Empty if it is to have none."""
    run, sweep = shard.run, shard.run.request
    kept = news_file.read(run.path)
    if kept is not None or not sweep.baseline:
        return kept or {}
    now = compare_past.read(run_id(run), figures)
    return news_file.make(
        news_file.Run(
            figures=now,
            hosts=run.hosts,
            findings=findings,
            columns=compare_past.columns_of(evidence),
            settings=settings.tolerant(sweep.memory),
            most=sweep.baseline,
            slot=sweep.slot,
            decisions=decisions.read(run.path.absolute().parent),
        ),
        past.before(run.path, now.id, now.name, list(now.hashes.values()), sweep.baseline),
    )


# --- the run directories ---


def _apart(shards: Sequence[Shard], rows: Mapping[str, coverage.HostCoverage], probe: str) -> dict[str, str]:
    """Return {host: its kernel} of those whose module of a probe was built with what the kernel tells of itself."""
    return {
        host: rows[host].kernel
        for shard in shards
        for host in shard.run.hosts
        if kernel_types.made_of_btf(shard.builds.get(rows[host].kernel, KernelBuild()), probe)
    }


# --- the sessions ---


@dataclass(frozen=True)
class _Room:
    """How many rows of each host and table a report has, and how many of these per interval."""

    rows: int
    series: int


def _room(shards: Sequence[Shard], probes: Mapping[str, Probe], hosts: int, max_rows: int) -> _Room:
    """Return the memory of each host's tables: bounded by hosts and probes, not by what hosts print."""
    tables = intervals = 0
    window_s = max(shard.window_s for shard in shards)
    for name, probe in probes.items():
        entry = next(shard.entries[name] for shard in shards if name in shard.entries)
        for table in probe.tables.values():
            tables += 1
            step = interval_s(entry, probe, table) if table.interval else None
            intervals += max(1, round(window_s / step)) if step else 0
    rows = ROWS_IN_ALL // max(1, hosts * tables)
    series = POINTS_IN_ALL // max(1, hosts * intervals)
    return _Room(min(max_rows, max(LEAST_ROWS, rows)), min(MAX_SERIES_PER_HOST, max(1, series)))


class _Builder:
    """Reads the sessions of one host after the other and keeps only what is folded."""

    def __init__(self, probes: Mapping[str, Probe], room: _Room, begin: slow_steps.Tell) -> None:
        self.rows: dict[str, coverage.HostCoverage] = {}
        self.addresses: dict[str, list[str]] = {}
        self.load: dict[str, Load] = {}
        self.windows: dict[str, tuple[float, float]] = {}
        self._probes = probes
        self._room = room
        self._begin = begin
        self._reports: dict[str, ProbeReport] = {}
        self._tables: dict[str, dict[str, fleet.FleetMerger]] = {}

    def add(self, shard: Shard, host: str) -> None:
        """Read everything of one host. Hosts must come in the order of their names."""
        record = shard.record(host)
        facts = record.preflight or PreflightRecord()
        self.addresses[host] = list(facts.addresses)
        window = record.window
        if window is not None and window.start is not None and window.end is not None:
            self.windows[host] = (window.start, window.end)
        outputs: dict[str, coverage.SessionOutput] = {}
        folded: dict[str, dict[str, HostMerger]] = {}
        for name in shard.probes:
            report = self._report(name, shard.entries[name])
            self._begin(f"{printable(host)}: reading what {printable(name)} printed")
            with self._note_trouble(shard, host, name):
                mergers = {
                    table.name: HostMerger(table, interval_s(shard.entries[name], shard.probes[name], table))
                    for table in shard.probes[name].tables.values()
                }
                output = read_session(shard, host, name, record, mergers)
                if output is None:
                    continue
                outputs[name], folded[name] = output, mergers
                self._keep_lines(report, shard, host, output)
        record.outputs = outputs
        seen = (output.result.load for output in outputs.values())
        self.load[host] = Load(facts.load1, int(facts.cpus or 0), tuple(filter(None, seen)))
        row = self.rows[host] = coverage.cover(record)
        for name, session in row.sessions.items():
            self._reports[name].sessions[host] = session
            for table, merger in folded.get(name, {}).items() if session.has_data else ():
                self._tables[name][table].add(host, merger, session.sampled_s)

    @contextlib.contextmanager
    def _note_trouble(self, shard: Shard, host: str, name: str) -> Iterator[None]:
        """Note an unreadable session, which is not the end of the report."""
        try:
            yield
        except (FleetdiagError, OSError) as why:
            shard.run.notes.append(f"host {host}: {name}: {why}")

    def _report(self, name: str, entry: ProbeRecord) -> ProbeReport:
        if name not in self._reports:
            probe = self._probes[name]
            parameters = dict(entry.parameters)
            self._reports[name] = ProbeReport(
                name,
                probe.description,
                probe.question,
                probe.output,
                probe.cost,
                parameters,
                title=probe.title or name,
                topic=probe.topic,
                overhead=probe.overhead,
                views=probe.views,
                layouts=probe.layouts,
                origin=probe.origin,
            )
            self._tables[name] = {
                table.name: fleet.FleetMerger(
                    name,
                    table,
                    interval_s(entry, probe, table),
                    max_rows=self._room.rows,
                    max_series=self._room.series,
                )
                for table in probe.tables.values()
            }
        return self._reports[name]

    def _keep_lines(
        self, report: ProbeReport, shard: Shard, host: str, output: coverage.SessionOutput
    ) -> None:
        if report.form.lines:
            report.texts.append(host_text(host, output.result, shard.window_s))
        elif report.form.calls:
            cut = [calltrees.cut_tree(tree, HOST_CALL_NODES) for tree in output.result.calltrees]
            lines = first_lines(shard, host, report.name)
            report.calls.append(
                HostCalls(host, [tree for tree, _unused in cut], sum(more for _unused2, more in cut), lines)
            )
        else:
            report.heads[host] = list(output.head)
            if output.result.text_lines_total:  # lines that are no rows of an unknown script's tables
                report.texts.append(host_text(host, output.result, shard.window_s))

    def _is_said(self, error: str, hosts: Sequence[str]) -> bool:
        """Return True if rows in the coverage table say why; it need not be said again for each probe."""
        rows = [self.rows[host] for host in hosts]
        return bool(rows) and all(row.status == "refused" and error in row.reason for row in rows)

    def finish(self, built: Sequence[Built]) -> list[ProbeReport]:
        """Return the probes in the order they were asked for."""
        reports = []
        for name in self._probes:
            report = self._reports.get(name)
            if report is None:
                continue
            report.tables = [merger.finish() for merger in self._tables[name].values()]
            report.fleet_calls = calltrees.merge_calltrees(
                (calls.host, calls.trees) for calls in report.calls
            )
            report.stacks = [
                HostCalls(host, trees, left_out, [], counted)
                for host, trees, left_out, counted in stacks.stack_trees(report.layouts, report.tables)
            ]
            report.fleet_stacks = calltrees.merge_calltrees((each.host, each.trees) for each in report.stacks)
            report.not_built = [
                item
                for item in built
                if item.probe == name
                and item.status == "failed"
                and not self._is_said(item.error, item.hosts)
            ]
            reports.append(report)
        return reports
