# SPDX-License-Identifier: GPL-3.0-or-later
"""The run directories of one report: one for each shard, checked against each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.slow_steps import Tell
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import (
    peers,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect import settle
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Probe,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import coverage, kernel_types
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import Built, RunInfo
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.balancers import BalancersRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import FAILED, ModuleBuild
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    ArmRecord,
    CollectRecord,
    EventRecord,
    GoRecord,
    PreflightRecord,
    ProbeRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import WindowFile


class Shard:
    """One open run directory and what is common to its hosts."""

    def __init__(self, run: read.Run, label: str) -> None:
        self.run = run
        self.label = label
        self.window = run.window()
        self.balancers = run.balancers()
        self.builds = run.builds()
        self.events: dict[str, list[EventRecord]] = {}
        for event in run.read_events():
            self.events.setdefault(event.host, []).append(event)
        self.window_s = run.request.window_s
        self.entries: dict[str, ProbeRecord] = {}
        self.probes: dict[str, Probe] = {}
        for entry in run.request.probes:
            self._add_probe(entry)

    def _add_probe(self, entry: ProbeRecord) -> None:
        try:
            probe = catalog.probe_from_manifest(entry.name, entry.manifest)
        except (FleetdiagError, AttributeError) as why:
            self.run.notes.append(f"sweep.json: a probe cannot be shown: {why}")
            return
        self.probes[entry.name], self.entries[entry.name] = probe, entry

    def record(self, host: str) -> coverage.HostRecord:
        """Return what the run directory holds about one host, without the sessions' output."""
        run = self.run
        return coverage.HostRecord(
            host=host,
            sweep_id=run_id(run),
            probes=list(self.probes),
            window_s=self.window_s,
            window=self.window.of_host(host) if self.window else None,
            left_out=(self.window or WindowFile()).why_not(host)
            or (self.balancers or BalancersRecord()).why_not(host),
            builds=self.builds,
            preflight=run.of_host(host, PreflightRecord),
            arm=run.of_host(host, ArmRecord),
            go=run.of_host(host, GoRecord),
            collect=run.of_host(host, CollectRecord),
            events=self.events.get(host, ()),
            check_mode=run.request.check_mode,
        )

    def peers(self) -> dict[str, str]:
        """Return the set of each host of this shard."""
        return peers.recorded(self.run.request, self.run.hosts)

    @property
    def hashes(self) -> dict[str, str]:
        """Return what makes each probe's figures comparable with those of other sweeps, where that is known."""
        return {name: entry.hash for name, entry in self.entries.items() if entry.hash}

    def notes(self) -> list[str]:
        return [self.label + note for note in (*self.run.notes, *kernel_types.notes(self.builds))]


def run_id(run: read.Run) -> str:
    return run.request.id or run.path.name


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return a sort key that puts web2 before web10, however the hosts were distributed over sweeps."""
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+", name)
    return [(int(part), "") if part.isdigit() and part.isascii() else (-1, part) for part in parts], name


def probes_of(shards: Sequence[Shard]) -> dict[str, Probe]:
    probes: dict[str, Probe] = {}
    for shard in shards:
        for name, probe in shard.probes.items():
            if probes.setdefault(name, probe).manifest != probe.manifest:
                raise FleetdiagError(
                    f"{shard.run.path}: its probe {name} differs from the other directories'; report it alone"
                )
    check_parameters(shards)
    return probes


def settled(shards: Sequence[Shard], probes: Mapping[str, Probe], begin: Tell) -> dict[str, Probe]:
    """Return `probes`, those of unknown output form with the one found in what was printed; `shards` get them too.

    begin: gets the name of each step, see base.slow_steps.
    """
    settled = dict(probes)
    for name, probe in probes.items():
        if probe.output == "auto":
            begin(f"{printable(name)}: finding out what form its output has")
            owners = [shard for shard in shards if name in shard.probes]
            printed = (
                sample
                for shard in owners
                for sample in settle.samples(shard.run, name, shard.entries[name].nonce)
            )
            settled[name] = settle.settled(probe, owners[0].entries[name].script or "", printed)
            for shard in owners:
                shard.probes[name] = settled[name]
    return settled


def check_parameters(shards: Sequence[Shard]) -> None:
    """Raise FleetdiagError where a probe ran with other parameters: such figures are not of the same kind."""
    known: dict[str, Mapping[str, Any]] = {}
    for shard in shards:
        for name, entry in shard.entries.items():
            if known.setdefault(name, entry.parameters) != entry.parameters:
                raise FleetdiagError(
                    f"{shard.run.path}: its probe {name} ran with other parameters; report it alone"
                )


def unlike(shards: Sequence[Shard]) -> Iterator[str]:
    lengths = sorted({shard.window_s for shard in shards})
    if len(lengths) > 1:
        named = ", ".join(f"{length:g} s" for length in lengths)
        yield f"windows of different length are in this report ({named}): compare rates, not totals"
    for shard in shards:
        windows = (shard.window or WindowFile()).reached
        if windows > 1:
            yield (
                f"{shard.label}hosts were probed in {windows} windows one after the other: what happened in only one"
                " of them makes alike hosts look different"
            )


def homes_of(shards: Sequence[Shard]) -> dict[str, Shard]:
    homes: dict[str, Shard] = {}
    for shard in shards:
        for host in shard.run.hosts:
            if host in homes:
                raise FleetdiagError(
                    f"host {host!r} is in {homes[host].run.path} and in {shard.run.path};"
                    " only run directories of different hosts make one report"
                )
            homes[host] = shard
    return homes


def run_info(shard: Shard) -> RunInfo:
    sweep, window = shard.run.request, shard.window or WindowFile()
    built = sorted({build.builder for build in shard.builds.values()} - {""})
    return RunInfo(
        id=run_id(shard.run),
        path=str(shard.run.path.absolute()),
        created=sweep.created,
        fleetdiag=sweep.fleetdiag,
        window_s=shard.window_s,
        start=window.start,
        end=window.end,
        hosts=len(shard.run.hosts),
        builders=tuple(built) if sweep.builders is None else sweep.builders,
        conditions=sweep.conditions,
        batches=window.reached,
        name=sweep.name,
        hashes=shard.hashes,
    )


def built_modules(shard: Shard, rows: Mapping[str, coverage.HostCoverage]) -> Iterator[Built]:
    for kernel, build in sorted(shard.builds.items()):
        hosts = tuple(host for host in shard.run.hosts if rows[host].kernel == kernel)
        modules = build.probes
        if not modules and build.error:  # nothing can be built for this kernel
            modules = dict.fromkeys(shard.probes, ModuleBuild(FAILED, error=build.error))
        for probe, module in modules.items():
            yield Built(
                kernel=kernel,
                builder=module.builder or build.builder,
                stap=module.stap or build.stap,
                probe=probe,
                status=module.status,
                seconds=module.seconds,
                error=module.failure if module.failed else "",
                hosts=hosts,
            )


def together(built: Iterable[Built]) -> list[Built]:
    """Return the builds by kernel and probe; what several run directories say alike is there once."""
    hosts: dict[Built, list[str]] = {}
    for item in built:
        hosts.setdefault(replace(item, hosts=()), []).extend(item.hosts)
    items = [replace(item, hosts=tuple(sorted(names, key=natural))) for item, names in hosts.items()]
    return sorted(items, key=lambda item: (item.kernel, item.probe, item.builder, item.status, item.hosts))
