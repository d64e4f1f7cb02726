# SPDX-License-Identifier: GPL-3.0-or-later
"""From a run directory, or several of one sweep's shards, to one Report: plain data that every renderer
shows.

The same run directory gives the same Report but for `generated`. Nothing here touches Ansible or the
network, and nothing that a run directory holds makes it fail: what cannot be read becomes a note.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import decode, plain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import (
    client_server,
    compare_past,
    find,
    past_sentences,
    peers,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.candidates import RANK
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import decisions, past, settings
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import news as news_file
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import fleet
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect import detect
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import MAX_LINE
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.session import parse_session
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.timestamps import LineClock
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    CallTree,
    Comparison,
    Finding,
    Layout,
    Losses,
    Output,
    Probe,
    SessionResult,
    Table,
    Value,
    View,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import coverage, traffic
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.traffic import Traffic
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import history, store
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.stderr import read_losses
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import batches

SCHEMA = "fleetdiag.report/3"
FIRST_LINES = 100
"""Lines of a call trace or a text kept per host; the whole stays in the run directory."""
HOST_CALL_NODES = 2_000
"""Nodes of one process's call tree kept per host."""
DEFAULT_INTERVAL_S = 5
LEAST_INTERVAL_S = 0.001
"""What says to print more often than this is damaged."""
OUTPUT_FACTOR = 2
"""A collected output may unpack to this many times its declared limit before it is read no further."""
ROWS_IN_ALL = 300_000
"""Rows of all hosts and tables together that a report has; each host and table has its share."""
POINTS_IN_ALL = 1_000_000
"""The same of the values of single rows per interval."""
LEAST_ROWS = 10
"""So many rows each host has of each table, however many hosts there are."""
HEAD_LINES = 20
"""Lines of any other output kept per host, as they were printed."""
_LINE = 4096


@dataclass(frozen=True)
class RunInfo:
    """One run directory. start, end: the window by the controller's clock (epoch seconds), None if it never came.

    batches: how many windows there were one after the other, from `start` to `end`; 0 if one for all. name: of the
    sweep. hashes: of its probes, see rundir.series.
    """

    id: str
    path: str
    created: str
    fleetdiag: str
    window_s: float
    start: float | None
    end: float | None
    hosts: int
    builders: tuple[str, ...]
    conditions: Mapping[str, Any]
    batches: int = 0
    name: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Built:
    """One module of one kernel: status built, cached or failed; error holds SystemTap's message with its
    line."""

    kernel: str
    builder: str
    stap: str
    probe: str
    status: str
    seconds: float | None
    error: str
    hosts: tuple[str, ...]


@dataclass
class HostCalls:
    """The call trees of one host. more: nodes left out. lines: the first lines of the trace as it was
    printed."""

    host: str
    trees: list[CallTree]
    more: int
    lines: list[str]


@dataclass
class HostText:
    """The first lines one host printed, of `total`.

    times: of each line, milliseconds since the window's start; it was printed then or later, before the next one.
    timed: how that is known: `own` (the lines say it), `session` (told between them), or empty: only the order is.
    """

    host: str
    lines: list[str]
    total: int
    times: list[int | None] = field(default_factory=list)
    timed: str = ""


