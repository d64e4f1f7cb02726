# SPDX-License-Identifier: GPL-3.0-or-later
"""Say where a function's parameters are at its entry on x86-64 (System V ABI)."""

from __future__ import annotations

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import btf as kinds
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.btf import Btf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.convention import (
    NOWHERE,
    WORD,
    has_float,
    in_memory,
    in_registers,
    is_aggregate,
    named,
    rounded_up,
)

REGISTERS = (5, 4, 1, 2, 8, 9)  # rdi rsi rdx rcx r8 r9 in DWARF's numbers
STACK = 7  # rsp


def locations(btf: Btf, prototype: int) -> list[bytes]:
    """Return one DWARF expression for each named parameter of a prototype, NOWHERE for one that is not certain."""
    free = list(REGISTERS)
    if _returned_in_memory(btf, btf.values[prototype]):
        del free[0]  # has the address of the room for it
    stack = WORD  # above the return address
    found: list[bytes] = []
    parameters = named(btf, prototype)
    for parameter in parameters:
        size = btf.size(parameter)
        words = (size + WORD - 1) // WORD
        if not size or has_float(btf, parameter, 2 * WORD):
            # Where a float or something of no size is, and what comes after it, is not for this function to say.
            return found + [NOWHERE] * (len(parameters) - len(found))
        if words <= 2 and len(free) >= words and _fits_registers(btf, parameter):
            found.append(in_registers(free[:words], size))
            del free[:words]
            continue
        stack = WORD + rounded_up(stack - WORD, max(WORD, btf.alignment(parameter)))
        found.append(in_memory(STACK, stack))
        stack += words * WORD
    return found


def _returned_in_memory(btf: Btf, number: int) -> bool:
    if not number or not is_aggregate(btf, number):
        return False
    return btf.size(number) > 2 * WORD or not _fits_registers(btf, number)


def _fits_registers(btf: Btf, number: int) -> bool:
    """Return whether a value of at most two words has all its members where alignment would put them."""
    number = btf.plain(number)
    if btf.kinds[number] == kinds.ARRAY:
        return _fits_registers(btf, btf.parts[number][0])
    if not is_aggregate(btf, number):
        return True
    if btf.size(number) > 2 * WORD:
        return False
    return all(
        width or (not offset % (8 * btf.alignment(member)) and _fits_registers(btf, member))
        for _name, member, offset, width in btf.members(number)
    )
