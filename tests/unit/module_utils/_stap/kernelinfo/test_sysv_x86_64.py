# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters are where the calling convention of x86-64 puts them, or nowhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kernelinfo_maker import Parameters

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.btf import read_btf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.sysv_x86_64 import (
    locations,
)

RDI, RSI, RDX, RCX, R8, R9 = (bytes([0x50 + n]) for n in (5, 4, 1, 2, 8, 9))


def stack(offset: int) -> bytes:
    return bytes([0x77, offset])


CASES: list[tuple[str, Callable[[Parameters], tuple[int, list[int]]], list[bytes]]] = [
    ("six-integers", lambda k: (k.int, [k.int] * 6), [RDI, RSI, RDX, RCX, R8, R9]),
    ("the-seventh", lambda k: (0, [k.ptr] * 8), [RDI, RSI, RDX, RCX, R8, R9, stack(8), stack(16)]),
    ("two-words", lambda k: (0, [k.two, k.int]), [RDI + b"\x93\x08" + RSI + b"\x93\x08", RDX]),
    ("a-name-for-it", lambda k: (0, [k.name_of_two]), [RDI + b"\x93\x08" + RSI + b"\x93\x08"]),
    ("twelve-bytes", lambda k: (0, [k.twelve]), [RDI + b"\x93\x08" + RSI + b"\x93\x04"]),
    ("bitfields", lambda k: (0, [k.bits_]), [RDI]),
    ("packed", lambda k: (0, [k.packed, k.int]), [stack(8), RDI]),
    ("large", lambda k: (0, [k.large, k.int, k.large]), [stack(8), RDI, stack(32)]),
    ("no-two-left", lambda k: (0, [k.int] * 5 + [k.two, k.int]), [RDI, RSI, RDX, RCX, R8, stack(8), R9]),
    (
        "int128-on-the-stack",
        lambda k: (0, [k.int] * 7 + [k.huge]),
        [RDI, RSI, RDX, RCX, R8, R9, stack(8), stack(24)],
    ),
    ("large-result", lambda k: (k.large, [k.int]), [RSI]),
    ("small-result", lambda k: (k.two, [k.int]), [RDI]),
    ("float", lambda k: (0, [k.int, k.double, k.int]), [RDI, b"", b""]),
    ("float-within", lambda k: (0, [k.vector, k.int]), [b"", b""]),
    ("more-to-come", lambda k: (0, [k.ptr, 0]), [RDI]),
    ("none", lambda k: (0, []), []),
]


@pytest.mark.parametrize(("make", "wanted"), [pytest.param(m, w, id=name) for name, m, w in CASES])
def test_where_parameters_are(
    make: Callable[[Parameters], tuple[int, list[int]]], wanted: list[bytes]
) -> None:
    kernel = Parameters()
    result, parameters = make(kernel)
    function = kernel.function("f", result, [("", number) for number in parameters])
    btf = read_btf(kernel.bytes())
    assert locations(btf, btf.values[function]) == wanted