@dataclass
class ProbeReport:
    """One probe on all hosts. sessions: its coverage, by host (the same objects as in the coverage rows).

    heads: by host, the first lines of the output as it was printed, without the nonce. layouts, origin: of a
    script that was not written for fleetdiag, how its tables stand in the output, and where it is from.
    """

    name: str
    description: str
    question: str
    output: Output
    cost: str
    parameters: dict[str, Value]
    sessions: dict[str, coverage.SessionCoverage] = field(default_factory=dict)
    tables: list[fleet.MergedTable] = field(default_factory=list)
    calls: list[HostCalls] = field(default_factory=list)
    fleet_calls: list[fleet.FleetTree] = field(default_factory=list)
    texts: list[HostText] = field(default_factory=list)
    heads: dict[str, list[str]] = field(default_factory=dict)
    not_built: list[Built] = field(default_factory=list)
    title: str = ""
    topic: str = "other"
    overhead: Mapping[str, Any] = field(default_factory=dict)
    views: tuple[View, ...] = ()
    layouts: tuple[Layout, ...] = ()
    origin: str = ""

    @property
    def sampled(self) -> list[str]:
        """Hosts that gave data, sorted."""
        return sorted(host for host, session in self.sessions.items() if session.has_data)

    def mark(self, host: str) -> str:
        """The losses that touch this host's figures; empty when none do."""
        session = self.sessions.get(host)
        return session.mark if session else ""

    @property
    def evidence(self) -> Evidence:
        """What findings are made of."""
        return Evidence(
            name=self.name,
            parameters=self.parameters,
            tables=self.tables,
            sampled_s={host: self.sessions[host].sampled_s for host in self.sampled},
            marks={host: mark for host in self.sampled if (mark := self.mark(host))},
            calls=[(calls.host, calls.trees) for calls in self.calls],
        )


@dataclass
class Report:
    """Everything a renderer needs. generated: the moment this report was made, the only thing that differs.

    findings: worst first. comparisons: what was compared, found or not. peers: host -> name of the set of
    hosts it should be like. homes: host -> id of the run it is of. figures: what later sweeps take from
    this run. news: what became of findings since the sweep before, see memory.news; empty for several runs. traffic: of
    each run that was to lower weights on load balancers, what became of the requests.
    """

    generated: str
    verdict: str
    counts: dict[str, int]
    runs: list[RunInfo]
    coverage: list[coverage.HostCoverage]
    probes: list[ProbeReport]
    builds: list[Built]
    notes: list[str]
    findings: list[Finding] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    peers: dict[str, str] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    news: Mapping[str, Any] = field(default_factory=dict)
    traffic: list[Traffic] = field(default_factory=list)
    schema: str = SCHEMA


def build(
    runs: str | Path | Sequence[str | Path], *, generated: str = "", max_rows: int = fleet.MAX_ROWS_PER_HOST
) -> Report:
    """The report of one run directory, or of several whose hosts differ (shards).

    generated: ISO time to put in; now by default. Errors: no run directory, a newer format, a host or a
    probe that two run directories tell differently about.
    """
    paths = [runs] if isinstance(runs, (str, Path)) else list(runs)
    if not paths:
        raise FleetdiagError("no run directory was named; name one that a sweep has left")
    opened = sorted((store.open_run(Path(path)) for path in paths), key=_id)
    for run in opened:
        if not (run.path / "hosts").exists() and (run.path / history.FIGURES).exists():
            raise FleetdiagError(
                f"{run.path}: what its hosts sent is not kept any more; the report that was made of it is still there"
            )
    several = len(opened) > 1
    shards = [_Shard(run, f"{_id(run)}: " if several else "") for run in opened]
    probes = _settled(shards, _probes(shards))
    homes = _homes(shards)
    builder = _Builder(probes, _room(shards, probes, len(homes), max_rows))
    for host in sorted(homes):
        builder.add(homes[host], host)
    rows = [builder.rows[host] for host in sorted(homes, key=_natural)]
    statuses = [row.status for row in rows]
    counts: dict[str, int] = {status: statuses.count(status) for status in coverage.STATUSES}
    built = _together(item for shard in shards for item in _built(shard, builder.rows))
    reports = builder.finish(built)
    peer_of = {host: name for shard in shards for host, name in shard.peers().items()}
    evidence = [report.evidence for report in reports]
    joined = client_server.join(evidence, builder.addresses, builder.windows)
    for pair in joined:
        next(report for report in reports if report.name == pair.probe).tables.append(pair.table)
    found = find.find(evidence, peer_of, joined)
    figures = _figures(shards, evidence, peer_of, builder.rows)
    news = {} if several else _news(shards[0], figures, evidence, found.findings)
    changed = news_file.findings_of(news)
    findings = sorted([*found.findings, *changed], key=lambda finding: RANK[finding.severity])
    headline = found.headline
    if changed and findings[0] is changed[0]:
        headline = past_sentences.headline(changed[0], len(findings) - 1)
    findings = news_file.remembered(findings, news)
    balanced = [told for shard in shards if (told := traffic.read(shard.balancers)) is not None]
    lowered = "weights on load balancers may still be lowered" if any(t.alarms for t in balanced) else ""
    return Report(
        generated=generated or datetime.now(UTC).isoformat(timespec="seconds"),
        verdict="; ".join(filter(None, [lowered, headline, verdict(counts)])),
        counts=counts,
        runs=[_info(shard) for shard in shards],
        coverage=rows,
        probes=reports,
        builds=built,
        notes=[
            *_unlike(shards),
            *(note for shard in shards for note in shard.notes()),
            *(note for pair in joined for note in pair.notes),
        ],
        findings=findings,
        comparisons=found.comparisons,
        peers=peer_of,
        homes={host: _id(shard.run) for host, shard in homes.items()},
        figures=figures,
        news=news,
        traffic=balanced,
    )


