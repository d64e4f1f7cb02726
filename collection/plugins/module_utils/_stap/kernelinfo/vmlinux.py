# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the file that SystemTap takes for a kernel's debuginfo (`vmlinux`).

It is the same for every boot and every host of one kernel: addresses are those with `_stext` at a fixed place.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import btf as kinds
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import dwarf, elf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.btf import Btf, read_btf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.dwarf import (
    ADDRESS,
    WORD,
    Info,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.elf import (
    Section,
    Segment,
)
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
    Symbol,
    Symbols,
    build_id,
    read_kallsyms,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.types import write_types

FUNCTIONS_PER_UNIT = 1500  # elfutils reads a unit as a whole when it looks for an address
MAX_FUNCTION = 1 << 20  # bytes
MAX_OBJECT = 1 << 24
PAGE, LARGE_PAGE = 0x1000, 0x200000
READ, WRITE, RUN = 4, 2, 1  # of a segment
# The kernel's own list of functions that kprobes must not touch: by name, and by section.
BLACKLISTED = "_kbl_addr_"
UNPROBED = (
    *("__kprobes_text", "__noinstr_text", "__entry_text", "__cpuidle_text"),
    *("__idmap_text", "__hyp_text", "__hyp_idmap_text"),  # arm64
)


class KernelFile(NamedTuple):
    """Hold the file of a kernel, the build id of that kernel, and how many functions there are of which kind."""

    data: bytes
    build_id: str
    counts: Counter[str]


class Region(NamedTuple):
    """Hold a part of the image between two addresses; only the notes have bytes."""

    name: str
    start: int
    end: int
    flags: int
    notes: bytes = b""


def make_vmlinux(
    btf_data: bytes,
    kallsyms: bytes,
    notes: bytes,
    files: Mapping[str, str] | None = None,
    machine: int = elf.X86_64,
) -> KernelFile:
    """Return the debuginfo file of the kernel that these three come from.

    files: {function: source file} for those whose place is known from elsewhere; of several functions with one name it
    is not used. All others have a file that no pattern means. machine: ELF's number of the kernel's.
    """
    files = files or {}
    paths = sorted(set(files.values()))
    numbers = {name: 2 + paths.index(path) for name, path in files.items()}
    identity = build_id(notes)
    symbols = read_kallsyms(kallsyms)
    btf = read_btf(btf_data)
    regions = _regions(symbols, notes)
    info = Info(btf.strings, len(btf))
    write_types(info, btf)
    choice = _functions(btf, symbols)
    for part in _units(choice.functions):
        _write_unit(info, btf, part, machine, numbers)
    _write_variables(info, btf, symbols)
    return KernelFile(_file(info, symbols, regions, paths, machine), identity, choice.counts)


def _functions(btf: Btf, symbols: Symbols) -> Choice:
    found = (
        Found(s.address, symbols.size(s.address, MAX_FUNCTION), s.name, s.kind in "TW")
        for s in symbols.functions()
    )
    return choose(prototypes(btf), found, _unprobed(symbols))


def _unprobed(symbols: Symbols) -> frozenset[str]:
    """Return the functions that the kernel lets nobody probe."""
    ranges = [
        (symbols.places[section + "_start"], symbols.places[section + "_end"])
        for section in UNPROBED
        if section + "_start" in symbols.places and section + "_end" in symbols.places
    ]
    by_name = {s.name[len(BLACKLISTED) :] for s in symbols.all if s.name.startswith(BLACKLISTED)}
    by_place = {s.name for s in symbols.functions() if any(a <= s.address < b for a, b in ranges)}
    return frozenset(by_name | by_place)


def _units(functions: list[Function]) -> Iterator[list[Function]]:
    """Yield the functions in parts; those at one address stay together."""
    at = 0
    while at < len(functions):
        end = min(at + FUNCTIONS_PER_UNIT, len(functions))
        while end < len(functions) and functions[end].address == functions[end - 1].address:
            end += 1
        yield functions[at:end]
        at = end


def _write_unit(
    info: Info, btf: Btf, functions: list[Function], machine: int, numbers: Mapping[str, int]
) -> None:
    low = functions[0].address
    size = max(f.address + f.size for f in functions) - low
    unit = info.begin_unit(f"functions at {low:#x}", ADDRESS(low), size)
    for function in functions:
        file = numbers.get(function.name, 1) if function.prototype else 1
        write_function(info, btf, function, ADDRESS(function.address), machine, file)
    info.end_unit()
    info.add_range(unit, low, size)


def _write_variables(info: Info, btf: Btf, symbols: Symbols) -> None:
    """Write the variables whose type BTF knows: those of which every processor has one."""
    info.begin_unit("variables")
    for number in range(1, len(btf)):
        address = symbols.places.get(btf.name(number)) if btf.kinds[number] == kinds.VAR else None
        if address is None:
            continue
        external = (dwarf.EXTERNAL,) if btf.parts[number][0] == 1 else ()
        attributes = (dwarf.NAME, dwarf.TYPE_THERE, dwarf.LOCATION, *external)
        info.out += info.code(dwarf.VARIABLE, False, *attributes) + WORD(btf.names[number])
        info.refer(btf.untagged(btf.values[number]))
        info.out += bytes([9, dwarf.OP_ADDR]) + ADDRESS(address)
    info.end_unit()


def _regions(symbols: Symbols, notes: bytes) -> list[Region]:
    """Return the parts of the image in order of their addresses.

    SystemTap finds init functions by the name of their section. A module compares the notes with memory when it starts:
    they must be where the kernel has them, which is a place above `_stext`.
    """
    (start, end), (init_start, init_end) = symbols.text, symbols.init_text
    notes_start = symbols.places.get("__start_notes", 0)
    notes_end = notes_start + len(notes)
    data_start = -(-end // PAGE) * PAGE
    if not data_start <= notes_start or notes_end > (init_start or symbols.end):
        raise KernelInfoError(
            "the host's /proc/kallsyms does not say where the kernel's notes are (__start_notes), without which a module"
            " cannot check that it runs on the kernel it was made for; such a kernel has no CONFIG_KALLSYMS_ALL"
        )
    wanted = [
        Region(".text", start, end, elf.ALLOC | elf.EXEC),
        Region(".rodata", data_start, notes_start, elf.ALLOC),
        Region(".notes", notes_start, notes_end, elf.ALLOC, notes),
    ]
    rest = -(-notes_end // 16) * 16
    if init_start:
        wanted.append(Region(".data", rest, init_start, elf.ALLOC | elf.WRITE))
        wanted.append(Region(".init.text", init_start, init_end, elf.ALLOC | elf.EXEC))
        rest = -(-init_end // 16) * 16
    wanted.append(Region(".bss", rest, symbols.end, elf.ALLOC | elf.WRITE))
    return [region for region in wanted if region.start < region.end]


def _segments(regions: list[Region]) -> list[Segment]:
    """Return what elfutils takes the kernel's addresses from, and where it finds the notes."""
    rights = {elf.EXEC: READ | RUN, elf.WRITE: READ | WRITE, 0: READ}
    segments = []
    for number, region in enumerate(regions, 1):
        large = region.name == ".text" and not region.start % LARGE_PAGE
        right = rights[region.flags & ~elf.ALLOC]
        segments.append(Segment(elf.LOAD, right, number, LARGE_PAGE if large else 1))
    notes = next(number for number, region in enumerate(regions, 1) if region.notes)
    return [*segments, Segment(elf.NOTES, READ, notes, 4)]


def _file(info: Info, symbols: Symbols, regions: list[Region], paths: Sequence[str], machine: int) -> bytes:
    sections = [
        Section(
            region.name,
            elf.NOTE if region.notes else elf.NOBITS,
            flags=region.flags,
            address=region.start,
            data=region.notes,
            size=region.end - region.start,
            alignment=4 if region.notes else 1,
        )
        for region in regions
    ]
    entries, abbreviations, strings = info.finish()
    table, names, first_global = _symbol_table(symbols, regions)
    sections += [
        Section(".debug_abbrev", elf.PROGBITS, data=abbreviations),
        Section(".debug_info", elf.PROGBITS, data=entries),
        Section(".debug_str", elf.PROGBITS, flags=elf.STRINGS, data=strings, entry=1),
        Section(".debug_aranges", elf.PROGBITS, data=bytes(info.ranges)),
        Section(".debug_line", elf.PROGBITS, data=dwarf.line_table(paths)),
    ]
    number = len(sections) + 1
    sections += [
        Section(
            ".symtab",
            elf.SYMTAB,
            data=table,
            link=number + 1,
            info=first_global,
            alignment=8,
            entry=elf.SYMBOL.size,
        ),
        Section(".strtab", elf.STRTAB, data=names),
    ]
    return elf.write_elf(elf.EXECUTABLE, sections, _segments(regions), machine)


def _symbol_table(symbols: Symbols, regions: list[Region]) -> tuple[bytes, bytes, int]:
    """Return (table, its names, number of the first symbol that is not local)."""
    starts = [region.start for region in regions]
    names, at_name = bytearray(b"\0"), {"": 0}
    local, others = bytearray(elf.SYMBOL.size), bytearray()
    for symbol in symbols.all:
        if symbol.name.startswith(HIDDEN):
            continue
        section, size = elf.ABSOLUTE, 0
        if not symbol.is_absolute:
            at = bisect.bisect_right(starts, symbol.address) - 1
            if at < 0 or symbol.address > regions[at].end:
                continue
            section, size = at + 1, symbols.size(symbol.address, MAX_OBJECT)
        if symbol.name not in at_name:
            at_name[symbol.name] = len(names)
            names += symbol.name.encode("ascii") + b"\0"
        binding, kind = _binding(symbol)
        row = elf.SYMBOL.pack(at_name[symbol.name], binding << 4 | kind, 0, section, symbol.address, size)
        if binding:
            others += row
        else:
            local += row
    return bytes(local + others), bytes(names), len(local) // elf.SYMBOL.size


def _binding(symbol: Symbol) -> tuple[int, int]:
    """Return (binding, type) of a symbol as ELF has them: local 0, global 1, weak 2; object 1, function 2."""
    binding = 2 if symbol.kind in "wWvV" else int(symbol.kind.isupper())
    if symbol.is_text:
        return binding, 2
    return binding, 1 if symbol.kind in "dDbBrRvVA" else 0
