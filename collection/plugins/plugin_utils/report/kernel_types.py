# SPDX-License-Identifier: GPL-3.0-or-later
"""Say of probes that were built with what a kernel tells of itself (BTF) what their figures leave out.

Which functions have copies inline in others was measured for some series of kernels, with their debuginfo: a file of
names for each in `inlined/`, which `make test-debuginfo` writes. For others the size of a function tells.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import (
    KernelBuild,
    ModuleBuild,
)

NAMED_FUNCTIONS = 8
"""Functions that a note names before it only counts them."""
LISTED_FUNCTIONS = 100
"""Functions that a builder names of a module; of one with so many the rest is not known."""
SERIES = re.compile(r"(\d+\.\d+)\.\d+\+(deb\d+)-(amd64)")
FOLDER = Path(__file__).with_name("inlined")


class Missed(NamedTuple):
    """Hold functions of which calls are missed: `sure` by what was measured, `maybe` by their size.

    measured: whether their kernel is of a series that was measured. unknown: whether others may be among them.
    """

    sure: tuple[str, ...]
    maybe: tuple[str, ...]
    measured: bool
    unknown: bool


def notes(builds: Mapping[str, KernelBuild]) -> Iterator[str]:
    """Yield a note for each such probe. builds: by kernel."""
    for kernel, build in sorted(builds.items()):
        for probe, module in sorted(build.probes.items()):
            if module.types == "btf" and probe not in catalog.RESERVED:
                yield (
                    f"{probe} on kernel {kernel} was built with what the kernel tells of itself (BTF), since it wants"
                    f" more than headers have and no debuginfo was asked for: {_told(module, missed(kernel, module))}"
                )


def made_of_btf(build: KernelBuild, probe: str) -> bool:
    """Return whether a kernel's record says so of its module of a probe."""
    return build.probes.get(probe, ModuleBuild()).types == "btf"


def may_miss(build: KernelBuild, probe: str) -> bool:
    """Return whether a kernel's module of a probe may see nothing of what happens, as it happens in inline copies."""
    module = build.probes.get(probe, ModuleBuild())
    if module.types != "btf":
        return False
    found = missed(build.kernel, module)
    return bool(found.sure or found.maybe or found.unknown)


def missed(kernel: str, module: ModuleBuild) -> Missed:
    """Return the functions of which a module that was built with BTF may miss calls."""
    names = set(module.functions)
    unknown = not names or len(names) >= LISTED_FUNCTIONS
    if module.maker in ("", "1"):  # which did not say how large functions are
        return Missed((), module.functions, measured=False, unknown=unknown)
    known = measured(kernel)
    if known is None:
        return Missed((), tuple(sorted(names.intersection(module.small))), measured=False, unknown=unknown)
    own = names.difference(module.of_modules)
    maybe = names.intersection(module.small, module.of_modules)
    return Missed(tuple(sorted(own & known)), tuple(sorted(maybe)), measured=True, unknown=unknown)


@functools.lru_cache(maxsize=16)
def measured(kernel: str) -> frozenset[str] | None:
    """Return the functions of a kernel that have copies inline in others, None if that was not measured for its series.

    kernel: a release, as `uname -r` prints it.
    """
    found = SERIES.fullmatch(kernel)
    path = FOLDER / f"{'-'.join(found.groups())}.txt" if found else None
    if path is None or not path.is_file():
        return None
    return frozenset(line for line in path.read_text().splitlines() if not line.startswith("#"))


def _told(module: ModuleBuild, found: Missed) -> str:
    said = []
    if found.sure:
        said.append(
            f"of {_listed(found.sure)} the compiler put copies inline into other functions, as was measured for this"
            " series of kernels; calls of these copies are not counted"
        )
    if found.maybe:
        small = "the compiler may have put copies inline into other functions; calls of these are not counted"
        said.append(f"of {_listed(found.maybe)} {small}")
    if found.unknown:
        more = "more functions than are named here" if module.functions else "functions that are not named"
        said.append(f"it probes {more}, of which the same may hold")
    if not said:
        how = (
            "as was measured for this series of kernels"
            if found.measured
            else "so that few copies of them are inline in others"
        )
        kept = "are inline in others nowhere" if found.measured else "are large"
        return f"the functions that it probes ({_listed(module.functions)}) {kept}, {how}"
    return "; ".join([*said, "a zero that may come of that is compared with nothing"])


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - NAMED_FUNCTIONS} more" if len(names) > NAMED_FUNCTIONS else ""
    return ", ".join(names[:NAMED_FUNCTIONS]) + more