def write(run_path: Path, report: Report) -> dict[str, list[str]]:
    """Write what every sweep makes into the run directory, each file whole or not at all; their names by format.

    Beside them what later sweeps take from this one, and, once only, what is new since earlier ones (see history).
    """
    # Here and not above: renderers import this module.
    from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import registry

    written = registry.write(report, run_path)
    history.keep(run_path, report.figures, report.news)
    return written


def keep_figures(report: Report) -> None:
    """What later sweeps take from the runs of this report, each of its own hosts, into their directories."""
    evidence = [probe.evidence for probe in report.probes]
    kernels = {row.host: row.kernel for row in report.coverage}
    for info in report.runs:
        hosts = [host for host, home in report.homes.items() if home == info.id]
        figures = compare_past.figures_of(
            evidence, hosts, peers=report.peers, kernels=kernels, hashes=info.hashes
        )
        history.keep(Path(info.path), figures, {})


def verdict(counts: Mapping[str, int]) -> str:
    """`3 of 5 hosts probed (1 of them with losses), 1 refused, 1 unreachable`."""
    total = sum(counts.values())
    if not total:
        return "no host was in the pattern"
    lossy = counts.get("degraded", 0)
    probed = counts.get("probed", 0) + lossy
    line = f"{probed} of {coverage.plural(total, 'host')} probed"
    if lossy:
        which = {1: "it has losses" if probed == 1 else "1 with losses", probed: "all with losses"}
        line += f" ({which.get(lossy, f'{lossy} with losses')})"
    rest = [f"{counts[status]} {status}" for status in coverage.STATUSES[2:] if counts.get(status)]
    return ", ".join([line, *rest])


def _figures(
    shards: Sequence[_Shard],
    evidence: Sequence[Evidence],
    peer_of: Mapping[str, str],
    rows: Mapping[str, coverage.HostCoverage],
) -> dict[str, Any]:
    """Return figures.json of all shards together."""
    return compare_past.figures_of(
        evidence,
        name=coverage.text(shards[0].run.sweep, "name"),
        peers=peer_of,
        kernels={host: row.kernel for host, row in rows.items()},
        hashes={name: value for shard in shards for name, value in shard.hashes.items()},
    )


def _news(
    shard: _Shard, figures: Mapping[str, Any], evidence: Sequence[Evidence], findings: Sequence[Finding]
) -> dict[str, Any]:
    """Return the run's news.json: the one it keeps, else made from the runs beside it. Empty if it is to have none."""
    run, most = shard.run, history.most_of(shard.run.sweep)
    kept = news_file.read(run.path)
    if kept is not None or not most:
        return kept or {}
    now = compare_past.read(_id(run), figures)
    return news_file.make(
        news_file.Run(
            figures=now,
            hosts=run.hosts,
            findings=findings,
            columns=compare_past.columns_of(evidence),
            settings=settings.tolerant(run.sweep.get("memory")),
            most=most,
            slot=coverage.text(run.sweep, "slot"),
            decisions=decisions.read(run.path.absolute().parent),
        ),
        past.before(run.path, now.id, now.name, list(now.hashes.values()), most),
    )


# --- the run directories ---


