# SPDX-License-Identifier: GPL-3.0-or-later
"""Say where a function's parameters are at its entry, by the calling convention of x86-64 (System V ABI).

What is not certain has no place: a script that asks for it does not compile, which is better than a wrong figure.
"""

from __future__ import annotations

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import btf as kinds
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.btf import Btf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.leb import signed, unsigned

REGISTERS = (5, 4, 1, 2, 8, 9)  # rdi rsi rdx rcx r8 r9 in DWARF's numbers
STACK = 7  # rsp
WORD = 8
OP_REG, OP_BREG, OP_PIECE = 0x50, 0x70, 0x93
NOWHERE = b""


def locations(btf: Btf, prototype: int) -> list[bytes]:
    """Return one DWARF expression for each named parameter of a prototype, NOWHERE for one that is not certain."""
    free = list(REGISTERS)
    if _returned_in_memory(btf, btf.values[prototype]):
        del free[0]  # has the address of the room for it
    stack = WORD  # above the return address
    found: list[bytes] = []
    for parameter in btf.parts[prototype][1::2]:
        if not parameter:  # "..."
            break
        size = btf.size(parameter)
        words = (size + WORD - 1) // WORD
        if not size or _has_float(btf, parameter):
            # Where a float or something of no size is, and what comes after it, is not for this function to say.
            return found + [NOWHERE] * (_named(btf, prototype) - len(found))
        if words <= 2 and len(free) >= words and _fits_registers(btf, parameter):
            found.append(_in_registers(free[:words], size))
            del free[:words]
            continue
        alignment = max(WORD, btf.alignment(parameter))
        stack = WORD + (stack - WORD + alignment - 1) // alignment * alignment
        found.append(bytes([OP_BREG + STACK]) + signed(stack))
        stack += words * WORD
    return found


def _named(btf: Btf, prototype: int) -> int:
    parameters = btf.parts[prototype][1::2]
    return parameters.index(0) if 0 in parameters else len(parameters)


def _in_registers(registers: list[int], size: int) -> bytes:
    if len(registers) == 1:
        return bytes([OP_REG + registers[0]])
    low, high = registers
    return bytes([OP_REG + low, OP_PIECE, WORD, OP_REG + high, OP_PIECE]) + unsigned(size - WORD)


def _is_aggregate(btf: Btf, number: int) -> bool:
    return btf.kinds[btf.plain(number)] in (kinds.STRUCT, kinds.UNION)


def _returned_in_memory(btf: Btf, number: int) -> bool:
    if not number or not _is_aggregate(btf, number):
        return False
    return btf.size(number) > 2 * WORD or not _fits_registers(btf, number)


def _has_float(btf: Btf, number: int) -> bool:
    """Return whether a value has a float in it, at any depth."""
    number = btf.plain(number)
    kind = btf.kinds[number]
    if kind == kinds.ARRAY:
        return _has_float(btf, btf.parts[number][0])
    if kind in (kinds.STRUCT, kinds.UNION) and btf.size(number) <= 2 * WORD:
        return any(_has_float(btf, member) for _name, member, _offset, _width in btf.members(number))
    return kind == kinds.FLOAT


def _fits_registers(btf: Btf, number: int) -> bool:
    """Return whether a value of at most two words has all its members where alignment would put them."""
    number = btf.plain(number)
    if btf.kinds[number] == kinds.ARRAY:
        return _fits_registers(btf, btf.parts[number][0])
    if not _is_aggregate(btf, number):
        return True
    if btf.size(number) > 2 * WORD:
        return False
    return all(
        width or (not offset % (8 * btf.alignment(member)) and _fits_registers(btf, member))
        for _name, member, offset, width in btf.members(number)
    )
