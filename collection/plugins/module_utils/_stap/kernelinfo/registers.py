# SPDX-License-Identifier: GPL-3.0-or-later
"""Say where a function's parameters are at its entry, by the calling convention of the machine.

What is not certain has no place: a script that asks for it does not compile, which is better than a wrong figure.
"""

from __future__ import annotations

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import (
    aapcs64,
    elf,
    sysv_x86_64,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.btf import Btf

CONVENTIONS = {elf.X86_64: sysv_x86_64.locations, elf.AARCH64: aapcs64.locations}


def locations(btf: Btf, prototype: int, machine: int) -> list[bytes]:
    """Return one DWARF expression for each named parameter of a prototype, empty for one that is not certain.

    machine: ELF's number of it.
    """
    return CONVENTIONS[machine](btf, prototype)