class _Shard:
    """One open run directory and what is common to its hosts."""

    def __init__(self, run: store.Run, label: str) -> None:
        self.run = run
        self.label = label
        self.window = run.read_json("window.json")
        self.balancers = run.read_json(traffic.FILE)
        self.builds = run.read_builds()
        self.events: dict[str, list[dict[str, Any]]] = {}
        for event in run.read_events():
            if isinstance(event.get("host"), str):
                self.events.setdefault(event["host"], []).append(event)
        self.window_s = max(0.0, coverage.number(run.sweep, "window_s") or 0.0)
        entries = run.sweep.get("probes")
        self.entries: dict[str, Mapping[str, Any]] = {}
        self.probes: dict[str, Probe] = {}
        for entry in entries if isinstance(entries, list) else []:
            self._add_probe(entry)

    def _add_probe(self, entry: Any) -> None:
        name = coverage.text(entry, "name") if isinstance(entry, Mapping) else ""
        try:
            probe = catalog.probe_from_manifest(name, dict(coverage.mapping(entry, "manifest")))
        except (FleetdiagError, AttributeError) as why:
            self.run.notes.append(f"sweep.json: a probe cannot be shown: {why}")
            return
        self.probes[name], self.entries[name] = probe, entry

    def record(self, host: str) -> coverage.HostRecord:
        """What the run directory holds about one host, without the sessions' output."""
        run = self.run
        return coverage.HostRecord(
            host=host,
            sweep_id=_id(run),
            probes=list(self.probes),
            window_s=self.window_s,
            window=batches.window_of(self.window, host),
            left_out=batches.why_not(self.window, host) or traffic.why_not(self.balancers, host),
            builds=self.builds,
            preflight=run.read_host(host, "preflight"),
            arm=run.read_host(host, "arm"),
            go=run.read_host(host, "go"),
            collect=run.read_host(host, "collect"),
            events=self.events.get(host, ()),
        )

    def peers(self) -> dict[str, str]:
        """The set of each host of this shard."""
        return peers.recorded(self.run.sweep, self.run.hosts)

    @property
    def hashes(self) -> dict[str, str]:
        """Return what makes each probe's figures comparable with those of other sweeps, where that is known."""
        found = {name: coverage.text(entry, "hash") for name, entry in self.entries.items()}
        return {name: value for name, value in found.items() if value}

    def notes(self) -> list[str]:
        return [self.label + note for note in self.run.notes]


def _id(run: store.Run) -> str:
    return coverage.text(run.sweep, "id") or run.path.name


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """web2 before web10, however the hosts were distributed over sweeps."""
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+", name)
    return [(int(part), "") if part.isdigit() and part.isascii() else (-1, part) for part in parts], name


def _probes(shards: Sequence[_Shard]) -> dict[str, Probe]:
    probes: dict[str, Probe] = {}
    for shard in shards:
        for name, probe in shard.probes.items():
            if probes.setdefault(name, probe).manifest != probe.manifest:
                raise FleetdiagError(
                    f"{shard.run.path}: its probe {name} differs from the other directories'; report it alone"
                )
    _check_parameters(shards)
    return probes


def _settled(shards: Sequence[_Shard], probes: Mapping[str, Probe]) -> dict[str, Probe]:
    """The same, those whose output has an unknown form with the one that is found in what was printed."""
    settled = dict(probes)
    for name, probe in probes.items():
        if probe.output == "auto":
            owners = [shard for shard in shards if name in shard.probes]
            printed = (
                sample
                for shard in owners
                for sample in detect.samples(shard.run, name, coverage.text(shard.entries[name], "nonce"))
            )
            settled[name] = detect.settled(probe, coverage.text(owners[0].entries[name], "script"), printed)
            for shard in owners:
                shard.probes[name] = settled[name]
    return settled


def _check_parameters(shards: Sequence[_Shard]) -> None:
    """Figures of other settings are not of the same kind."""
    known: dict[str, Mapping[str, Any]] = {}
    for shard in shards:
        for name, entry in shard.entries.items():
            parameters = coverage.mapping(entry, "parameters")
            if known.setdefault(name, parameters) != parameters:
                raise FleetdiagError(
                    f"{shard.run.path}: its probe {name} ran with other parameters; report it alone"
                )


