# SPDX-License-Identifier: GPL-3.0-or-later
"""Compile for kernels of another machine than the builder's: options of SystemTap and words for `make`.

Tried with Debian's kernels: their headers leave the programs that build modules to a package of the builder's own
machine, while those of Ubuntu and of EL bring such of the target's, which do not run here.
"""

from __future__ import annotations

import os
import re
import shutil

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import elf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.texts import read_text

# By what `uname -m` says: the kernel's own name of it, which is SystemTap's too, and what compilers for it begin with.
FOREIGN = {"aarch64": ("arm64", "aarch64-linux-gnu-")}
# Of which debuginfo can be made.
ELF_MACHINES = {"x86_64": elf.X86_64, "aarch64": elf.AARCH64}


def stap_options(machine: str) -> list[str]:
    """Return what `stap` is told for kernels of a machine (`uname -m` there, "" for the builder's own)."""
    if not _is_foreign(machine):
        return []
    name, prefix = FOREIGN[machine]
    return ["-a", name, "-B", f"CROSS_COMPILE={prefix}"]


def make_words(machine: str) -> list[str]:
    """Return what `make` is told in the build tree of a kernel of a machine."""
    if not _is_foreign(machine):
        return []
    name, prefix = FOREIGN[machine]
    return [f"ARCH={name}", f"CROSS_COMPILE={prefix}"]


def lacking(kernel: str, machine: str, modules: str = "/lib/modules") -> str:
    """Return what the builder lacks to compile for a kernel of a machine, as a sentence; "" if it lacks nothing.

    Nothing is said of headers that are not there: SystemTap says that itself.
    """
    if not _is_foreign(machine):
        return ""
    name, prefix = FOREIGN[machine]
    build = os.path.join(modules, kernel, "build")
    settings = read_text(os.path.join(build, ".config"))
    if settings and f"CONFIG_{name.upper()}=y" not in settings.splitlines():
        return (
            f"the headers of kernel {kernel} on this builder are not those of {machine}, of which only Debian's can be"
            f" used here; put a host that is {machine} into the group systemtap_builders"
        )
    own = re.search(
        r"^CC = .*\(CROSS_COMPILE\)(\S+)$", read_text(os.path.join(build, ".kernelvariables")), re.MULTILINE
    )
    compiler = prefix + (own.group(1) if own else "gcc")
    if settings and not shutil.which(compiler):
        return (
            f"this builder has no {compiler}, which compiles for hosts that are {machine}; let the sweep install it"
            f" (sweep_install), or install the package {compiler[len(prefix) :]}{'-' + prefix[:-1]}"
        )
    return ""


def elf_machine(machine: str) -> int:
    """Return ELF's number of a machine; KernelInfoError for one of which no debuginfo can be made."""
    name = machine or os.uname().machine
    if name not in ELF_MACHINES:
        raise KernelInfoError(
            f"what a kernel tells of itself (BTF) can be used on x86_64 and aarch64, not on {name}; ask for the"
            " distribution's debuginfo (docs/kernel_info.md)"
        )
    return ELF_MACHINES[name]


def _is_foreign(machine: str) -> bool:
    return machine in FOREIGN and machine != os.uname().machine
