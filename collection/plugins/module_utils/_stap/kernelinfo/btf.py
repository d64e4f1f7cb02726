# SPDX-License-Identifier: GPL-3.0-or-later
"""Read BTF: the types and prototypes that a running kernel carries.

The format is described in the kernel's Documentation/bpf/btf.rst. Types are kept in columns, since there are 150,000.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Sequence

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)

(
    INT,
    PTR,
    ARRAY,
    STRUCT,
    UNION,
    ENUM,
    FWD,
    TYPEDEF,
    VOLATILE,
    CONST,
    RESTRICT,
    FUNC,
    FUNC_PROTO,
    VAR,
    DATASEC,
    FLOAT,
    DECL_TAG,
    TYPE_TAG,
    ENUM64,
) = range(1, 20)
MODIFIERS = frozenset((TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG))
SIZED = frozenset((INT, STRUCT, UNION, ENUM, ENUM64, FLOAT))
# Kinds whose third word is a type; a tag of a declaration names what it is put on.
REFERRING = MODIFIERS | {PTR, FUNC, FUNC_PROTO, VAR, DECL_TAG}

MAGIC = 0xEB9F
HEADER = struct.Struct("<HBBIIIII")
TYPE = struct.Struct("<III")
MAX_BYTES = 64 << 20  # a distribution's kernel has 5 to 8 MB
MAX_TYPES = 1_000_000  # such a kernel has 150,000
MAX_DEPTH = 64  # of types within types, and of names for names
MAX_SIZE = 1 << 30  # of one type, in bytes
POINTER_BYTES = 8
UNSAFE = re.compile(rb'[^\0\x20-\x7e]|["\\]')  # names stand in SystemTap's C source


class Btf:
    """Hold the types of one kernel, or of a kernel module on top of its kernel's.

    Type 0 is void. `kinds`, `names` (offset in `strings`), `flags` (kind_flag), `values` (size in bytes, or a type) and
    `parts` have one entry for each type. `parts` is flat: of structures (name, type, offset) for each member, of enums
    (name, value), of prototypes (name, type), of an array (element, index, count), else the words that follow a type.
    """

    def __init__(self, base: Btf | None = None) -> None:
        """Start with nothing but void, or with all types of `base`."""
        self.kinds: list[int] = list(base.kinds) if base else [0]
        self.names: list[int] = list(base.names) if base else [0]
        self.flags: list[bool] = list(base.flags) if base else [False]
        self.values: list[int] = list(base.values) if base else [0]
        self.parts: list[tuple[int, ...]] = list(base.parts) if base else [()]
        self.strings: bytes = base.strings if base else b""
        self.first = len(self.kinds)  # the first type that is not of `base`
        self._alignments: dict[int, int] = {}

    def __len__(self) -> int:
        """Return the number of types, void included."""
        return len(self.kinds)

    def text(self, offset: int) -> str:
        """Return the name at an offset of the strings."""
        return self.strings[offset : self.strings.index(b"\0", offset)].decode("ascii")

    def name(self, number: int) -> str:
        """Return the name of a type, "" if it has none."""
        return self.text(self.names[number])

    def plain(self, number: int) -> int:
        """Return the type without typedefs, const, volatile, restrict and tags."""
        while self.kinds[number] in MODIFIERS:
            number = self.values[number]
        return number

    def untagged(self, number: int) -> int:
        """Return the type without tags, for which DWARF has no word."""
        while self.kinds[number] == TYPE_TAG:
            number = self.values[number]
        return number

    def size(self, number: int) -> int:
        """Return the bytes that a value of the type takes, 0 if it has none."""
        count = 1
        number = self.plain(number)
        while self.kinds[number] == ARRAY:
            count *= self.parts[number][2]
            number = self.plain(self.parts[number][0])
        kind = self.kinds[number]
        if kind in SIZED:
            return count * self.values[number]
        return count * POINTER_BYTES if kind == PTR else 0

    def alignment(self, number: int) -> int:
        """Return the natural alignment of the type in bytes, as x86-64 and arm64 have it."""
        number = self.plain(number)
        while self.kinds[number] == ARRAY:
            number = self.plain(self.parts[number][0])
        if self.kinds[number] not in (STRUCT, UNION):
            return max(1, min(16, self.size(number)))
        if number not in self._alignments:
            members = self.parts[number][1::3]
            self._alignments[number] = max([1, *map(self.alignment, members)])
        return self._alignments[number]

    def members(self, number: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield (name, type, offset in bits, width in bits or 0) for each member of a structure."""
        flag, parts = self.flags[number], self.parts[number]
        for at in range(0, len(parts), 3):
            offset = parts[at + 2]
            width = offset >> 24 if flag else 0
            yield parts[at], parts[at + 1], offset & 0xFFFFFF if flag else offset, width


