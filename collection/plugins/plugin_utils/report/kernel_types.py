# SPDX-License-Identifier: GPL-3.0-or-later
"""Say of probes that were built with what a kernel tells of itself (BTF) what their figures leave out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted

NAMED_FUNCTIONS = 8
"""Functions that a note names before it only counts them."""


def notes(builds: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a note for each such probe. builds: {kernel: its builds/<kernel>.json}."""
    for kernel, data in sorted(builds.items()):
        modules = untrusted.mapping(data, "probes")
        for probe in sorted(modules):
            if not made_of_btf(data, probe):
                continue
            listed = untrusted.mapping(modules, probe).get("functions")
            names = [str(name) for name in listed] if isinstance(listed, list) else []
            more = f" and {len(names) - NAMED_FUNCTIONS} more" if len(names) > NAMED_FUNCTIONS else ""
            of = f" of {', '.join(names[:NAMED_FUNCTIONS])}{more}" if names else ""
            yield (
                f"{probe} on kernel {kernel} was built with what the kernel tells of itself (BTF), since it wants more"
                f" than headers have and no debuginfo was asked for: calls{of} that the compiler put inline into other"
                " functions are not counted, and which those are may differ from kernel to kernel"
            )


def made_of_btf(built: Mapping[str, Any], probe: str) -> bool:
    """Return whether a kernel's record says so of its module of a probe."""
    entry = untrusted.mapping(untrusted.mapping(built, "probes"), probe)
    return untrusted.text(entry, "types") == "btf"