def _unlike(shards: Sequence[_Shard]) -> Iterator[str]:
    lengths = sorted({shard.window_s for shard in shards})
    if len(lengths) > 1:
        named = ", ".join(f"{length:g} s" for length in lengths)
        yield f"windows of different length are in this report ({named}): compare rates, not totals"
    for shard in shards:
        windows = batches.reached(shard.window)
        if windows > 1:
            yield (
                f"{shard.label}hosts were probed in {windows} windows one after the other: what happened in only one"
                " of them makes alike hosts look different"
            )


def _homes(shards: Sequence[_Shard]) -> dict[str, _Shard]:
    homes: dict[str, _Shard] = {}
    for shard in shards:
        for host in shard.run.hosts:
            if host in homes:
                raise FleetdiagError(
                    f"host {host!r} is in {homes[host].run.path} and in {shard.run.path};"
                    " only run directories of different hosts make one report"
                )
            homes[host] = shard
    return homes


def _info(shard: _Shard) -> RunInfo:
    sweep, window = shard.run.sweep, shard.window or {}
    listed = sweep.get("builders")
    built = sorted({coverage.text(data, "builder") for data in shard.builds.values()} - {""})
    builders = [str(name) for name in listed] if isinstance(listed, list) else built
    return RunInfo(
        id=_id(shard.run),
        path=str(shard.run.path.absolute()),
        created=coverage.text(sweep, "created"),
        fleetdiag=coverage.text(sweep, "fleetdiag"),
        window_s=shard.window_s,
        start=coverage.number(window, "start"),
        end=coverage.number(window, "end"),
        hosts=len(shard.run.hosts),
        builders=tuple(builders),
        conditions=coverage.mapping(sweep, "conditions"),
        batches=batches.reached(window),
        name=coverage.text(sweep, "name"),
        hashes=shard.hashes,
    )


def _built(shard: _Shard, rows: Mapping[str, coverage.HostCoverage]) -> Iterator[Built]:
    for kernel, data in sorted(shard.builds.items()):
        hosts = tuple(host for host in shard.run.hosts if rows[host].kernel == kernel)
        modules = coverage.mapping(data, "probes")
        if not modules and coverage.text(data, "error"):  # nothing can be built for this kernel
            modules = {probe: {"status": "failed", "error": data["error"]} for probe in shard.probes}
        for probe in modules:
            entry = coverage.mapping(modules, probe)
            status = coverage.text(entry, "status")
            yield Built(
                kernel=kernel,
                builder=coverage.text(entry, "builder") or coverage.text(data, "builder"),
                stap=coverage.text(entry, "stap") or coverage.text(data, "stap"),
                probe=probe,
                status=status,
                seconds=coverage.number(entry, "seconds"),
                error=coverage.build_error(entry) if status == "failed" else "",
                hosts=hosts,
            )


def _together(built: Iterable[Built]) -> list[Built]:
    """What several run directories say alike is said once, by kernel and probe."""
    hosts: dict[Built, list[str]] = {}
    for item in built:
        hosts.setdefault(replace(item, hosts=()), []).extend(item.hosts)
    items = [replace(item, hosts=tuple(sorted(names, key=_natural))) for item, names in hosts.items()]
    return sorted(items, key=lambda item: (item.kernel, item.probe, item.builder, item.status, item.hosts))


# --- the sessions ---


@dataclass(frozen=True)
class _Room:
    """How many rows of each host and table a report has, and how many of these per interval."""

    rows: int
    series: int


def _room(shards: Sequence[_Shard], probes: Mapping[str, Probe], hosts: int, max_rows: int) -> _Room:
    """Memory is bounded by hosts and probes, not by what hosts print; each host has the same share of it."""
    tables = intervals = 0
    window_s = max(shard.window_s for shard in shards)
    for name, probe in probes.items():
        entry = next(shard.entries[name] for shard in shards if name in shard.entries)
        for table in probe.tables.values():
            tables += 1
            step = _interval_s(entry, probe, table) if table.interval else None
            intervals += max(1, round(window_s / step)) if step else 0
    rows = ROWS_IN_ALL // max(1, hosts * tables)
    series = POINTS_IN_ALL // max(1, hosts * intervals)
    return _Room(min(max_rows, max(LEAST_ROWS, rows)), min(fleet.MAX_SERIES_PER_HOST, max(1, series)))


