# SPDX-License-Identifier: GPL-3.0-or-later
"""The run directories of one report: one for each shard, checked against each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
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
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import (
    balancers,
    builds,
    read,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import (
    reached,
    why_not,
    window_of,
)


class Shard:
    """One open run directory and what is common to its hosts."""

    def __init__(self, run: read.Run, label: str) -> None:
        self.run = run
        self.label = label
        self.window = run.read_json("window.json")
        self.balancers = run.read_json(balancers.FILE)
        self.builds = run.read_builds()
        self.events: dict[str, list[dict[str, Any]]] = {}
        for event in run.read_events():
            if isinstance(event.get("host"), str):
                self.events.setdefault(event["host"], []).append(event)
        self.window_s = max(0.0, untrusted.number(run.sweep, "window_s") or 0.0)
        entries = run.sweep.get("probes")
        self.entries: dict[str, Mapping[str, Any]] = {}
        self.probes: dict[str, Probe] = {}
        for entry in entries if isinstance(entries, list) else []:
            self._add_probe(entry)

    def _add_probe(self, entry: Any) -> None:
        name = untrusted.text(entry, "name") if isinstance(entry, Mapping) else ""
        try:
            probe = catalog.probe_from_manifest(name, dict(untrusted.mapping(entry, "manifest")))
        except (FleetdiagError, AttributeError) as why:
            self.run.notes.append(f"sweep.json: a probe cannot be shown: {why}")
            return
        self.probes[name], self.entries[name] = probe, entry

    def record(self, host: str) -> coverage.HostRecord:
        """What the run directory holds about one host, without the sessions' output."""
        run = self.run
        return coverage.HostRecord(
            host=host,
            sweep_id=run_id(run),
            probes=list(self.probes),
            window_s=self.window_s,
            window=window_of(self.window, host),
            left_out=why_not(self.window, host) or balancers.why_not(self.balancers, host),
            builds=self.builds,
            preflight=run.read_host(host, "preflight"),
            arm=run.read_host(host, "arm"),
            go=run.read_host(host, "go"),
            collect=run.read_host(host, "collect"),
            events=self.events.get(host, ()),
            check_mode=run.sweep.get("check_mode") is True,
        )

    def peers(self) -> dict[str, str]:
        """The set of each host of this shard."""
        return peers.recorded(self.run.sweep, self.run.hosts)

    @property
    def hashes(self) -> dict[str, str]:
        """Return what makes each probe's figures comparable with those of other sweeps, where that is known."""
        found = {name: untrusted.text(entry, "hash") for name, entry in self.entries.items()}
        return {name: value for name, value in found.items() if value}

    def notes(self) -> list[str]:
        return [self.label + note for note in (*self.run.notes, *kernel_types.notes(self.builds))]


def run_id(run: read.Run) -> str:
    return untrusted.text(run.sweep, "id") or run.path.name


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """web2 before web10, however the hosts were distributed over sweeps."""
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


def settled(shards: Sequence[Shard], probes: Mapping[str, Probe]) -> dict[str, Probe]:
    """The same, those whose output has an unknown form with the one that is found in what was printed."""
    settled = dict(probes)
    for name, probe in probes.items():
        if probe.output == "auto":
            owners = [shard for shard in shards if name in shard.probes]
            printed = (
                sample
                for shard in owners
                for sample in settle.samples(shard.run, name, untrusted.text(shard.entries[name], "nonce"))
            )
            settled[name] = settle.settled(probe, untrusted.text(owners[0].entries[name], "script"), printed)
            for shard in owners:
                shard.probes[name] = settled[name]
    return settled


def check_parameters(shards: Sequence[Shard]) -> None:
    """Figures of other settings are not of the same kind."""
    known: dict[str, Mapping[str, Any]] = {}
    for shard in shards:
        for name, entry in shard.entries.items():
            parameters = untrusted.mapping(entry, "parameters")
            if known.setdefault(name, parameters) != parameters:
                raise FleetdiagError(
                    f"{shard.run.path}: its probe {name} ran with other parameters; report it alone"
                )


def unlike(shards: Sequence[Shard]) -> Iterator[str]:
    lengths = sorted({shard.window_s for shard in shards})
    if len(lengths) > 1:
        named = ", ".join(f"{length:g} s" for length in lengths)
        yield f"windows of different length are in this report ({named}): compare rates, not totals"
    for shard in shards:
        windows = reached(shard.window)
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
    sweep, window = shard.run.sweep, shard.window or {}
    listed = sweep.get("builders")
    built = sorted({untrusted.text(data, "builder") for data in shard.builds.values()} - {""})
    builders = [str(name) for name in listed] if isinstance(listed, list) else built
    return RunInfo(
        id=run_id(shard.run),
        path=str(shard.run.path.absolute()),
        created=untrusted.text(sweep, "created"),
        fleetdiag=untrusted.text(sweep, "fleetdiag"),
        window_s=shard.window_s,
        start=untrusted.number(window, "start"),
        end=untrusted.number(window, "end"),
        hosts=len(shard.run.hosts),
        builders=tuple(builders),
        conditions=untrusted.mapping(sweep, "conditions"),
        batches=reached(window),
        name=untrusted.text(sweep, "name"),
        hashes=shard.hashes,
    )


def built_modules(shard: Shard, rows: Mapping[str, coverage.HostCoverage]) -> Iterator[Built]:
    for kernel, data in sorted(shard.builds.items()):
        hosts = tuple(host for host in shard.run.hosts if rows[host].kernel == kernel)
        modules = untrusted.mapping(data, "probes")
        if not modules and untrusted.text(data, "error"):  # nothing can be built for this kernel
            modules = {probe: {"status": "failed", "error": data["error"]} for probe in shard.probes}
        for probe in modules:
            entry = untrusted.mapping(modules, probe)
            status = untrusted.text(entry, "status")
            yield Built(
                kernel=kernel,
                builder=untrusted.text(entry, "builder") or untrusted.text(data, "builder"),
                stap=untrusted.text(entry, "stap") or untrusted.text(data, "stap"),
                probe=probe,
                status=status,
                seconds=untrusted.number(entry, "seconds"),
                error=builds.build_error(entry) if status == "failed" else "",
                hosts=hosts,
            )


def together(built: Iterable[Built]) -> list[Built]:
    """What several run directories say alike is said once, by kernel and probe."""
    hosts: dict[Built, list[str]] = {}
    for item in built:
        hosts.setdefault(replace(item, hosts=()), []).extend(item.hosts)
    items = [replace(item, hosts=tuple(sorted(names, key=natural))) for item, names in hosts.items()]
    return sorted(items, key=lambda item: (item.kernel, item.probe, item.builder, item.status, item.hosts))
