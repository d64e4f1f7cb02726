# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters are where the calling convention of arm64 puts them, or nowhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kernelinfo_maker import Parameters

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.aapcs64 import locations
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.btf import read_btf

X = [bytes([0x50 + n]) for n in range(8)]


def stack(offset: int) -> bytes:
    return bytes([0x8F, offset])


def pair(first: int, rest: int = 8) -> bytes:
    return X[first] + b"\x93\x08" + X[first + 1] + bytes([0x93, rest])


def copied(number: int) -> bytes:
    """Return the place of what is in memory that a register points to."""
    return bytes([0x70 + number, 0])


CASES: list[tuple[str, Callable[[Parameters], tuple[int, list[int]]], list[bytes]]] = [
    ("eight-integers", lambda k: (k.int, [k.int] * 8), X),
    ("the-ninth", lambda k: (0, [k.ptr] * 10), [*X, stack(0), stack(8)]),
    ("two-words", lambda k: (0, [k.two, k.int]), [pair(0), X[2]]),
    ("a-name-for-it", lambda k: (0, [k.name_of_two]), [pair(0)]),
    ("twelve-bytes", lambda k: (0, [k.twelve]), [pair(0, 4)]),
    ("bitfields", lambda k: (0, [k.bits_]), [X[0]]),
    ("packed", lambda k: (0, [k.packed, k.int]), [pair(0, 4), X[2]]),
    ("large", lambda k: (0, [k.int, k.large, k.int]), [X[0], copied(1), X[2]]),
    (
        "large-on-the-stack",
        lambda k: (0, [k.int] * 9 + [k.large, k.int]),
        [*X, stack(0), stack(8) + b"\x06", stack(16)],
    ),
    # What does not fit any more ends the use of registers.
    ("no-two-left", lambda k: (0, [k.int] * 7 + [k.two, k.int]), [*X[:7], stack(0), stack(16)]),
    ("int128-at-an-even-one", lambda k: (0, [k.int, k.huge, k.int]), [X[0], pair(2), X[4]]),
    ("and-so-within", lambda k: (0, [k.int, k.wide, k.int]), [X[0], pair(2), X[4]]),
    (
        "int128-on-the-stack",
        lambda k: (0, [k.int] * 9 + [k.huge, k.int]),
        [*X, stack(0), stack(16), stack(32)],
    ),
    ("large-result", lambda k: (k.large, [k.int]), [X[0]]),
    ("float", lambda k: (0, [k.int, k.double, k.int]), [X[0], b"", b""]),
    ("float-within", lambda k: (0, [k.vector, k.int]), [b"", b""]),
    ("four-floats", lambda k: (0, [k.vectors, k.int]), [b"", b""]),
    ("many-floats", lambda k: (0, [k.doubles, k.int]), [copied(0), X[1]]),
    ("more-to-come", lambda k: (0, [k.ptr, 0]), [X[0]]),
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
