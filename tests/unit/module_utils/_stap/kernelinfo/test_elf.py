# SPDX-License-Identifier: GPL-3.0-or-later
"""ELF files are read back as they were written; others are refused in one sentence."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import elf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.elf import Section
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)

SECTION = st.builds(
    Section,
    name=st.from_regex(r"\.[a-z]{1,8}", fullmatch=True),
    type=st.sampled_from([elf.PROGBITS, elf.NOTE, elf.STRTAB]),
    flags=st.integers(0, 7),
    address=st.integers(0, (1 << 64) - 1),
    data=st.binary(max_size=40),
    alignment=st.sampled_from([1, 4, 8, 16]),
)


@given(st.lists(SECTION, max_size=6))
def test_sections_are_read_as_they_were_written(sections: list[Section]) -> None:
    found = elf.read_sections(elf.write_elf(elf.RELOCATABLE, sections, []))
    assert [(s.name, s.type, s.flags, s.address, s.data) for s in found[1:-1]] == [
        (s.name, s.type, s.flags, s.address, s.data) for s in sections
    ]


def test_btf_is_taken_from_a_kernel_with_nothing_else() -> None:
    assert (
        elf.btf_section(elf.write_elf(elf.EXECUTABLE, [Section(".BTF", elf.PROGBITS, data=b"types")], []))
        == b"types"
    )
    assert elf.btf_section(elf.write_elf(elf.EXECUTABLE, [], [])) == b""


@given(st.lists(SECTION, max_size=4), st.data())
def test_a_damaged_file_is_read_or_refused(sections: list[Section], data) -> None:
    whole = bytearray(elf.write_elf(elf.RELOCATABLE, sections, []))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(KernelInfoError):
        assert isinstance(elf.btf_section(bytes(whole)), bytes)


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"#!/bin/sh\n" * 20])
def test_something_else_is_refused(data: bytes) -> None:
    with pytest.raises(KernelInfoError, match="no ELF"):
        elf.read_sections(data)


def test_a_file_for_another_machine_is_refused() -> None:
    whole = bytearray(elf.write_elf(elf.RELOCATABLE, [], []))
    whole[18] = 40
    with pytest.raises(KernelInfoError, match="machine 40; only x86-64"):
        elf.read_sections(bytes(whole))


def test_a_section_beyond_the_file_is_refused() -> None:
    whole = bytearray(elf.write_elf(elf.RELOCATABLE, [Section(".x", elf.PROGBITS, data=b"x" * 9)], []))
    at = len(whole) - 2 * elf.SECTION.size + 32  # the size of .x
    whole[at : at + 8] = (1 << 40).to_bytes(8, "little")
    with pytest.raises(KernelInfoError, match="cut off"):
        elf.read_sections(bytes(whole))
