# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the sections of DWARF 4: entries with their abbreviations, their strings, and a list of files."""

from __future__ import annotations

import struct
from array import array

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.leb import unsigned

# Tags, attributes and forms have the numbers of the DWARF standard; an attribute is written with its form.
ARRAY_TYPE, ENUMERATION, PARAMETER, MEMBER, POINTER = 0x01, 0x04, 0x05, 0x0D, 0x0F
COMPILE_UNIT, STRUCTURE, SUBROUTINE, TYPEDEF, UNION, UNSPECIFIED = 0x11, 0x13, 0x15, 0x16, 0x17, 0x18
SUBRANGE, BASE, CONST, ENUMERATOR, SUBPROGRAM, VARIABLE = 0x21, 0x24, 0x26, 0x28, 0x2E, 0x34
VOLATILE, RESTRICT = 0x35, 0x37

ADDR, DATA4, DATA1, SDATA, STRP, UDATA = 0x01, 0x06, 0x0B, 0x0D, 0x0E, 0x0F
REF_ADDR, REF4, SEC_OFFSET, EXPRLOC, PRESENT = 0x10, 0x13, 0x17, 0x18, 0x19

SIBLING = (0x01, REF4)
LOCATION = (0x02, EXPRLOC)
NAME = (0x03, STRP)
BYTE_SIZE = (0x0B, UDATA)
BIT_SIZE = (0x0D, DATA1)
STMT_LIST = (0x10, SEC_OFFSET)
LOW_PC = (0x11, ADDR)
HIGH_PC = (0x12, DATA4)
LANGUAGE = (0x13, DATA1)
CONST_VALUE = (0x1C, SDATA)
PRODUCER = (0x25, STRP)
PROTOTYPED = (0x27, PRESENT)
UPPER_BOUND = (0x2F, UDATA)
MEMBER_LOCATION = (0x38, UDATA)
DECL_FILE = (0x3A, UDATA)
DECLARATION = (0x3C, PRESENT)
ENCODING = (0x3E, DATA1)
EXTERNAL = (0x3F, PRESENT)
TYPE_HERE = (0x49, REF4)  # in the unit of types
TYPE_THERE = (0x49, REF_ADDR)  # from another unit
DATA_BIT_OFFSET = (0x6B, UDATA)

C99 = 0x0C
OP_ADDR = 0x03
MADE_BY = "fleetdiag (from BTF and kallsyms)"
SOURCE = "btf"  # stands for the source file of everything
MAX_BYTES = 256 << 20  # of entries: a distribution's kernel has 4 MB
WORD = struct.Struct("<I").pack
ADDRESS = struct.Struct("<Q").pack


class Info:
    """Gather the entries of all units.

    The unit of types comes first, so that an offset in it is the same from its own start and from the section's.
    """

    def __init__(self, strings: bytes, types: int) -> None:
        """Start with the strings of BTF, so that its offsets stay right, and room for `types` types."""
        self.out = bytearray()
        self.places = array("I", bytes(4 * types))  # of each type, where its entry begins
        self.relocations: list[tuple[int, int]] = []  # (place of an address, number of the symbol it is)
        self.ranges = bytearray()
        self._strings = bytearray(strings or b"\0")
        self._string_at: dict[str, int] = {}
        self._codes: dict[tuple[int, bool, tuple[tuple[int, int], ...]], bytes] = {}
        self._references: list[tuple[int, int]] = []
        self._unit = 0

    def code(self, tag: int, children: bool, *attributes: tuple[int, int]) -> bytes:
        """Return the code of an abbreviation, with which every entry begins."""
        key = (tag, children, attributes)
        code = self._codes.get(key)
        if code is None:
            code = self._codes[key] = unsigned(len(self._codes) + 1)
        return code

    def string(self, text: str) -> int:
        """Return the offset of a string, which is added where it is new."""
        at = self._string_at.get(text)
        if at is None:
            at = self._string_at[text] = len(self._strings)
            self._strings += text.encode("ascii") + b"\0"
        return at

    def refer(self, number: int) -> None:
        """Write a reference to the entry of a type, which may come later."""
        self._references.append((len(self.out), number))
        self.out += b"\0\0\0\0"

    def begin_unit(self, name: str, low: bytes = b"", size: int = 0, owner: int = 0) -> int:
        """Begin a unit and return its offset.

        low: address of its functions, which lie in `size` bytes. owner: number of the symbol that `low` is relative to.
        """
        self._unit = len(self.out)
        attributes = [PRODUCER, LANGUAGE, NAME, STMT_LIST]
        body = WORD(self.string(MADE_BY)) + bytes([C99]) + WORD(self.string(name)) + WORD(0)
        if low:
            attributes += [LOW_PC, HIGH_PC]
        code = self.code(COMPILE_UNIT, True, *attributes)
        self.out += struct.pack("<IHIB", 0, 4, 0, 8) + code + body
        if low:
            self.relocate(owner)
            self.out += low + WORD(size)
        return self._unit

    def relocate(self, owner: int) -> None:
        """Note that the address which is written next is that of a symbol, if `owner` is one's number."""
        if owner:
            self.relocations.append((len(self.out), owner))

    def end_unit(self) -> None:
        """End the unit that was begun last."""
        self.out.append(0)
        struct.pack_into("<I", self.out, self._unit, len(self.out) - self._unit - 4)
        self.check_size()

    def check_size(self) -> None:
        """Raise if there are more entries than any kernel has."""
        if len(self.out) > MAX_BYTES:
            raise KernelInfoError(f"the kernel's debuginfo would have more than {MAX_BYTES} bytes")

    def add_range(self, unit: int, low: int, size: int) -> None:
        """Note the addresses of a unit (.debug_aranges)."""
        self.ranges += struct.pack("<IHIBB4xQQQQ", 44, 2, unit, 8, 0, low, size, 0, 0)

    def finish(self) -> tuple[bytes, bytes, bytes]:
        """Return (.debug_info, .debug_abbrev, .debug_str), every reference filled in."""
        places, out = self.places, self.out
        for at, number in self._references:
            if not places[number]:
                raise KernelInfoError(f"the kernel's BTF is damaged: {number} is used as a type and is none")
            struct.pack_into("<I", out, at, places[number])
        return bytes(out), self._abbreviations(), bytes(self._strings)

    def _abbreviations(self) -> bytes:
        out = bytearray()
        for (tag, children, attributes), code in self._codes.items():
            out += code + unsigned(tag) + bytes([children])
            for attribute, form in attributes:
                out += unsigned(attribute) + unsigned(form)
            out += b"\0\0"
        return bytes(out) + b"\0"


def line_table() -> bytes:
    """Return a .debug_line that has one file and no lines.

    SystemTap wants the list of files of each unit; a function without one would match every pattern `*@file`.
    """
    header = bytes([1, 1, 1, 0xFB, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0])
    header += SOURCE.encode() + b"\0\0\0\0" + b"\0"
    return struct.pack("<IHI", 2 + 4 + len(header), 4, len(header)) + header
