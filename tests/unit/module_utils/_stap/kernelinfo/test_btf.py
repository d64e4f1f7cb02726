# SPDX-License-Identifier: GPL-3.0-or-later
"""BTF is read whole or refused in one sentence, whatever a host sends."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernelinfo_maker import CONST, FUNC, INT, STRUCT, TYPEDEF, BtfMaker, types

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import btf as reader
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.btf import read_btf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)


def small() -> BtfMaker:
    maker = BtfMaker()
    number = maker.integer("int", 4, signed=True)
    maker.struct("pair", 8, [("a", number, 0), ("b", number, 32)])
    return maker


@given(types())
def test_everything_that_was_made_is_read(made) -> None:
    maker, wanted = made
    btf = read_btf(maker.bytes())
    assert len(btf) == len(wanted) + 1
    for number, (_tag, facts) in enumerate(wanted, 1):
        if isinstance(facts[0], str):
            assert btf.name(number) == facts[0]
        if btf.kinds[number] == STRUCT:
            names = [btf.text(name) for name, _type, _at, _width in btf.members(number)]
            assert names == [member[0] for member in facts[2]]


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_refused_in_a_sentence(junk: bytes) -> None:
    with pytest.raises(KernelInfoError) as error:
        read_btf(junk)
    assert "\n" not in str(error.value)


@given(types(), st.data())
def test_damaged_btf_is_read_or_refused(made, data) -> None:
    whole = bytearray(made[0].bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    del whole[data.draw(st.integers(len(whole) // 2, len(whole))) :]
    try:
        btf = read_btf(bytes(whole))
    except KernelInfoError:
        return
    for number in range(len(btf)):  # what is taken can be used
        btf.size(number)
        btf.alignment(number)
        assert btf.kinds[btf.plain(number)] not in reader.MODIFIERS


def test_a_module_goes_on_where_its_kernel_ends() -> None:
    base = read_btf(small().bytes())
    more = BtfMaker(first=len(base), strings=len(base.strings))
    more.struct("ours", 8, [("theirs", 2, 0)])
    btf = read_btf(more.bytes(), base)
    assert btf.name(3) == "ours"
    assert [btf.name(member) for _name, member, _at, _width in btf.members(3)] == ["pair"]
    assert btf.first == 3
    assert len(base) == 3


def header(**changes: int) -> bytes:
    fields = {
        "magic": 0xEB9F,
        "version": 1,
        "flags": 0,
        "header": 24,
        "at": 0,
        "types": 0,
        "text_at": 0,
        "text": 1,
    }
    return struct.pack("<HBBIIIII", *{**fields, **changes}.values()) + b"\0"


def loop(kind: int) -> bytes:
    maker = BtfMaker()
    maker.add(kind, "a" if kind == TYPEDEF else "", 2)
    maker.add(kind, "b" if kind == TYPEDEF else "", 1)
    return maker.bytes()


def inside_itself() -> bytes:
    maker = BtfMaker()
    maker.struct("a", 8, [("b", 2, 0)])
    maker.array(1, 3)
    return maker.bytes()


def pointer_to_itself() -> bytes:
    maker = BtfMaker()
    maker.pointer(2)
    maker.typedef("again", 1)
    return maker.bytes()


def deep() -> bytes:
    maker = BtfMaker()
    at = maker.integer("int", 4)
    for _ in range(70):
        at = maker.typedef("t", at)
    return maker.bytes()


def deep_from_the_top() -> bytes:
    maker = BtfMaker()
    for number in range(1, 71):
        maker.typedef("t", number + 1)
    maker.integer("int", 4)
    return maker.bytes()


def with_name(name: str) -> bytes:
    maker = BtfMaker()
    maker.integer(name, 4)
    return maker.bytes()


def far(kind: int, value: int) -> bytes:
    maker = BtfMaker()
    maker.add(kind, "x", value, bytes(4) if kind == INT else b"")
    return maker.bytes()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(header(magic=0x9FEB), "big-endian", id="other-byte-order"),
        pytest.param(header(magic=0x464C), "no BTF", id="something-else"),
        pytest.param(header(version=2), "version 2", id="other-version"),
        pytest.param(header(header=4), "header has 4 bytes", id="short-header"),
        pytest.param(header(text=0xFFFFFFFF), "strings end beyond", id="long-strings"),
        pytest.param(header(at=0xFFFFFFFF), "types end beyond", id="far-types"),
        pytest.param(small().bytes()[:-1], "end beyond", id="cut-off"),
        pytest.param(small().bytes()[:-1] + b"x", "no end", id="string-without-end"),
        pytest.param(loop(TYPEDEF), "contains itself", id="name-for-itself"),
        pytest.param(loop(CONST), "contains itself", id="const-of-itself"),
        pytest.param(inside_itself(), "contains itself", id="structure-in-itself"),
        pytest.param(pointer_to_itself(), "contains itself", id="pointer-to-itself"),
        pytest.param(deep(), "64 deep", id="deep"),
        pytest.param(deep_from_the_top(), "64 deep", id="deep-from-the-top"),
        pytest.param(with_name('x"; panic("'), "no C name", id="text-of-a-program"),
        pytest.param(with_name("x\ny"), "no C name", id="control-character"),
        pytest.param(far(TYPEDEF, 9), "not there", id="type-beyond"),
        pytest.param(far(FUNC, 9), "not there", id="prototype-beyond"),
        pytest.param(far(INT, 1 << 31), "bytes", id="huge"),
        pytest.param(far(25, 0), "kind 25", id="kind-unknown"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, said: str) -> None:
    with pytest.raises(KernelInfoError, match=said):
        read_btf(data)
