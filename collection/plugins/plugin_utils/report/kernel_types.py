# SPDX-License-Identifier: GPL-3.0-or-later
"""Say of probes that were built with what a kernel tells of itself (BTF) what their figures leave out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import (
    KernelBuild,
    ModuleBuild,
)

NAMED_FUNCTIONS = 8
"""Functions that a note names before it only counts them."""


def notes(builds: Mapping[str, KernelBuild]) -> Iterator[str]:
    """Yield a note for each such probe. builds: by kernel."""
    for kernel, build in sorted(builds.items()):
        for probe, module in sorted(build.probes.items()):
            if module.types != "btf":
                continue
            names = module.functions
            more = f" and {len(names) - NAMED_FUNCTIONS} more" if len(names) > NAMED_FUNCTIONS else ""
            of = f" of {', '.join(names[:NAMED_FUNCTIONS])}{more}" if names else ""
            yield (
                f"{probe} on kernel {kernel} was built with what the kernel tells of itself (BTF), since it wants more"
                f" than headers have and no debuginfo was asked for: calls{of} that the compiler put inline into other"
                " functions are not counted, and which those are may differ from kernel to kernel"
            )


def made_of_btf(build: KernelBuild, probe: str) -> bool:
    """Return whether a kernel's record says so of its module of a probe."""
    return build.probes.get(probe, ModuleBuild()).types == "btf"
