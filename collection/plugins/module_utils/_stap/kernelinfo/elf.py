# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the sections of an ELF file, and write one: 64 bits, little-endian, of the machines that are known."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)

PROGBITS, SYMTAB, STRTAB, RELA, NOTE, NOBITS = 1, 2, 3, 4, 7, 8  # types of sections
WRITE, ALLOC, EXEC, STRINGS, INFO_LINK = 1, 2, 4, 0x30, 0x40  # flags of sections
COMPRESSED = 0x800
LOAD, NOTES = 1, 4  # types of segments
EXECUTABLE, RELOCATABLE = 2, 1  # types of files
ABSOLUTE = 0xFFF1  # section of a symbol that is a number
IDENT = b"\x7fELF\x02\x01\x01" + bytes(9)
X86_64, AARCH64 = 62, 183  # machines
HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION = struct.Struct("<IIQQQQIIQQ")
SEGMENT = struct.Struct("<IIQQQQQQ")
SYMBOL = struct.Struct("<IBBHQQ")
MAX_SECTIONS = 4096


@dataclass
class Section:
    """Hold one section; `size` counts where it has no bytes in the file."""

    name: str
    type: int
    flags: int = 0
    address: int = 0
    data: bytes = b""
    size: int = 0
    link: int = 0
    info: int = 0
    alignment: int = 1
    entry: int = 0


@dataclass
class Segment:
    """Hold what of the file is where in memory: the place of `section` (its number)."""

    type: int
    flags: int
    section: int
    alignment: int = 1


def write_elf(kind: int, sections: list[Section], segments: list[Segment], machine: int = X86_64) -> bytes:
    """Return the bytes of a file; the first of `sections` has number 1. Section headers stand at the end."""
    names, name_at = bytearray(b"\0"), []
    sections = [*sections, Section(".shstrtab", STRTAB)]
    for section in sections:
        name_at.append(len(names))
        names += section.name.encode() + b"\0"
    sections[-1].data = bytes(names)
    out = bytearray(HEADER.size + SEGMENT.size * len(segments))
    headers, places = [bytes(SECTION.size)], [(0, 0, 0, 0)]
    for at, section in zip(name_at, sections):  # noqa: B905 -- a builder's Python may be older than strict=
        if section.type != NOBITS:
            out += bytes(-len(out) % max(section.alignment, 1))
        size = section.size if section.type == NOBITS else len(section.data)
        s = section
        headers.append(
            SECTION.pack(at, s.type, s.flags, s.address, len(out), size, s.link, s.info, s.alignment, s.entry)
        )
        places.append((len(out), s.address, 0 if s.type == NOBITS else size, size))
        if section.type != NOBITS:
            out += section.data
    out += bytes(-len(out) % 8)
    program_at = HEADER.size if segments else 0
    program_size = SEGMENT.size if segments else 0
    start = HEADER.pack(
        IDENT,
        kind,
        machine,
        1,
        0,
        program_at,
        len(out),
        0,
        HEADER.size,
        program_size,
        len(segments),
        SECTION.size,
        len(headers),
        len(headers) - 1,
    )
    table = bytearray()
    for segment in segments:
        at, address, in_file, size = places[segment.section]
        table += SEGMENT.pack(
            segment.type, segment.flags, at, address, address, in_file, size, segment.alignment
        )
    out[: HEADER.size + len(table)] = start + table
    return bytes(out + b"".join(headers))


def read_sections(data: bytes) -> list[Section]:
    """Return the sections of a file by number, the empty one with number 0 included."""
    if len(data) < HEADER.size or not data.startswith(IDENT[:7]):
        raise KernelInfoError("this is no ELF file of 64 bits, little-endian")
    fields = HEADER.unpack_from(data)
    machine, table, entry, count, names = fields[2], fields[6], fields[11], fields[12], fields[13]
    if machine not in (X86_64, AARCH64):
        raise KernelInfoError(
            f"this ELF file is for machine {machine}; only x86-64 ({X86_64}) and arm64 ({AARCH64}) are supported"
        )
    if entry != SECTION.size or not names < count <= MAX_SECTIONS or table + count * entry > len(data):
        raise KernelInfoError("this ELF file is damaged: its table of sections cannot be read")
    rows = [SECTION.unpack_from(data, table + number * entry) for number in range(count)]
    texts = _content(data, rows[names])
    return [
        Section(
            _name(texts, row[0]),
            row[1],
            flags=row[2],
            address=row[3],
            data=_content(data, row),
            size=row[5],
            link=row[6],
            info=row[7],
            alignment=row[8],
            entry=row[9],
        )
        for row in rows
    ]


def machine_of(data: bytes) -> int:
    """Return for which machine an ELF file is, of which `read_sections` has read the sections."""
    return int(HEADER.unpack_from(data)[2])


def _content(data: bytes, row: tuple[int, ...]) -> bytes:
    if row[1] in (0, NOBITS):
        return b""
    if row[4] + row[5] > len(data):
        raise KernelInfoError("this ELF file is cut off: a section ends beyond it")
    return data[row[4] : row[4] + row[5]]


def _name(texts: bytes, at: int) -> str:
    end = texts.find(b"\0", at)
    if end < 0:
        raise KernelInfoError("this ELF file is damaged: a section has no name")
    return texts[at:end].decode("ascii", "replace")


def symbol_sizes(data: bytes) -> Iterator[tuple[str, int]]:
    """Yield (name, bytes) of each symbol of an ELF file."""
    sections = read_sections(data)
    for table in sections:
        if table.type == SYMTAB and table.link < len(sections):
            texts = sections[table.link].data
            whole = len(table.data) // SYMBOL.size * SYMBOL.size
            for at, _info, _other, _section, _value, size in SYMBOL.iter_unpack(table.data[:whole]):
                yield _name(texts, at), size


def btf_section(data: bytes) -> bytes:
    """Return the BTF that an ELF file carries, b"" if it has none."""
    for section in read_sections(data):
        if section.name == ".BTF" and not section.flags & COMPRESSED:
            return section.data
    return b""
