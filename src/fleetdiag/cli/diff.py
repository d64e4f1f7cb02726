# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag diff A B`: what is not the same in two runs, and what cannot be said."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import figures_file
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import (
    finding_records,
    news_file,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import history, read
from fleetdiag.cli import options
from fleetdiag.run.report import EXIT_FOUND, EXIT_OK

MOVED = 10
"""Measures that are shown, those that moved most."""
LEAST = 1.25
"""Factor from which on a measure has moved."""


@dataclass
class Difference:
    """From one run to another. moved: {host, measure, before, after, factor}, ratios beside the host's peers.

    appeared: {host, measure, before, after}, figures of hosts whose peers have nothing, one of the two 0.
    """

    lost: list[str] = field(default_factory=list)
    new_hosts: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    kernels: dict[str, tuple[str, str]] = field(default_factory=dict)
    probes: dict[str, str] = field(default_factory=dict)
    findings: list[dict[str, str]] = field(default_factory=list)
    moved: list[dict[str, Any]] = field(default_factory=list)
    appeared: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Return True if nothing but measures differs."""
        return not (self.lost or self.new_hosts or self.kernels or self.probes or self.findings)


@dataclass(frozen=True)
class _Run:
    id: str
    hosts: list[str]
    figures: figures_file.Sweep
    records: Mapping[str, finding_records.Record]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `fleetdiag diff A B`."""
    parser = commands.add_parser(
        "diff",
        help="compare two runs",
        description="Compare two runs: hosts, kernels, probes, findings, and the measures that moved most beside"
        " their peers. Ends with 0 if nothing but measures differs, else with 4.",
    )
    parser.add_argument("before", metavar="A", help=f"the earlier run: {options.RUN_HELP}")
    parser.add_argument("after", metavar="B", help="the later run")
    options.add_runs_dir(parser)
    options.add_json(parser)
    parser.set_defaults(func=_run)


def _run(args: argparse.Namespace) -> int:
    before, after = (_read(options.run_dir(word, args)) for word in (args.before, args.after))
    found = difference(before, after)
    if args.json:
        options.print_json({"before": before.id, "after": after.id, **vars(found)})
    else:
        for line in lines(found):
            print(printable(line))
    return EXIT_OK if found.is_empty else EXIT_FOUND


def _read(path: Path) -> _Run:
    run = read.open_run(path)
    data = read.read_json(path, history.FIGURES)
    if data is None:
        raise FleetdiagError(f"{path}: has no figures to compare; make its report: fleetdiag report {path}")
    told = news_file.read(path) or {}
    records = {record.fingerprint: record for record in news_file.records_of(told) if record.told}
    return _Run(path.name, run.hosts, figures_file.read(path.name, data), records)


def difference(before: _Run, after: _Run) -> Difference:
    """Return what differs; of hosts and probes that only one run has, no figure is compared."""
    one, other = _covered(before), _covered(after)
    asked = set(before.hosts) | set(after.hosts)
    found = Difference(
        lost=sorted(one - other),
        new_hosts=sorted(other - one),
        unknown=sorted(asked - (one & other)),
    )
    for host in sorted(one & other):
        then, now = before.figures.kernels.get(host, ""), after.figures.kernels.get(host, "")
        if then and now and then != now:
            found.kernels[host] = (then, now)
    for probe in sorted({*before.figures.hashes, *after.figures.hashes}):
        hashes = [run.figures.hashes.get(probe) for run in (before, after)]
        if hashes[0] != hashes[1]:
            only = "only before" if hashes[1] is None else "only after"
            found.probes[probe] = only if None in hashes else "changed"
    found.findings = list(_findings(before, after, other))
    found.moved, found.appeared = _measures_of(before.figures, after.figures)
    return found


def _covered(run: _Run) -> set[str]:
    return {host for hosts in run.figures.sampled.values() for host in hosts}


def _findings(before: _Run, after: _Run, covered: set[str]) -> Iterator[dict[str, str]]:
    """Yield what is new, worse or gone; what was open on a host that is not covered now is not gone."""
    for name, record in after.records.items():
        then = before.records.get(name)
        if then is None and record.state != "unknown":
            yield {"change": "new", "fingerprint": name, "sentence": record.sentence}
        elif then is not None and finding_records.RANK[record.severity] < finding_records.RANK[then.severity]:
            yield {"change": "worse", "fingerprint": name, "sentence": record.sentence}
    for name, record in before.records.items():
        if name not in after.records:
            there = record.of == "set" or record.who in covered
            change = "gone" if there else "unknown"
            yield {"change": change, "fingerprint": name, "sentence": record.sentence}


def _measures_of(
    before: figures_file.Sweep, after: figures_file.Sweep
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the measures that moved most, and the largest that appeared or went, of the hosts that both runs have.

    The first as ratios to the median of the peers; the second as they are, where there is no such ratio in both runs.
    """
    moved, appeared = [], []
    for measure in sorted(before.measures.keys() & after.measures.keys()):
        if before.hashes.get(measure[0]) != after.hashes.get(measure[0]):
            continue
        levels = before.measures[measure], after.measures[measure]
        ratios = _ratios(before, measure), _ratios(after, measure)
        for host in levels[0].keys() & levels[1].keys():
            rated = host in ratios[0] and host in ratios[1]
            pair = [one[host] for one in ratios] if rated else [one[host].value for one in levels]
            entry: dict[str, Any] = {"host": host, "measure": ".".join(measure)}
            entry |= {"before": round(pair[0], 3), "after": round(pair[1], 3)}
            factor = max(pair) / max(min(pair), 1e-3)
            if rated and factor >= LEAST:
                moved.append({**entry, "factor": round(factor, 2)})
            elif not rated and min(pair) == 0 < max(pair):
                appeared.append(entry)
    moved.sort(key=lambda item: -item["factor"])
    appeared.sort(key=lambda item: -max(item["before"], item["after"]))
    return moved[:MOVED], appeared[:MOVED]


def _ratios(sweep: figures_file.Sweep, measure: tuple[str, str, str]) -> dict[str, float]:
    levels = sweep.measures[measure]
    by_set: dict[str, list[float]] = {}
    for host, level in levels.items():
        by_set.setdefault(sweep.peers.get(host, ""), []).append(level.value)
    middles = {name: median(values) for name, values in by_set.items() if len(values) > 1}
    return {
        host: level.value / middle
        for host, level in levels.items()
        if (middle := middles.get(sweep.peers.get(host, ""), 0.0)) > 0
    }


def lines(found: Difference) -> Iterator[str]:
    """Yield the difference for a terminal."""
    said = []
    if found.lost:
        said.append(f"{len(found.lost)} lost: {_some(found.lost)}")
    if found.new_hosts:
        said.append(f"{len(found.new_hosts)} new: {_some(found.new_hosts)}")
    if said:
        yield f"hosts     {'; '.join(said)}"
    changes: dict[tuple[str, str], list[str]] = {}
    for host, kernels in found.kernels.items():
        changes.setdefault(kernels, []).append(host)
    for (then, now), hosts in changes.items():
        yield f"kernels   {_some(hosts)} {then} -> {now}"
    for probe, what in found.probes.items():
        yield f"probes    {probe}: {what}, its figures are not compared"
    for item in found.findings:
        yield f"findings  {item['change']:7} {item['fingerprint'][:6]}  {item['sentence']}"
    yield from _measures("measures that moved most (ratio to the median of the peers)", found.moved)
    yield from _measures("measures of hosts whose peers have nothing", found.appeared)
    if found.unknown:
        yield f"cannot say for {_some(found.unknown)}"
    if found.is_empty and not (found.moved or found.appeared or found.unknown):
        yield "nothing differs"


def _measures(title: str, items: list[dict[str, Any]]) -> Iterator[str]:
    if items:
        yield title
    width = max((len(item["host"]) for item in items), default=0)
    for item in items:
        yield f"          {item['host']:{width}}  {item['measure']}  {item['before']:g} -> {item['after']:g}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
