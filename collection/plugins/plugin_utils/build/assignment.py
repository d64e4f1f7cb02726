# SPDX-License-Identifier: GPL-3.0-or-later
"""Which builder compiles which modules for which kernel, and in which order they are tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import programs
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.program_files import ProgramFile
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import PreflightRecord


@dataclass(frozen=True)
class Build:
    """What one host has compiled, for its own kernel or another's. leader: that host; it waits, the builder works.

    builders: whom to ask, one after the other until one can; target_mode: the leader itself. names: of the modules.
    whole: they are all that is wanted for this kernel. stapruns: the versions of staprun on the kernel's hosts; where
    none can run a builder's modules, nothing is compiled. programs: the builds of the hosts' programs that are probed.
    machine: `uname -m` of the leader, "" where it did not say.
    """

    kernel: str
    build_id: str
    builders: list[str]
    leader: str
    names: list[str]
    whole: bool
    target_mode: bool
    stapruns: list[str]
    programs: Mapping[str, ProgramFile] = field(default_factory=dict)
    machine: str = ""


def builds(
    preflights: Iterable[PreflightRecord],
    builders: Sequence[str],
    names: Sequence[str],
    had: Mapping[str, Mapping[str, ProgramFile]] | None = None,
) -> list[Build]:
    """Share the kernels of the hosts that can be probed among the builders.

    names: of the modules that every kernel needs. Where there are more builders than kernels, they share the modules
    of one kernel, as far as there are hosts to lead. Without a builder each kernel is built by its first host (target
    mode). Order of hosts decides; kernels are sorted. had: {host: what it has of the programs that are probed, by path}.
    """
    leaders: dict[str, PreflightRecord] = {}
    stapruns: dict[str, set[str]] = {}
    others: list[str] = []
    files: dict[str, list[Mapping[str, ProgramFile]]] = {}
    for facts in preflights:
        if facts.verdict == "ok":
            if leaders.setdefault(facts.kernel, facts) is not facts:
                others.append(facts.host)
            stapruns.setdefault(facts.kernel, set()).add(facts.staprun)
            files.setdefault(facts.kernel, []).append((had or {}).get(facts.host, {}))
    found = []
    for position, (kernel, facts) in enumerate(sorted(leaders.items())):
        turns = _turns(position, len(leaders), builders) or [[facts.host]]
        paths = dict.fromkeys(path for own in files[kernel] for path in own)
        chosen = programs.chosen(paths, files[kernel])
        parts = min(len(turns), len(names), 1 + len(others))
        for part, asked in enumerate(turns[:parts]):
            found.append(
                Build(
                    kernel=kernel,
                    build_id=facts.kernel_build_id,
                    builders=asked,
                    leader=others.pop(0) if part else facts.host,
                    names=list(names[part::parts]),
                    whole=parts == 1,
                    target_mode=not builders,
                    stapruns=sorted(stapruns[kernel]),
                    programs=chosen,
                    machine=facts.machine,
                )
            )
    return found


def _turns(position: int, kernels: int, builders: Sequence[str]) -> list[list[str]]:
    """Return for each builder of a kernel's own all builders in the order in which they are asked, that one first."""
    if not builders:
        return []
    own = list(builders[position::kernels]) or [builders[position % len(builders)]]
    rest = [builder for builder in builders if builder not in own]
    rest = rest[position % max(len(rest), 1) :] + rest[: position % max(len(rest), 1)]
    return [own[part:] + own[:part] + rest for part in range(len(own))]
