# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of a host lie at their paths below a folder, name no loader, and bad ones are refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from kernelinfo_maker import BUILD_ID
from program_maker import LOADER, mark, program

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap import program_root
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import elf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)

KERNEL = "6.1.0-test"


def segments(data: bytes) -> list[int]:
    """Return the types of a file's segments."""
    fields = elf.HEADER.unpack_from(data)
    return [elf.SEGMENT.unpack_from(data, fields[5] + n * elf.SEGMENT.size)[0] for n in range(fields[10])]


@pytest.fixture
def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a kernel's modules and its files in /boot, with the list of symbols that Debian installs."""
    for name in ("modules", "boot"):
        monkeypatch.setattr(program_root, name.upper(), str(tmp_path / name))
    (tmp_path / "modules" / KERNEL / "kernel").mkdir(parents=True)
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot" / f"config-{KERNEL}").write_text("CONFIG_X=y\n")
    (tmp_path / "boot" / f"System.map-{KERNEL}").write_text("ffffffffffffffff B elsewhere\n")
    return tmp_path


def make(builder: Path, data: bytes, debuginfo: str = "") -> Path:
    (builder / "sent").write_bytes(data)
    wanted = {"path": "/lib/app.so", "real": "/usr/lib/app.so.2", "file": str(builder / "sent")}
    program_root.make_root(
        str(builder / "root"), KERNEL, [wanted, {**wanted, "path": wanted["real"]}], debuginfo
    )
    return builder / "root"


def test_a_program_is_found_at_its_path_and_where_that_leads(builder: Path) -> None:
    root = make(builder, program())
    link = root / "lib" / "app.so"
    assert link.resolve() == root / "usr" / "lib" / "app.so.2"
    assert not os.readlink(link).startswith("/")
    assert link.stat().st_mode & 0o777 == 0o700
    make(builder, program(build_id=b"another1"))  # what an earlier script left is gone
    assert b"another1" in link.read_bytes()


def test_the_kernel_is_found_below_it_too(builder: Path) -> None:
    root = make(builder, program(), debuginfo="/made")
    modules = root / str(builder)[1:] / "modules" / KERNEL
    assert os.readlink(modules / "kernel") == str(builder / "modules" / KERNEL / "kernel")
    assert os.readlink(modules / "vmlinux") == f"/made/boot/vmlinux-{KERNEL}"
    boot = root / str(builder)[1:] / "boot"
    assert (boot / f"config-{KERNEL}").read_text() == "CONFIG_X=y\n"
    symbols = boot / f"System.map-{KERNEL}"
    assert symbols.read_text().endswith(f" T {program_root.RETURNS}\n")
    assert "elsewhere" in (builder / "boot" / symbols.name).read_text()
    (builder / "boot" / symbols.name).write_text(f"0 T {program_root.RETURNS}\n1 T other\n")
    make(builder, program())
    assert "other" in symbols.read_text()


def test_no_program_names_a_loader_any_more(builder: Path) -> None:
    data = program()
    assert segments(data) == [program_root.INTERPRETER, elf.NOTES]
    made = (make(builder, data) / "usr" / "lib" / "app.so.2").read_bytes()
    assert segments(made) == [program_root.NULL, elf.NOTES]
    assert len(made) == len(data)
    assert program_root.checked(made) == BUILD_ID.hex()
    assert LOADER in made  # all else is as it was


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"#!/bin/sh\n", "no ELF file"),
        (program().replace(b"\x3e", b"\xb7", 1), "a program for arm64"),
        (program(kind=elf.RELOCATABLE), "neither a program nor a library"),
        (program(build_id=b""), "build id"),
        (program(names=b'\0main", 0); panic("\0'), "a piece of a C program"),
        (program(names=b"\0one\ntwo\0"), "a piece of a C program"),
        (program(marks=mark() + mark(name=b'a" b')), "names of its marks"),
        (program(marks=mark(arguments=b"4@\\x")), "names of its marks"),
        (program()[:-70], "damaged"),
    ],
    ids=["text", "arm64", "relocatable", "nameless", "symbol", "line", "mark", "argument", "cut"],
)
def test_what_cannot_be_probed_is_refused(builder: Path, data: bytes, said: str) -> None:
    with pytest.raises(KernelInfoError, match=said):
        program_root.checked(data)
    with pytest.raises(KernelInfoError):
        make(builder, data)


@pytest.mark.parametrize("value", [0x00, 0x7F, 0xFF])
def test_a_damaged_program_ends_in_a_sentence(value: int) -> None:
    whole = program(marks=mark())
    for at in range(len(whole)):
        data = whole[:at] + bytes([value]) + whole[at + 1 :]
        try:
            program_root.checked(data)
            program_root.without_loader(data)
        except KernelInfoError:
            continue