def read_btf(data: bytes, base: Btf | None = None) -> Btf:
    """Return the types of a BTF section, checked; with `base` that of a module on top of its kernel's."""
    if len(data) > MAX_BYTES:
        raise KernelInfoError(
            f"the kernel's BTF has {len(data)} bytes, more than the {MAX_BYTES} that are read"
        )
    types, strings = _sections(data)
    btf = Btf(base)
    if base is None and not strings.startswith(b"\0"):
        raise KernelInfoError("the kernel's BTF is damaged: its strings do not begin with an empty one")
    if strings and not strings.endswith(b"\0"):
        raise KernelInfoError("the kernel's BTF is damaged: its last string has no end")
    odd = UNSAFE.search(strings)
    if odd:
        raise KernelInfoError(
            f"the kernel's BTF has a name with the character {odd.group()!r}, as no C name has"
        )
    btf.strings += strings
    _read_types(btf, types)
    _check_references(btf)
    _check_nesting(btf)
    return btf


def _sections(data: bytes) -> tuple[memoryview, bytes]:
    """Return the section of types and the section of strings."""
    if len(data) < HEADER.size:
        raise KernelInfoError(f"the kernel's BTF is cut off: {len(data)} bytes are no header")
    magic, version, _flags, header, type_at, type_bytes, text_at, text_bytes = HEADER.unpack_from(data)
    if magic == 0x9FEB:
        raise KernelInfoError("the kernel's BTF is big-endian; only little-endian kernels are supported")
    if magic != MAGIC:
        raise KernelInfoError(f"this is no BTF: it begins with {magic:#06x}, not {MAGIC:#06x}")
    if version != 1:
        raise KernelInfoError(f"the kernel's BTF has version {version}; only version 1 is known")
    if header < HEADER.size or header > len(data):
        raise KernelInfoError(f"the kernel's BTF is damaged: its header has {header} bytes")
    room = len(data) - header
    for what, at, size in (("types", type_at, type_bytes), ("strings", text_at, text_bytes)):
        if at + size > room:
            raise KernelInfoError(f"the kernel's BTF is cut off: its {what} end beyond its {len(data)} bytes")
    view = memoryview(data)[header:]
    return view[type_at : type_at + type_bytes], bytes(view[text_at : text_at + text_bytes])


# How the words that follow a type are read: struct codes for each element, or once where they do not repeat.
_REPEATED = {STRUCT: "III", UNION: "III", FUNC_PROTO: "II", DATASEC: "III"}
_ONCE = {INT: "I", ARRAY: "III", VAR: "I", DECL_TAG: "I"}
_ENUMS = {(ENUM, False): "II", (ENUM, True): "Ii", (ENUM64, False): "IQ", (ENUM64, True): "Iq"}


def _layout(kind: int, flag: bool, count: int) -> str:
    """Return the struct format of the words that follow a type of this kind."""
    if kind in _ONCE:
        return "<" + _ONCE[kind]
    each = _REPEATED.get(kind) or _ENUMS.get((kind, flag))
    return "<" + each * count if each else "<"


def _read_types(btf: Btf, data: memoryview) -> None:
    """Append the types of a section to `btf`."""
    at, end = 0, len(data)
    layouts: dict[tuple[int, bool, int], struct.Struct] = {}
    while at < end:
        number = len(btf.kinds)
        if number >= MAX_TYPES:
            raise KernelInfoError(f"the kernel's BTF has more than {MAX_TYPES} types")
        if end - at < TYPE.size:
            raise KernelInfoError(f"the kernel's BTF is cut off in type {number}")
        name, info, value = TYPE.unpack_from(data, at)
        at += TYPE.size
        kind, flag, count = info >> 24 & 0x1F, bool(info >> 31), info & 0xFFFF
        if not INT <= kind <= ENUM64:
            raise KernelInfoError(
                f"the kernel's BTF has a type of kind {kind} (type {number}), which is not known"
            )
        key = (kind, flag, count)
        layout = layouts.get(key)
        if layout is None:
            layout = layouts[key] = struct.Struct(_layout(*key))
        if end - at < layout.size:
            raise KernelInfoError(f"the kernel's BTF is cut off in type {number}")
        btf.kinds.append(kind)
        btf.flags.append(flag)
        btf.names.append(name)
        btf.values.append(value)
        btf.parts.append(layout.unpack_from(data, at))
        at += layout.size


