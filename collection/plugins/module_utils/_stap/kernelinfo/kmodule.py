# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the file that SystemTap takes for the debuginfo of a kernel module, from the module's own file."""

from __future__ import annotations

import lzma
import struct
from collections import Counter
from typing import NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import dwarf, elf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.btf import Btf, read_btf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.dwarf import ADDRESS, Info
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.elf import Section
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.functions import (
    Choice,
    Found,
    Function,
    choose,
    prototypes,
    write_function,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.symbols import (
    HIDDEN,
    NAME,
    build_id,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.types import write_types

MAX_BYTES = (
    512 << 20
)  # of an unpacked module; the largest of a distribution has 60 MB with its debug sections
MAX_SYMBOLS = 500_000
MAX_FUNCTION = 1 << 24
FUNCTION, GLOBAL = 2, 1  # type and binding of a symbol
RESERVED = 0xFF00  # numbers of sections from here on are no sections
# The relocation that is a whole address, by machine: R_X86_64_64, R_AARCH64_ABS64.
ADDRESS_OF = {elf.X86_64: 1, elf.AARCH64: 257}
RELA = struct.Struct("<QQq")
# Other names that every module gives its first and last function.
ALIASES = ("init_module", "cleanup_module")


class ModuleFile(NamedTuple):
    """Hold the debuginfo of a module, its build id, and how many functions there are of which kind."""

    data: bytes
    build_id: str
    counts: Counter[str]


class _Row(NamedTuple):
    """Hold one symbol of the module's file as it stands there."""

    name: int
    info: int
    other: int
    section: int
    value: int
    size: int


def unpacked(data: bytes) -> bytes:
    """Return the bytes of a module's file, which may be packed with xz."""
    if data.startswith(b"\xfd7zXZ\0"):
        try:
            data = lzma.LZMADecompressor().decompress(data, MAX_BYTES + 1)
        except lzma.LZMAError as error:
            raise KernelInfoError(f"the module's file is damaged: {error}") from error
    if len(data) > MAX_BYTES:
        raise KernelInfoError(f"the module's file has more than {MAX_BYTES} bytes")
    return data


def make_module(file: bytes, kernel: Btf) -> ModuleFile:
    """Return the debuginfo of a module. file: its .ko, packed or not. kernel: the types of the kernel it belongs to."""
    whole = unpacked(file)
    sections, machine = elf.read_sections(whole), elf.machine_of(whole)
    split = next((s.data for s in sections if s.name == ".BTF"), b"")
    if not split:
        raise KernelInfoError("the module's file has no types (section .BTF)")
    identity = _build_id(sections)
    number = next((n for n, s in enumerate(sections) if s.type == elf.SYMTAB), 0)
    if not number or not sections[number].link < len(sections):
        raise KernelInfoError("the module's file has no symbols")
    table, names = sections[number], sections[sections[number].link].data
    btf = read_btf(split, kernel)
    kept = [n for n, s in enumerate(sections) if s.flags & elf.ALLOC]
    rows = _rows(table.data)
    choice = choose(prototypes(btf), _functions(sections, rows, names), untyped=True)
    info = Info(btf.strings, len(btf))
    write_types(info, btf)
    _write_units(info, btf, choice, rows, sections, machine)
    data = _file(info, [sections[n] for n in kept], _moved(rows, kept), names, table.info, machine)
    return ModuleFile(data, identity, choice.counts)


def module_build_id(file: bytes) -> str:
    """Return the build id of a module's file, by which its debuginfo is found."""
    return _build_id(elf.read_sections(unpacked(file)))


def _build_id(sections: list[Section]) -> str:
    return build_id(next((s.data for s in sections if s.name == ".note.gnu.build-id"), b""))


def _rows(table: bytes) -> list[_Row]:
    if len(table) // elf.SYMBOL.size > MAX_SYMBOLS:
        raise KernelInfoError(f"the module's file has more than {MAX_SYMBOLS} symbols")
    whole = len(table) // elf.SYMBOL.size * elf.SYMBOL.size
    return [_Row(*fields) for fields in elf.SYMBOL.iter_unpack(table[:whole])]


def _functions(sections: list[Section], rows: list[_Row], names: bytes) -> list[Found]:
    """Return the functions in sections that are run; those of one section stand together."""
    found = []
    for number, row in enumerate(rows):
        if row.info & 15 != FUNCTION or not 0 < row.section < min(RESERVED, len(sections)):
            continue
        if not sections[row.section].flags & elf.EXEC or row.size > MAX_FUNCTION:
            continue
        end = names.find(b"\0", row.name)
        raw = names[row.name : end]
        if end < 0 or not NAME.fullmatch(raw):
            continue
        name = raw.decode("ascii")
        if not name.startswith(HIDDEN) and name not in ALIASES:
            found.append(Found(row.value, row.size, name, row.info >> 4 == GLOBAL, number))
    return found


def _write_units(
    info: Info, btf: Btf, choice: Choice, rows: list[_Row], sections: list[Section], machine: int
) -> None:
    by_section: dict[int, list[Function]] = {}
    for function in choice.functions:
        by_section.setdefault(rows[function.owner].section, []).append(function)
    for section, functions in sorted(by_section.items()):
        first = functions[0]
        size = max(f.address + f.size for f in functions) - first.address
        if size > MAX_BYTES:
            raise KernelInfoError("the module's file is damaged: a function lies beyond it")
        info.begin_unit(f"functions in {_label(sections[section])}", ADDRESS(0), size, first.owner)
        for function in functions:
            write_function(info, btf, function, ADDRESS(0), machine)
        info.end_unit()


def _label(section: Section) -> str:
    return section.name.encode("ascii", "replace").decode("ascii")


def _moved(rows: list[_Row], kept: list[int]) -> bytes:
    """Return the table of symbols for a file that has only the sections `kept`; the others' symbols are numbers."""
    places = {number: at for at, number in enumerate(kept, 1)}
    out = bytearray()
    for row in rows:
        section = row.section
        if 0 < section < RESERVED:
            section = places.get(section, elf.ABSOLUTE)
        out += elf.SYMBOL.pack(*row._replace(section=section))
    return bytes(out)


def _file(
    info: Info, kept: list[Section], table: bytes, names: bytes, first_global: int, machine: int
) -> bytes:
    sections = [
        Section(
            section.name,
            elf.NOTE if section.type == elf.NOTE else elf.NOBITS,
            flags=section.flags & (elf.WRITE | elf.ALLOC | elf.EXEC),
            data=section.data if section.type == elf.NOTE else b"",
            size=section.size,
            alignment=min(section.alignment, 1 << 12),
        )
        for section in kept
    ]
    entries, abbreviations, strings = info.finish()
    kind = ADDRESS_OF[machine]
    relocations = b"".join(RELA.pack(at, owner << 32 | kind, 0) for at, owner in info.relocations)
    at = len(sections)
    sections += [
        Section(".debug_abbrev", elf.PROGBITS, data=abbreviations),
        Section(".debug_info", elf.PROGBITS, data=entries),
        Section(".debug_str", elf.PROGBITS, flags=elf.STRINGS, data=strings, entry=1),
        Section(".debug_line", elf.PROGBITS, data=dwarf.line_table()),
        Section(
            ".rela.debug_info",
            elf.RELA,
            flags=elf.INFO_LINK,
            data=relocations,
            link=at + 6,
            info=at + 2,
            alignment=8,
            entry=RELA.size,
        ),
        Section(
            ".symtab",
            elf.SYMTAB,
            data=table,
            link=at + 7,
            info=first_global,
            alignment=8,
            entry=elf.SYMBOL.size,
        ),
        Section(".strtab", elf.STRTAB, data=names),
    ]
    return elf.write_elf(elf.RELOCATABLE, sections, [], machine)
