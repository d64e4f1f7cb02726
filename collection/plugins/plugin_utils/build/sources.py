# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps of a running sweep read from its run directory, and the sources a builder needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import cache_key, signing
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.module_cache import ModuleStore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog, parameters
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import target
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import (
    KernelBuild,
    ModuleBuild,
    ModuleListRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    PreflightRecord,
    SweepRecord,
)

SMOKE = "smoke"
"""Name under which the trivial first module of a kernel is built; no probe may have it."""
FILES = Path(__file__).resolve().parents[3] / "roles" / "sweep" / "files"


@dataclass(frozen=True)
class Source:
    """One script to compile for one kernel. file: the name SystemTap uses in its messages."""

    name: str
    file: str
    script: str
    args: list[str]
    flags: list[str]
    control: str
    key: str
    debuginfo: bool = False


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


def sources(sweep: SweepRecord, *, stap: str, kernel: str, build_id: str, signer: str = "") -> list[Source]:
    """Return all to compile for one kernel, the smoke module first. signer: whose signature the modules carry."""
    library = "\0".join(f"{name}\0{text}" for name, text in tapset().items())
    control = (FILES / "control.stp").read_text()
    known = {entry.name: entry.parameters for entry in sweep.probes}

    def source(
        name: str, file: str, script: str, args: list[str], flags: list[str], second: str, debuginfo: bool
    ) -> Source:
        key = cache_key.key(
            script=f"{name}\0{script}",
            tapset=library,
            control=second,
            compile_args=args,
            flags=flags,
            stap=stap,
            kernel=kernel,
            build_id=build_id,
            signer=signer,
        )
        return Source(name, file, script, args, flags, second, key, debuginfo)

    smoke = (FILES / "smoke.stp").read_text()
    wanted = [source(SMOKE, "smoke.stp", smoke, [], [], "", debuginfo=False)]
    for probe, file, script in _with_scripts(sweep):
        args = parameters.split(probe, known[probe.name])[1]
        flags = cache_key.flags(probe, sweep.overload_percent)
        second = control + target.FUNCTION if target.is_asked(probe) else control
        wanted.append(source(probe.name, file, script, args, flags, second, probe.requires_debuginfo))
    return wanted


def built_before(
    sweep: SweepRecord, *, stap: str, facts: PreflightRecord, signer: str = ""
) -> KernelBuild | None:
    """Return the build of a kernel for which this SystemTap has built every module of the sweep already, or None."""
    kernel, build_id = facts.kernel, facts.kernel_build_id
    modules = ModuleStore()
    entries: dict[str, ModuleBuild] = {}
    for source in sources(sweep, stap=stap, kernel=kernel, build_id=build_id, signer=signer):
        path = modules.get(source.key)
        if path is None:
            return None
        entries[source.name] = ModuleBuild("cached", sha256=path.stem, bytes=path.stat().st_size)
    return KernelBuild(kernel, stap=stap, signer=signer, probes=entries)


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
