# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the types of BTF as entries of DWARF, one for each, in the same order."""

from __future__ import annotations

import struct
from collections.abc import Callable

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import btf as kinds
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import dwarf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.btf import Btf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.dwarf import WORD, Info
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.leb import signed, unsigned

SIGNED, CHAR, BOOL = 1, 2, 4  # encodings of BTF
ATE_BOOL, ATE_FLOAT, ATE_SIGNED, ATE_SIGNED_CHAR, ATE_UNSIGNED, ATE_UNSIGNED_CHAR = 2, 4, 5, 6, 7, 8
REFERENCES = {
    kinds.PTR: dwarf.POINTER,
    kinds.VOLATILE: dwarf.VOLATILE,
    kinds.CONST: dwarf.CONST,
    kinds.RESTRICT: dwarf.RESTRICT,
    kinds.TYPEDEF: dwarf.TYPEDEF,
}


def write_types(info: Info, btf: Btf) -> None:
    """Write the unit of types; functions, variables, sections and tags are no types."""
    info.begin_unit("types")
    for number in range(1, len(btf)):
        write = _WRITERS.get(btf.kinds[number])
        if write:
            info.places[number] = len(info.out)
            write(info, btf, number)
    info.end_unit()


def _base(info: Info, btf: Btf, number: int) -> None:
    size = btf.values[number]
    encoding = ATE_FLOAT if btf.kinds[number] == kinds.FLOAT else _encoding(btf, number)
    code = info.code(dwarf.BASE, False, dwarf.NAME, dwarf.BYTE_SIZE, dwarf.ENCODING)
    info.out += code + WORD(btf.names[number]) + unsigned(size) + bytes([encoding])


def _encoding(btf: Btf, number: int) -> int:
    """Return DWARF's word for an integer. BTF of kernels does not mark `char`, which SystemTap prints as text."""
    bits, name = btf.parts[number][0] >> 24, btf.name(number)
    if bits & BOOL:
        return ATE_BOOL
    if name == "char":
        return ATE_SIGNED_CHAR
    if btf.values[number] == 1 and (bits & CHAR or "char" in name):
        return ATE_SIGNED_CHAR if bits & SIGNED else ATE_UNSIGNED_CHAR
    return ATE_SIGNED if bits & SIGNED else ATE_UNSIGNED


def _reference(info: Info, btf: Btf, number: int) -> None:
    kind, target = btf.kinds[number], btf.untagged(btf.values[number])
    attributes, body = [], b""
    if kind == kinds.TYPEDEF:
        attributes, body = [dwarf.NAME], WORD(btf.names[number])
    elif kind == kinds.PTR:
        attributes, body = [dwarf.BYTE_SIZE], unsigned(kinds.POINTER_BYTES)
    if target:
        attributes.append(dwarf.TYPE_HERE)
    info.out += info.code(REFERENCES[kind], False, *attributes) + body
    if target:
        info.refer(target)


def _begin_parent(info: Info, btf: Btf, number: int, tag: int, children: bool) -> int:
    """Write a type that has others inside; return where the offset behind it belongs."""
    name = btf.names[number]
    attributes = [*([dwarf.NAME] if name else []), dwarf.BYTE_SIZE, *([dwarf.SIBLING] if children else [])]
    info.out += info.code(tag, children, *attributes)
    info.out += (WORD(name) if name else b"") + unsigned(btf.values[number])
    at = len(info.out)
    if children:
        info.out += b"\0\0\0\0"
    return at


def _end_parent(info: Info, at: int) -> None:
    info.out.append(0)
    struct.pack_into("<I", info.out, at, len(info.out))


def _structure(info: Info, btf: Btf, number: int) -> None:
    out, parts = info.out, btf.parts[number]
    tag = dwarf.STRUCTURE if btf.kinds[number] == kinds.STRUCT else dwarf.UNION
    sibling = _begin_parent(info, btf, number, tag, bool(parts))
    if not parts:
        return
    for name, member, offset, width in btf.members(number):
        named = (dwarf.NAME,) if name else ()
        place: tuple[tuple[int, int], ...]
        if width:
            place = (dwarf.BIT_SIZE, dwarf.DATA_BIT_OFFSET)
            value = bytes([width]) + unsigned(offset)
        else:
            place, value = (dwarf.MEMBER_LOCATION,), unsigned(offset >> 3)
        out += info.code(dwarf.MEMBER, False, *named, dwarf.TYPE_HERE, *place)
        if name:
            out += WORD(name)
        info.refer(btf.untagged(member))
        out += value
    _end_parent(info, sibling)


def _enumeration(info: Info, btf: Btf, number: int) -> None:
    parts = btf.parts[number]
    if not parts:
        name = [dwarf.NAME] if btf.names[number] else []
        info.out += info.code(dwarf.ENUMERATION, False, *name, dwarf.DECLARATION)
        info.out += WORD(btf.names[number]) if name else b""
        return
    sibling = _begin_parent(info, btf, number, dwarf.ENUMERATION, True)
    code = info.code(dwarf.ENUMERATOR, False, dwarf.NAME, dwarf.CONST_VALUE)
    for at in range(0, len(parts), 2):
        value = parts[at + 1]
        info.out += code + WORD(parts[at]) + signed(value - (1 << 64) if value >> 63 == 1 else value)
    _end_parent(info, sibling)


def _forward(info: Info, btf: Btf, number: int) -> None:
    tag = dwarf.UNION if btf.flags[number] else dwarf.STRUCTURE
    info.out += info.code(tag, False, dwarf.NAME, dwarf.DECLARATION) + WORD(btf.names[number])


def _array(info: Info, btf: Btf, number: int) -> None:
    element, _index, count = btf.parts[number]
    info.out += info.code(dwarf.ARRAY_TYPE, True, dwarf.TYPE_HERE)
    info.refer(btf.untagged(element))
    if count:
        info.out += info.code(dwarf.SUBRANGE, False, dwarf.UPPER_BOUND) + unsigned(count - 1)
    else:
        info.out += info.code(dwarf.SUBRANGE, False)
    info.out.append(0)


def _prototype(info: Info, btf: Btf, number: int) -> None:
    result, parameters = btf.untagged(btf.values[number]), btf.parts[number][1::2]
    attributes = [dwarf.PROTOTYPED, *([dwarf.TYPE_HERE] if result else [])]
    info.out += info.code(dwarf.SUBROUTINE, bool(parameters), *attributes)
    if result:
        info.refer(result)
    for parameter in parameters:
        if parameter:
            info.out += info.code(dwarf.PARAMETER, False, dwarf.TYPE_HERE)
            info.refer(btf.untagged(parameter))
        else:
            info.out += info.code(dwarf.UNSPECIFIED, False)
    if parameters:
        info.out.append(0)


_WRITERS: dict[int, Callable[[Info, Btf, int], None]] = {
    **dict.fromkeys((kinds.INT, kinds.FLOAT), _base),
    **dict.fromkeys(REFERENCES, _reference),
    **dict.fromkeys((kinds.STRUCT, kinds.UNION), _structure),
    **dict.fromkeys((kinds.ENUM, kinds.ENUM64), _enumeration),
    kinds.FWD: _forward,
    kinds.ARRAY: _array,
    kinds.FUNC_PROTO: _prototype,
}