class _Builder:
    """Reads the sessions of one host after the other and keeps only what is folded."""

    def __init__(self, probes: Mapping[str, Probe], room: _Room) -> None:
        self.rows: dict[str, coverage.HostCoverage] = {}
        self.addresses: dict[str, list[str]] = {}
        self.windows: dict[str, tuple[float, float]] = {}
        self._probes = probes
        self._room = room
        self._reports: dict[str, ProbeReport] = {}
        self._tables: dict[str, dict[str, fleet.FleetMerger]] = {}

    def add(self, shard: _Shard, host: str) -> None:
        """Read everything of one host. Hosts must come in the order of their names."""
        record = shard.record(host)
        self.addresses[host] = _addresses(record.preflight)
        start, end = (coverage.number(record.window or {}, name) for name in ("start", "end"))
        if start is not None and end is not None:
            self.windows[host] = (start, end)
        outputs: dict[str, coverage.SessionOutput] = {}
        folded: dict[str, dict[str, fleet.HostMerger]] = {}
        for name in shard.probes:
            report = self._report(name, shard.entries[name])
            with self._note_trouble(shard, host, name):
                mergers = {
                    table.name: fleet.HostMerger(
                        table, _interval_s(shard.entries[name], shard.probes[name], table)
                    )
                    for table in shard.probes[name].tables.values()
                }
                output = _read_session(shard, host, name, record, mergers)
                if output is None:
                    continue
                outputs[name], folded[name] = output, mergers
                self._keep_lines(report, shard, host, output)
        record.outputs = outputs
        row = self.rows[host] = coverage.cover(record)
        for name, session in row.sessions.items():
            self._reports[name].sessions[host] = session
            for table, merger in folded.get(name, {}).items() if session.has_data else ():
                self._tables[name][table].add(host, merger, session.sampled_s)

    @contextlib.contextmanager
    def _note_trouble(self, shard: _Shard, host: str, name: str) -> Iterator[None]:
        """One unreadable session is a note, not the end of the report."""
        try:
            yield
        except (FleetdiagError, OSError) as why:
            shard.run.notes.append(f"host {host}: {name}: {why}")

    def _report(self, name: str, entry: Mapping[str, Any]) -> ProbeReport:
        if name not in self._reports:
            probe = self._probes[name]
            parameters = dict(coverage.mapping(entry, "parameters"))
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
                    _interval_s(entry, probe, table),
                    max_rows=self._room.rows,
                    max_series=self._room.series,
                )
                for table in probe.tables.values()
            }
        return self._reports[name]

    def _keep_lines(
        self, report: ProbeReport, shard: _Shard, host: str, output: coverage.SessionOutput
    ) -> None:
        if report.output == "text":
            report.texts.append(_text(host, output.result, shard.window_s))
        elif report.output == "calltrace":
            cut = [fleet.cut_tree(tree, HOST_CALL_NODES) for tree in output.result.calltrees]
            lines = _first_lines(shard, host, report.name)
            report.calls.append(
                HostCalls(host, [tree for tree, _ in cut], sum(more for _, more in cut), lines)
            )
        else:
            report.heads[host] = list(output.head)
            if output.result.text_lines_total:  # lines that are no rows of an unknown script's tables
                report.texts.append(_text(host, output.result, shard.window_s))

    def _is_said(self, error: str, hosts: Sequence[str]) -> bool:
        """Their rows in the coverage table say why; it need not be said again for each probe."""
        rows = [self.rows[host] for host in hosts]
        return bool(rows) and all(row.status == "refused" and error in row.reason for row in rows)

    def finish(self, built: Sequence[Built]) -> list[ProbeReport]:
        """The probes in the order they were asked for."""
        reports = []
        for name in self._probes:
            report = self._reports.get(name)
            if report is None:
                continue
            report.tables = [merger.finish() for merger in self._tables[name].values()]
            report.fleet_calls = fleet.merge_calltrees((calls.host, calls.trees) for calls in report.calls)
            report.not_built = [
                item
                for item in built
                if item.probe == name
                and item.status == "failed"
                and not self._is_said(item.error, item.hosts)
            ]
            reports.append(report)
        return reports