def _check_references(btf: Btf) -> None:
    """Raise if a type names a type or a string that is not there, or has a size that no type has."""
    count, text = len(btf), max(1, len(btf.strings))
    for number in range(btf.first, count):
        kind, parts = btf.kinds[number], btf.parts[number]
        names, types = _references(kind, parts)
        if kind in REFERRING:
            types = [*types, btf.values[number]]
        elif btf.values[number] > MAX_SIZE:
            raise KernelInfoError(
                f"the kernel's BTF is damaged: type {number} has {btf.values[number]} bytes"
            )
        if btf.names[number] >= text or (names and max(names) >= text):
            raise KernelInfoError(f"the kernel's BTF is damaged: type {number} has a name beyond the strings")
        if types and max(types) >= count:
            raise KernelInfoError(
                f"the kernel's BTF is damaged: type {number} refers to a type that is not there"
            )


def _references(kind: int, parts: tuple[int, ...]) -> tuple[Sequence[int], Sequence[int]]:
    """Return (names, types) that the words after a type refer to."""
    if kind in (STRUCT, UNION):
        return parts[0::3], parts[1::3]
    if kind == FUNC_PROTO:
        return parts[0::2], parts[1::2]
    if kind in (ENUM, ENUM64):
        return parts[0::2], ()
    if kind == ARRAY:
        return (), parts[:2]
    return (), parts[0::3] if kind == DATASEC else ()


def _within(btf: Btf, number: int) -> Sequence[int]:
    """Return the types that a type is made of by value, or is another name for."""
    kind = btf.kinds[number]
    if kind in MODIFIERS:
        return (btf.values[number],)
    if kind in (STRUCT, UNION):
        return btf.parts[number][1::3]
    return btf.parts[number][:1] if kind == ARRAY else ()


def _points_to(btf: Btf, number: int) -> Sequence[int]:
    """Return the type that a pointer, an array or a name stands for: a chain of these alone must have an end."""
    if btf.kinds[number] in MODIFIERS or btf.kinds[number] == PTR:
        return (btf.values[number],)
    return btf.parts[number][:1] if btf.kinds[number] == ARRAY else ()


def _check_nesting(btf: Btf) -> None:
    """Raise if a type contains itself, or types lie in each other too deep: whoever follows them would not end."""
    for follow in (_within, _points_to):
        depth = [0] * len(btf)
        for number in range(btf.first, len(btf)):
            if not depth[number]:
                _measure(btf, follow, depth, number)


def _measure(btf: Btf, follow: Callable[[Btf, int], Sequence[int]], depth: list[int], top: int) -> None:
    """Set depth[type] for a type and all below it: 1 where nothing is below. A type of `btf.base` counts as 1."""
    busy = -1
    stack = [(top, iter(follow(btf, top)))]
    depth[top] = busy
    while stack:
        number, below = stack[-1]
        for child in below:
            if child < btf.first or depth[child] > 0:
                continue
            if depth[child] == busy:
                raise KernelInfoError(f"the kernel's BTF is damaged: type {child} contains itself")
            if len(stack) >= MAX_DEPTH:
                raise KernelInfoError(
                    f"the kernel's BTF is damaged: type {top} nests more than {MAX_DEPTH} deep"
                )
            depth[child] = busy
            stack.append((child, iter(follow(btf, child))))
            break
        else:
            stack.pop()
            depth[number] = 1 + max((depth[child] for child in follow(btf, number)), default=0)
            if depth[number] > MAX_DEPTH:
                raise KernelInfoError(
                    f"the kernel's BTF is damaged: type {number} nests more than {MAX_DEPTH} deep"
                )
