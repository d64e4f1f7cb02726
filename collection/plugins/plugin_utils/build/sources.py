# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps of a running sweep read from its run directory, and the sources a builder needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import (
    cache_key,
    module_cache,
    signing,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.module_cache import ModuleStore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog, parameters
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import process_points, target
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import (
    KernelBuild,
    ModuleBuild,
    ModuleListRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.program_files import ProgramFile
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    PreflightRecord,
    SweepRecord,
)

SMOKE = "smoke"
"""Name under which the trivial first module of a kernel is built; no probe may have it."""
FILES = Path(__file__).resolve().parents[3] / "roles" / "sweep" / "files"


@dataclass(frozen=True)
class Source:
    """One script to compile for one kernel. file: the name SystemTap uses in its messages.

    programs: what it probes of the hosts' programs and libraries, by the path that it names.
    """

    name: str
    file: str
    script: str
    args: list[str]
    flags: list[str]
    control: str
    key: str
    debuginfo: bool = False
    programs: Mapping[str, ProgramFile] = field(default_factory=dict)


def probes(sweep: SweepRecord) -> list[Probe]:
    """Return the probes of a sweep as it recorded them when it began: no catalog is read again for each host."""
    return [catalog.probe_of_own_sweep(entry.name, entry.manifest) for entry in sweep.probes]


def _with_scripts(sweep: SweepRecord) -> list[tuple[Probe, str, str]]:
    """Return (probe, file, text) of each: from the catalogs the sweep named, or recorded by the sweep itself."""
    catalogs = [catalog.shipped(), *map(Path, sweep.catalogs)]
    found = []
    for entry in sweep.probes:
        if entry.script is not None:
            probe = catalog.probe_from_manifest(entry.name, entry.manifest)
            found.append((probe, f"{probe.name}.stp", entry.script))
        else:
            probe = catalog.find([entry.name], catalogs)[0]
            if probe.script is None:
                raise AssertionError
            found.append((probe, probe.script.name, probe.script.read_text()))
    return found


def tapset() -> dict[str, str]:
    """Return {file name: text} of the tapset every script is compiled with."""
    return {path.name: path.read_text() for path in sorted((FILES / "tapset").iterdir())}


def programs(sweep: SweepRecord) -> dict[str, list[str]]:
    """Return {probe: paths of the programs it probes}; FleetdiagError for a script that names one in no usable way."""
    known = {entry.name: entry.parameters for entry in sweep.probes}
    found = {}
    for probe, _file, script in _with_scripts(sweep):
        try:
            paths = process_points.named(script, parameters.split(probe, known[probe.name])[1])
        except FleetdiagError as error:
            raise FleetdiagError(f"probe {probe.title or probe.name}: {error}") from error
        if paths:
            found[probe.name] = paths
    return found


def sources(
    sweep: SweepRecord,
    *,
    stap: str,
    kernel: str,
    build_id: str,
    signer: str = "",
    chosen: Mapping[str, ProgramFile] | None = None,
) -> list[Source]:
    """Return all to compile for one kernel, the smoke module first. signer: whose signature the modules carry.

    chosen: the builds of the hosts' programs to compile for, by path.
    """
    made_for = {"stap": stap, "kernel": kernel, "build_id": build_id, "signer": signer}
    control = (FILES / "control.stp").read_text()
    known = {entry.name: entry.parameters for entry in sweep.probes}
    wanted = [_smoke("smoke.stp", made_for)]
    probed = programs(sweep)
    for probe, file, script in _with_scripts(sweep):
        args = parameters.split(probe, known[probe.name])[1]
        flags = cache_key.flags(probe, sweep.overload_percent)
        second = control + target.FUNCTION if target.is_asked(probe) else control
        files = {path: (chosen or {}).get(path) or ProgramFile(path) for path in probed.get(probe.name, ())}
        source = Source(probe.name, file, script, args, flags, second, "", probe.requires_debuginfo, files)
        wanted.append(_with_key(source, made_for))
    return wanted


def self_test(*, stap: str, kernel: str, build_id: str, signer: str = "") -> Source:
    """Return what takes the smoke module's place where a probe is built with what the kernel tells of itself."""
    return _smoke("smoke_types.stp", {"stap": stap, "kernel": kernel, "build_id": build_id, "signer": signer})


def _smoke(file: str, made_for: Mapping[str, str]) -> Source:
    return _with_key(Source(SMOKE, file, (FILES / file).read_text(), [], [], "", ""), made_for)


def _with_key(source: Source, made_for: Mapping[str, str]) -> Source:
    key = cache_key.key(
        script=f"{source.name}\0{source.script}",
        tapset="\0".join(f"{name}\0{text}" for name, text in tapset().items()),
        control=source.control,
        compile_args=source.args,
        flags=source.flags,
        programs=[f"{file.path} {file.real} {file.sha256}" for file in source.programs.values()],
        **made_for,
    )
    return replace(source, key=key)


def built_before(
    sweep: SweepRecord, *, stap: str, facts: PreflightRecord, signer: str = ""
) -> KernelBuild | None:
    """Return the build of a kernel for which this SystemTap has built every module of the sweep already, or None."""
    kernel, build_id = facts.kernel, facts.kernel_build_id
    wanted = sources(sweep, stap=stap, kernel=kernel, build_id=build_id, signer=signer)
    entries = held(ModuleStore(), wanted)
    if any(module.types for module in entries.values()):
        test = self_test(stap=stap, kernel=kernel, build_id=build_id, signer=signer)
        del entries[SMOKE]
        entries.update(held(ModuleStore(), [test]))
    if len(entries) < len(wanted):
        return None
    return KernelBuild(kernel, stap=stap, signer=signer, probes=entries)


def held(modules: ModuleStore, wanted: Iterable[Source]) -> dict[str, ModuleBuild]:
    """Return {probe: its entry in builds/<kernel>.json} of those that the controller's store has."""
    entries: dict[str, ModuleBuild] = {}
    for source in wanted:
        path = modules.get(source.key)
        if path is not None:
            origin = module_cache.origin(modules.meta(source.key) or {})
            size = path.stat().st_size
            entries[source.name] = ModuleBuild("cached", path.stem, size, programs=source.programs, **origin)
    return entries


def module_files(sweep: SweepRecord) -> list[str]:
    """Return the kernel modules whose files a builder must have, with compile parameters filled in."""
    known = {entry.name: entry.parameters for entry in sweep.probes}
    return sorted(
        {name for probe in probes(sweep) for name in parameters.module_files(probe, known[probe.name])}
    )


def module_list(run: Path, sweep: SweepRecord, kernel: str, modules: Mapping[str, str]) -> signing.Signed:
    """Return the signed list of a kernel's modules, {probe: sha256}; the first host that asks has it signed."""
    text = signing.module_list(sweep.id, modules)
    kept = read.module_list(run, kernel)
    if kept is not None and kept.text == text and kept.signature:
        return signing.Signed(text, kept.signature)
    signed = signing.own().sign(text)
    write.module_list(run, kernel, ModuleListRecord(signed.text, signed.signature))
    return signed
