# SPDX-License-Identifier: GPL-3.0-or-later
"""Which SystemTap works with which kernel and which staprun, as far as it is known before trying.

Two tables of known faults, each with its reason, its remedy and where it is recorded. They only ever refuse:
what they do not know is tried with a smoke module, because a release's "tested kernels" prove nothing (4.8
lists 6.1 and fails there). Versions are `5.1`, as `stap -V` prints them before the slash; releases are `uname
-r`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

Version = tuple[int, ...]

CROSS = {("x86_64", "aarch64")}
"""(builder, target): machines of which the one compiles for the other."""

FIRST_GOOD = "5.2"
"""The first SystemTap that knows the kernels of today's distributions."""


@dataclass(frozen=True)
class Verdict:
    """ok, or what is wrong (one clause), what to do about it, and the fault's id upstream."""

    ok: bool
    reason: str = ""
    remedy: str = ""
    bug: str = ""


OK = Verdict(True)


@dataclass(frozen=True)
class _Kernels:
    """Kernels from a release on: whole series, and the stable releases the change was carried back to."""

    since: Version
    stable: tuple[Version, ...] = ()
    debian_abi: tuple[int, int, int] | None = None

    def has(self, release: str) -> bool:
        kernel = version(release)
        # Debian 12 calls its kernels 6.1.0-50: the last number counts its own builds, and hides the stable
        # release.
        abi = re.match(r"(\d+)\.(\d+)\.0-(\d+)-", release)
        if abi and self.debian_abi and (int(abi[1]), int(abi[2])) == self.debian_abi[:2]:
            return int(abi[3]) >= self.debian_abi[2]
        return kernel >= self.since or any(
            kernel[:2] == stable[:2] and kernel[2:3] >= stable[2:3] for stable in self.stable
        )


@dataclass(frozen=True)
class _Fault:
    """SystemTap older than `fixed` and any of `kernels` do not work together."""

    fixed: Version
    kernels: _Kernels
    what: str
    bug: str


_FAULTS = (
    # Debian's own 5.1 carries the fix, upstream's does not until 5.2; the smoke module tells them apart.
    _Fault(
        fixed=(5, 1),
        kernels=_Kernels(
            since=(6, 11),
            stable=((5, 10, 224), (5, 15, 165), (6, 1, 103), (6, 6, 44), (6, 10, 3)),
            debian_abi=(6, 1, 25),
        ),
        what="compiles no script for kernel {kernel}, in which task_work_cancel() was renamed",
        bug="SystemTap commit a64dc4e2e",
    ),
    _Fault(
        fixed=(5, 2),
        kernels=_Kernels(since=(6, 12)),
        what="compiles modules that do not start on kernel {kernel} (Can't resolve uprobe_unregister!)",
        bug="PR32194",
    ),
)

# 5.0 renumbered the messages between staprun and the module on purpose, so that the two sides never mix.
_PROTOCOL = (5, 0)
_PROTOCOL_BUG = "PR29108"


def version(text: str) -> Version:
    """Return leading numbers of a version or kernel release: `6.12.107+deb13-amd64` -> (6, 12, 107), else ()."""
    found = re.match(r"\d{1,6}(?:\.\d{1,6}){0,3}", text.strip())
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def verdict(stap: str | None, staprun: str, kernel: str) -> Verdict:
    """Return whether a module built by `stap` can run under `staprun` on `kernel`, before anything is loaded.

    stap: None when no builder is chosen yet; then the answer is for the best one there could be.
    """
    runner = version(staprun)
    if not runner:
        return Verdict(
            False,
            "it has no staprun, or one that does not say its version",
            "install the SystemTap runtime on it (role install), then sweep again",
        )
    if stap is None:
        return OK if runner >= _PROTOCOL else _protocol(f"{FIRST_GOOD} or newer", staprun, old_runner=True)
    builder = version(stap)
    if not builder:
        return _no_stap()
    if (builder >= _PROTOCOL) != (runner >= _PROTOCOL):
        return _protocol(stap, staprun, old_runner=runner < _PROTOCOL)
    return _known_fault(stap, kernel)


def runnable(stap: str, stapruns: Iterable[str], kernel: str) -> Verdict:
    """Return OK if a host among these can run what this builder makes, else the verdict of the first."""
    verdicts = [verdict(stap, staprun, kernel) for staprun in stapruns]
    return next((one for one in verdicts if one.ok), verdicts[0] if verdicts else OK)


def builder_usable(stap: str, kernel: str) -> Verdict:
    """Return whether a builder with this SystemTap can make modules for `kernel` that also start there."""
    if not version(stap):
        return _no_stap()
    return _known_fault(stap, kernel)


def machine_usable(builder: str, target: str) -> Verdict:
    """Return whether a builder can compile for hosts of a machine. Both as `uname -m` says it; "" is taken for any."""
    if not builder or not target or builder == target or (builder, target) in CROSS:
        return OK
    return Verdict(
        False,
        f"a builder that is {builder} does not compile for hosts that are {target}",
        f"put a host that is {target} into the group systemtap_builders",
    )


def _no_stap() -> Verdict:
    return Verdict(
        False,
        "the builder has no SystemTap, or one that does not say its version",
        f"install SystemTap {FIRST_GOOD} or newer on the builder (role install)",
    )


def _protocol(stap: str, staprun: str, *, old_runner: bool) -> Verdict:
    if old_runner:
        remedy = f"install a SystemTap runtime {FIRST_GOOD} or newer on the host"
    else:
        remedy = f"use a builder with SystemTap {FIRST_GOOD} or newer"
    return Verdict(
        False,
        f"its staprun {staprun} cannot run modules built by SystemTap {stap}:"
        " the control protocol changed in 5.0",
        remedy,
        _PROTOCOL_BUG,
    )


def _known_fault(stap: str, kernel: str) -> Verdict:
    for fault in _FAULTS:
        if version(stap) < fault.fixed and fault.kernels.has(kernel):
            return Verdict(
                False,
                f"SystemTap {stap} {fault.what.format(kernel=kernel)} ({fault.bug})",
                f"use a builder with SystemTap {FIRST_GOOD} or newer, from a newer suite of the distribution",
                fault.bug,
            )
    return OK
