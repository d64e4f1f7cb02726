# SPDX-License-Identifier: GPL-3.0-or-later
"""Share what calling conventions have in common: expressions of DWARF, and questions about types."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import btf as kinds
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.btf import Btf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.leb import signed, unsigned

WORD = 8
OP_DEREF, OP_REG, OP_BREG, OP_PIECE = 0x06, 0x50, 0x70, 0x93
NOWHERE = b""


def in_registers(registers: Sequence[int], size: int) -> bytes:
    """Return where a value of `size` bytes is that is in one register, or in two."""
    if len(registers) == 1:
        return bytes([OP_REG + registers[0]])
    low, high = registers
    return bytes([OP_REG + low, OP_PIECE, WORD, OP_REG + high, OP_PIECE]) + unsigned(size - WORD)


def in_memory(register: int, offset: int) -> bytes:
    """Return where a value is that is in memory, `offset` bytes after what a register points to."""
    return bytes([OP_BREG + register]) + signed(offset)


def rounded_up(number: int, multiple: int) -> int:
    """Return the next number that is a multiple."""
    return -(-number // multiple) * multiple


def named(btf: Btf, prototype: int) -> list[int]:
    """Return the types of the parameters of a prototype before its "..."."""
    parameters = btf.parts[prototype][1::2]
    return list(parameters[: parameters.index(0)] if 0 in parameters else parameters)


def is_aggregate(btf: Btf, number: int) -> bool:
    """Return whether a type is a structure or a union."""
    return btf.kinds[btf.plain(number)] in (kinds.STRUCT, kinds.UNION)


def has_float(btf: Btf, number: int, most: int) -> bool:
    """Return whether a value has a float in it, at any depth. most: bytes of the largest structures to look into."""
    number = btf.plain(number)
    kind = btf.kinds[number]
    if kind == kinds.ARRAY:
        return has_float(btf, btf.parts[number][0], most)
    if kind in (kinds.STRUCT, kinds.UNION) and btf.size(number) <= most:
        return any(has_float(btf, member, most) for _name, member, _offset, _width in btf.members(number))
    return kind == kinds.FLOAT
