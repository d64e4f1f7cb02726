# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a kernel says of types and functions what BTF and kallsyms say, and nothing else."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernelinfo_maker import BUILD_ID, STEXT, BtfMaker, Dwarf, Entry, kallsyms, notes, types

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import (
    dwarf,
    elf,
    functions,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.symbols import LINK_STEXT
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.vmlinux import make_vmlinux

NAME, SIZE, BITS, LOW, HIGH = 0x03, 0x0B, 0x0D, 0x11, 0x12
VALUE, BOUND, PLACE, FILE, BIT_PLACE = 0x1C, 0x2F, 0x38, 0x3A, 0x6B


def read(data: bytes) -> Dwarf:
    found = {section.name: section.data for section in elf.read_sections(data)}
    return Dwarf(found[".debug_info"], found[".debug_abbrev"], found[".debug_str"])


def kernel() -> BtfMaker:
    maker = BtfMaker()
    number = maker.integer("int", 4, signed=True)
    for name in ("vfs_read", "vfs_write", "twice", "forbidden", "split"):
        maker.function(name, number, [("file", maker.pointer(number)), ("count", number)])
    maker.function("differs", number, [("a", number)])
    maker.function("differs", number, [("a", number), ("b", number)])
    maker.variable("per_cpu", number)
    return maker


PLACES = {
    "vfs_read": 0x100,
    "vfs_write": 0x180,
    "vfs_read.cold": 0x200,
    "split.isra.0": 0x300,
    "differs": 0x400,
}
MORE = "".join(
    f"{STEXT + at:x} {kind} {name}\n"
    for at, kind, name in [
        (0x500, "t", "twice"),
        (0x600, "t", "twice"),
        (0x700, "t", "forbidden"),
        (0x9100, "d", "_kbl_addr_forbidden"),
        (0x180, "t", "vfs_write.constprop.0"),
        (0x800, "t", "assembler"),
        (0xA100, "t", "vfs_init.part.0"),
        (0x170, "t", "__pfx_vfs_write"),
    ]
)


@pytest.fixture(scope="module")
def made() -> bytes:
    return make_vmlinux(kernel().bytes(), kallsyms(PLACES, more=MORE + "14000 A per_cpu\n"), notes()).data


def subprograms(data: bytes) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in read(data).by_offset.values():
        if entry.tag == dwarf.SUBPROGRAM:
            found.setdefault(entry.values[NAME], []).append(entry)
    return found


def test_a_kernel_of_another_machine_has_parameters_where_that_machine_has_them() -> None:
    more = MORE + "".join(
        f"{STEXT + at:x} t {name}\n"
        for at, name in [
            (0xB00, "__idmap_text_start"),
            (0xB10, "early"),
            (0xC00, "__idmap_text_end"),
            (0x110, "$d"),
        ]
    )
    maker = kernel()
    maker.function("early", 1, [])
    made = make_vmlinux(maker.bytes(), kallsyms(PLACES, more=more), notes(), machine=elf.AARCH64).data
    assert elf.machine_of(made) == elf.AARCH64
    found = subprograms(made)
    assert [p.values[0x02] for p in found["vfs_read"][0].children] == [b"\x50", b"\x51"]  # x0, x1
    assert "early" not in found  # runs where a breakpoint cannot be handled


@given(types())
def test_every_type_is_what_btf_says(made) -> None:
    maker, wanted = made
    from_btf = make_vmlinux(maker.bytes(), kallsyms({}), notes()).data
    tree = read(from_btf)
    entries = tree.units[0].children
    assert len(entries) == len(wanted)
    for entry, (tag, facts) in zip(entries, wanted, strict=True):
        assert entry.tag == tag
        check_type(tree, entries, entry, facts)


def check_type(tree: Dwarf, entries: list[Entry], entry: Entry, facts: list) -> None:
    if isinstance(facts[0], str):
        assert entry.values[NAME] == facts[0]
    elif facts[0]:
        assert tree.type_of(entry) is entries[facts[0] - 1]
    else:
        assert 0x49 not in entry.values
    if entry.tag == dwarf.ARRAY_TYPE:
        assert entry.children[0].values.get(BOUND, -1) + 1 == facts[1]
    if entry.tag == dwarf.TYPEDEF:
        assert tree.type_of(entry) is entries[facts[1] - 1]
    if entry.tag == dwarf.ENUMERATION:
        assert {e.values[NAME]: e.values[VALUE] for e in entry.children} == facts[1]
    if entry.tag in (dwarf.STRUCTURE, dwarf.UNION):
        assert entry.values[SIZE] == facts[1]
        assert len(entry.children) == len(facts[2])
        for member, (name, number, at, *width) in zip(entry.children, facts[2], strict=True):
            assert member.values[NAME] == name
            assert tree.type_of(member) is entries[number - 1]
            if width:
                assert (member.values[BIT_PLACE], member.values[BITS]) == (at, width[0])
            else:
                assert member.values[PLACE] == at // 8


def test_a_function_has_its_place_and_its_parameters(made: bytes) -> None:
    (found,) = subprograms(made)["vfs_read"]
    assert (found.values[LOW], found.values[HIGH]) == (LINK_STEXT + 0x100, 0x70)
    assert [(p.values[NAME], p.values[0x02]) for p in found.children] == [
        ("file", b"\x55"),
        ("count", b"\x54"),
    ]


def test_what_is_not_certain_has_no_parameters(made: bytes) -> None:
    found = subprograms(made)
    assert [len(entry.children) for entry in found["twice"]] == [0, 0]  # two functions of one name
    assert [entry.children for entry in found["split"]] == [[]]  # a clone that took its function's name
    assert [entry.children for entry in found["vfs_write.constprop.0"]] == [[]]  # beside its function
    assert [entry.children for entry in found["differs"]] == [[]]


def test_what_cannot_be_probed_is_left_out(made: bytes) -> None:
    assert sorted(subprograms(made)) == [
        "differs",
        "split",
        "twice",
        "vfs_read",
        "vfs_write",
        "vfs_write.constprop.0",
    ]


def test_every_function_has_a_file(made: bytes) -> None:
    """Those without one match every `*@file`."""
    assert {entry.values.get(FILE) for entries in subprograms(made).values() for entry in entries} == {1}


def test_a_function_whose_file_is_known_has_it_unless_there_are_several() -> None:
    files = {"vfs_read": "fs/read_write.c", "twice": "fs/x.c", "absent": "fs/x.c"}
    found = make_vmlinux(kernel().bytes(), kallsyms(PLACES, more=MORE), notes(), files).data
    numbers = {name: {e.values[FILE] for e in entries} for name, entries in subprograms(found).items()}
    assert numbers.pop("vfs_read") == {2}
    assert set.union(*numbers.values()) == {1}
    table = next(section.data for section in elf.read_sections(found) if section.name == ".debug_line")
    assert b"\0btf\0\0\0\0fs/read_write.c\0\0\0\0fs/x.c\0\0\0\0\0" in table


def test_symbols_and_notes_are_where_the_kernel_has_them(made: bytes) -> None:
    sections = {section.name: section for section in elf.read_sections(made)}
    assert sections[".notes"].data == notes()
    assert sections[".notes"].address == LINK_STEXT + 0x9000
    assert sections[".init.text"].address == LINK_STEXT + 0xA000
    table, names = sections[".symtab"], sections[".strtab"].data
    places = {}
    for at in range(24, len(table.data), 24):
        name, _info, _other, number, value, _size = elf.SYMBOL.unpack_from(table.data, at)
        places[names[name : names.index(b"\0", name)].decode()] = (value, number)
    assert places["_stext"] == (LINK_STEXT, 1)
    assert places["per_cpu"] == (0x14000, elf.ABSOLUTE)
    assert "__pfx_vfs_write" not in places


def test_another_boot_gives_the_same_file() -> None:
    files = {
        hashlib.sha256(make_vmlinux(kernel().bytes(), kallsyms(PLACES, slide_from=at), notes()).data).digest()
        for at in (STEXT, STEXT + (5 << 21), LINK_STEXT)
    }
    assert len(files) == 1


def test_a_build_id_is_that_of_the_notes() -> None:
    assert make_vmlinux(kernel().bytes(), kallsyms({}), notes()).build_id == BUILD_ID.hex()


@pytest.mark.parametrize("place", [0x100, 0x9FF0, 0xA100, 1 << 40])
def test_notes_at_a_place_that_no_kernel_has_are_refused(place: int) -> None:
    with pytest.raises(KernelInfoError, match="__start_notes"):
        make_vmlinux(kernel().bytes(), kallsyms({}, notes=place), notes())


def test_a_type_that_is_none_is_refused() -> None:
    maker = kernel()
    maker.struct("s", 8, [("f", maker.count - 1, 0)])  # a variable
    with pytest.raises(KernelInfoError, match="is none"):
        make_vmlinux(maker.bytes(), kallsyms({}), notes())
    maker = kernel()
    maker.struct("s", 8, [("f", 0, 0)])  # void
    with pytest.raises(KernelInfoError, match="is none"):
        make_vmlinux(maker.bytes(), kallsyms({}), notes())


def test_a_file_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dwarf, "MAX_BYTES", 300)
    with pytest.raises(KernelInfoError, match="more than 300 bytes"):
        make_vmlinux(kernel().bytes(), kallsyms(PLACES), notes())


def test_more_parameters_than_any_function_has_are_left_out() -> None:
    maker = BtfMaker()
    number = maker.integer("int", 4)
    maker.function("many", number, [("a", number)] * (functions.MAX_PARAMETERS + 1))
    (found,) = subprograms(make_vmlinux(maker.bytes(), kallsyms({"many": 8}), notes()).data)["many"]
    assert found.children == []


@given(types(), st.data())
def test_damaged_input_makes_a_file_that_can_be_read_or_none(made, data) -> None:
    whole = [bytearray(made[0].bytes()), bytearray(kallsyms(PLACES, more=MORE)), bytearray(notes())]
    for _ in range(data.draw(st.integers(1, 3))):
        piece = data.draw(st.sampled_from(whole))
        piece[data.draw(st.integers(0, len(piece) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = make_vmlinux(*map(bytes, whole))
    except KernelInfoError:
        return
    read(found.data)
