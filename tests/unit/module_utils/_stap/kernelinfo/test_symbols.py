# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host says of its symbols and its build is read, or refused in one sentence."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernelinfo_maker import BUILD_ID, STEXT, kallsyms, notes

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import symbols as reader
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.symbols import (
    LINK_STEXT,
    build_id,
    read_kallsyms,
)

PLACES = st.dictionaries(
    st.from_regex(r"[a-z]{3,6}", fullmatch=True), st.integers(1, 0x7FFF), min_size=1, max_size=20
)


@given(PLACES, st.integers(0, 0x300).map(lambda n: STEXT + (n << 21)))
def test_every_boot_of_a_kernel_gives_the_same(places: dict[str, int], start: int) -> None:
    here, there = read_kallsyms(kallsyms(places)), read_kallsyms(kallsyms(places, slide_from=start))
    assert here.all == there.all
    assert {f.name: f.address - LINK_STEXT for f in here.functions() if f.name in places} == places


def test_a_system_map_has_the_functions_alone() -> None:
    found = read_kallsyms(kallsyms({"vfs_read": 0x20}, more=f"{STEXT + 0x30:x} D a_variable\n"))
    assert f"{LINK_STEXT + 0x20:016x} T vfs_read\n".upper() in found.system_map().decode().upper()
    assert b"a_variable" not in found.system_map()


@given(PLACES)
def test_a_function_ends_where_the_next_symbol_begins(places: dict[str, int]) -> None:
    found = read_kallsyms(kallsyms(places))
    edges = sorted({*places.values(), 0x8000})
    for at in places.values():
        following = min(edge for edge in edges if edge > at)
        assert found.size(LINK_STEXT + at, 1 << 20) == following - at


def test_modules_and_odd_lines_are_left_out() -> None:
    more = f'{STEXT:x} t ext4_x\t[ext4]\n{STEXT:x} t "quoted"\n{STEXT:x} t bad name\n\xff\n'
    names = {symbol.name for symbol in read_kallsyms(kallsyms({"yes": 5}, more=more)).all}
    assert "yes" in names
    assert not names & {"ext4_x", '"quoted"', "bad"}


def test_absolute_symbols_stay_where_they_are() -> None:
    found = read_kallsyms(kallsyms({}, more="0000000000014000 A cpu_number\n"))
    assert found.places["cpu_number"] == 0x14000


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(kallsyms({}, slide_from=0), "kernel.kptr_restrict", id="addresses-hidden"),
        pytest.param(b"", "no _stext", id="empty"),
        pytest.param(kallsyms({}).replace(b"_etext", b"_other"), "_etext", id="no-end"),
        pytest.param(kallsyms({}).replace(b"_einittext", b"_x"), "_sinittext", id="half-of-init"),
        pytest.param(
            kallsyms({}, more="f" * 17 + " T x\n").replace(b"T _stext", b"T x"), "no _stext", id="other"
        ),
    ],
)
def test_symbols_that_cannot_be_used_are_refused(data: bytes, said: str) -> None:
    with pytest.raises(KernelInfoError, match=said):
        read_kallsyms(data)


def test_a_kernel_that_lists_no_data_ends_behind_its_notes() -> None:
    found = read_kallsyms(kallsyms({}).replace(b" _end\n", b" other\n"))
    assert found.end > found.init_text[1]
    assert found.end >= found.places["__start_notes"] + reader.MAX_NOTES


def test_there_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_SYMBOLS", 3)
    with pytest.raises(KernelInfoError, match="more than 3 symbols"):
        read_kallsyms(kallsyms({}))
    monkeypatch.setattr(reader, "MAX_BYTES", 20)
    with pytest.raises(KernelInfoError, match="more than 20 bytes"):
        read_kallsyms(kallsyms({}))


@given(st.binary(max_size=300))
def test_any_bytes_are_symbols_or_refused(junk: bytes) -> None:
    with pytest.raises(KernelInfoError):
        read_kallsyms(junk)


def test_the_build_id_is_found_behind_other_notes() -> None:
    assert build_id(notes()) == BUILD_ID.hex()


@pytest.mark.parametrize(
    "data",
    [b"", notes()[:30], struct.pack("<III", 4, 0xFFFFFFFF, 3) + b"GNU\0", notes(b"x"), b"\0" * 4000],
)
def test_notes_without_a_build_id_are_refused(data: bytes) -> None:
    with pytest.raises(KernelInfoError, match="no build id"):
        build_id(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_notes_or_refused(junk: bytes) -> None:
    with pytest.raises(KernelInfoError):
        build_id(junk)
