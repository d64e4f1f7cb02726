# SPDX-License-Identifier: GPL-3.0-or-later
"""The debuginfo of a module says what its file's symbols and types say, whatever is in that file."""

from __future__ import annotations

import lzma
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernelinfo_maker import BUILD_ID, BtfMaker, Dwarf, notes

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import dwarf, elf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.btf import Btf, read_btf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.elf import Section
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.kmodule import (
    make_module,
    module_build_id,
)

NAME, LOW, HIGH = 0x03, 0x11, 0x12
SYMBOLS = [  # name, section, value, size
    ("ext4_read", 2, 0x10, 0x20),
    ("ext4_late", 3, 0x10, 0x08),
    ("ext4_read.cold", 2, 0x80, 0x10),
    ("ext4_untyped", 2, 0x90, 0x10),
    ("init_module", 3, 0x10, 0x08),
]


def kernel() -> Btf:
    maker = BtfMaker()
    maker.struct("file", 8, [("pos", maker.integer("long", 8), 0)])
    return read_btf(maker.bytes())


def file(**changes: bytes) -> bytes:
    """Return a module as a kernel's build leaves it, of two sections with functions; `changes` replace sections."""
    base = kernel()
    types = BtfMaker(first=len(base), strings=len(base.strings))
    of_kernel = types.pointer(2)
    for name in ("ext4_read", "ext4_late"):
        types.function(name, 1, [("file", of_kernel)])
    names, table = bytearray(b"\0"), bytearray(elf.SYMBOL.size)
    for name, section, value, size in SYMBOLS:
        table += elf.SYMBOL.pack(len(names), 2, 0, section, value, size)
        names += name.encode() + b"\0"
    run, parts = (
        elf.ALLOC | elf.EXEC,
        {".BTF": types.bytes(), ".symtab": bytes(table), ".note.gnu.build-id": notes()},
    )
    parts.update({f".{name}": value for name, value in changes.items()})
    sections = [
        Section(
            ".note.gnu.build-id", elf.NOTE, flags=elf.ALLOC, data=parts[".note.gnu.build-id"], alignment=4
        ),
        Section(".text", elf.PROGBITS, flags=run, data=bytes(0x100), alignment=16),
        Section(".init.text", elf.PROGBITS, flags=run, data=bytes(0x20), alignment=16),
        Section(".BTF", elf.PROGBITS, data=parts[".BTF"]),
        Section(".symtab", elf.SYMTAB, data=parts[".symtab"], link=6, info=1, alignment=8, entry=24),
        Section(".strtab", elf.STRTAB, data=bytes(names)),
    ]
    return elf.write_elf(elf.RELOCATABLE, sections, [])


def test_functions_have_their_parameters_and_their_places() -> None:
    made = make_module(file(), kernel())
    assert made.build_id == BUILD_ID.hex()
    sections = {section.name: section for section in elf.read_sections(made.data)}
    tree = Dwarf(*(sections[f".debug_{name}"].data for name in ("info", "abbrev", "str")))
    found = {e.values[NAME]: e for e in tree.by_offset.values() if e.tag == dwarf.SUBPROGRAM}
    assert sorted(found) == ["ext4_late", "ext4_read", "ext4_untyped"]
    assert {name: [p.values[0x02] for p in e.children] for name, e in found.items()} == {
        "ext4_late": [b"\x55"],
        "ext4_read": [b"\x55"],
        "ext4_untyped": [],
    }
    target = tree.type_of(tree.type_of(found["ext4_read"].children[0]))
    assert target.values[NAME] == "file"  # a type of the kernel
    assert found["ext4_read"].values[HIGH] == 0x20
    relocated = [
        struct.unpack_from("<QQq", sections[".rela.debug_info"].data, at) for at in range(0, 5 * 24, 24)
    ]
    assert sorted(kind >> 32 for _at, kind, _add in relocated) == [1, 1, 2, 2, 4]  # two of them are of units
    assert {kind & 0xFFFFFFFF for _at, kind, _add in relocated} == {1}
    assert elf.SYMBOL.unpack_from(sections[".symtab"].data, 24)[3] == 2


def test_a_module_of_another_machine_has_parameters_and_relocations_of_that_machine() -> None:
    data = bytearray(file())
    data[18] = elf.AARCH64
    made = make_module(bytes(data), kernel()).data
    sections = {section.name: section for section in elf.read_sections(made)}
    tree = Dwarf(*(sections[f".debug_{name}"].data for name in ("info", "abbrev", "str")))
    places = {
        p.values[0x02] for e in tree.by_offset.values() if e.tag == dwarf.SUBPROGRAM for p in e.children
    }
    assert places == {b"\x50"}  # x0
    relocated = struct.iter_unpack("<QQq", sections[".rela.debug_info"].data)
    assert {kind & 0xFFFFFFFF for _at, kind, _add in relocated} == {257}  # R_AARCH64_ABS64
    assert elf.machine_of(made) == elf.AARCH64


def test_a_packed_module_is_the_same() -> None:
    assert make_module(lzma.compress(file()), kernel()).data == make_module(file(), kernel()).data
    assert module_build_id(lzma.compress(file())) == BUILD_ID.hex()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (file(BTF=b""), "no types"),
        (file(**{"note.gnu.build-id": b""}), "no build id"),
        (lzma.compress(file())[:-100] + bytes(100), "damaged|cut off|no ELF"),
        (b"\xfd7zXZ\0rest", "damaged|no ELF"),
        (file(BTF=BtfMaker(first=90, strings=9000).bytes()[:20]), "cut off"),
    ],
)
def test_what_cannot_be_used_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(KernelInfoError, match=said):
        make_module(data, kernel())


@given(st.data())
def test_a_damaged_module_makes_a_file_that_can_be_read_or_none(data: st.DataObject) -> None:
    whole = bytearray(file())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        made = make_module(bytes(whole), kernel())
    except KernelInfoError:
        return
    sections = {section.name: section.data for section in elf.read_sections(made.data)}
    Dwarf(*(sections[f".debug_{name}"] for name in ("info", "abbrev", "str")))
