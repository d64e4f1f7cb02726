# SPDX-License-Identifier: GPL-3.0-or-later
"""Debuginfo of modules is made once, of what is on the builder, and costs no compilation when it cannot be made."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest
from kernelinfo_maker import BUILD_ID, BtfMaker, kallsyms, notes

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap import kernel_files
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import elf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.bundle import Bundle, pack
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.elf import Section

KERNEL = "6.1.0-test"


@pytest.fixture
def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a tree of modules with one whose name has a dash, and what a host of the kernel handed over."""
    monkeypatch.setattr(kernel_files, "MODULES", str(tmp_path / "modules"))
    base = BtfMaker()
    base.integer("int", 4)
    (tmp_path / "info").write_bytes(pack(Bundle(base.bytes(), kallsyms({}), notes())))
    more = BtfMaker(first=base.count, strings=len(base.strings))
    more.function("send", 1, [("count", 1)])
    symbol = elf.SYMBOL.pack(1, 2, 0, 2, 0x10, 8)
    sections = [
        Section(".note.gnu.build-id", elf.NOTE, flags=elf.ALLOC, data=notes(), alignment=4),
        Section(".text", elf.PROGBITS, flags=elf.ALLOC | elf.EXEC, data=bytes(64)),
        Section(".BTF", elf.PROGBITS, data=more.bytes()),
        Section(".symtab", elf.SYMTAB, data=bytes(24) + symbol, link=5, info=1, entry=24),
        Section(".strtab", elf.STRTAB, data=b"\0send\0"),
    ]
    folder = tmp_path / "modules" / KERNEL / "kernel" / "net"
    folder.mkdir(parents=True)
    (folder / "my-net.ko.xz").write_bytes(lzma.compress(elf.write_elf(elf.RELOCATABLE, sections, [])))
    (folder / "broken.ko").write_bytes(b"no module")
    return tmp_path


def add(builder: Path, *names: str) -> list[Path]:
    kernel_files.add_modules(str(builder / "out"), str(builder / "info"), KERNEL, list(names))
    return sorted(builder.glob("out/.build-id/*/*.debug"))


def test_a_module_is_found_by_its_build_id_and_made_once(builder: Path) -> None:
    (made,) = add(builder, "my_net")
    assert made.parent.name + made.stem == BUILD_ID.hex()
    assert b"send\0" in made.read_bytes()
    before = made.stat().st_ino
    assert add(builder, "my-net") == [made]
    assert made.stat().st_ino == before
    made.write_bytes(b"")
    add(builder, "my_net")
    assert b"send\0" in made.read_bytes()


def test_what_is_no_module_or_is_not_there_costs_nothing(builder: Path) -> None:
    assert add(builder, "broken", "absent") == []


@pytest.mark.parametrize(
    ("script", "args", "names"),
    [
        ('probe module("ext4").function("*").call, module ( "vfat" ).function("x") {}', [], ["ext4", "vfat"]),
        ("probe module(@1).function(@2) {}", ["ext4", "ext4_*"], ["ext4"]),
        ('probe module("*").function("x") {}', ["../../etc"], []),
    ],
)
def test_modules_are_those_that_a_script_names(script: str, args: list[str], names: list[str]) -> None:
    assert kernel_files.module_names(script, args) == names