def _read_session(
    shard: _Shard,
    host: str,
    name: str,
    record: coverage.HostRecord,
    mergers: Mapping[str, fleet.HostMerger],
) -> coverage.SessionOutput | None:
    probe = shard.probes[name]
    limit = _limit(probe)
    with shard.run.open_output(host, name, limit) as stream:
        if stream is None:
            return None
        nonce = coverage.text(shard.entries[name], "nonce")
        # The stream itself is bounded and tells truncation apart, so the parser need not stop before it.
        reader = io.BufferedReader(stream, MAX_LINE)  # blocks of this size are read at once
        head = _head(reader.peek(), nonce) if probe.output in ("rows", "table") else ()
        session = parse_session(probe, nonce, reader, limit + 1)
        for batch in session.batches():
            mergers[batch.table].add_batch(batch)
        sessions = coverage.mapping(record.collect or {}, "sessions")
        expected = coverage.text(coverage.mapping(sessions, name), "sha256")
        said = shard.run.read_err(host, name)
        return coverage.SessionOutput(
            result=session.result,
            losses=read_losses(said) if said is not None else Losses(),
            cut=stream.cut,
            over_limit=stream.over_limit,
            altered=bool(expected) and expected != stream.sha256,
            head=head,
            exits=probe.exits,
        )


def _head(data: bytes, nonce: str) -> tuple[str, ...]:
    """The first whole lines of an output as they stand, without the nonce, which only says that a line is
    ours."""
    prefix = nonce.encode() + b"\t"
    lines = [line for line in data.split(b"\n")[:-1] if line.strip()]
    return tuple(plain(line.removeprefix(prefix)[:_LINE].rstrip(b"\r")) for line in lines[:HEAD_LINES])


def _text(host: str, result: SessionResult, window_s: float) -> HostText:
    """The first lines with their times. All kept ones are looked at: late ones tell how times are known."""
    clock = LineClock(result.window_ms, window_s * 1000)
    pairs = zip(result.text_lines, result.text_times, strict=True)
    times = [clock.time(line, told) for line, told in pairs][:FIRST_LINES]
    timed = ("own" if clock.own else "session") if clock.known else ""
    return HostText(host, list(result.text_lines[:FIRST_LINES]), result.text_lines_total, times, timed)


def _first_lines(shard: _Shard, host: str, name: str) -> list[str]:
    """The first lines of what the script itself printed, control records left out."""
    prefix = coverage.text(shard.entries[name], "nonce").encode() + b"\t"
    lines: list[str] = []
    with shard.run.open_output(host, name, FIRST_LINES * _LINE) as stream:
        if stream is None:
            return lines
        reader = io.BufferedReader(stream)
        while len(lines) < FIRST_LINES and (line := reader.readline(_LINE)):
            if line.strip() and not line.startswith(prefix):
                lines.append(decode(line.rstrip(b"\r\n")))
    return lines


def _addresses(preflight: Mapping[str, Any] | None) -> list[str]:
    listed = (preflight or {}).get("addresses")
    return [address for address in listed if isinstance(address, str)] if isinstance(listed, list) else []


def _limit(probe: Probe) -> int:
    return OUTPUT_FACTOR * probe.limits.output_mb * 1024 * 1024


def _interval_s(entry: Mapping[str, Any], probe: Probe, table: Table) -> float | None:
    """Seconds from one print of a table to the next; None if that is not known."""
    if probe.layouts:
        return next((layout.interval_s for layout in probe.layouts if layout.table == table), None)
    told = coverage.number(coverage.mapping(entry, "parameters"), "interval_s")
    return told if told is not None and told >= LEAST_INTERVAL_S else DEFAULT_INTERVAL_S
