# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host hands over is taken only if it is whole and was asked for."""

from __future__ import annotations

import base64
import gzip
import hashlib

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl_replies import read_collected


def packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data)).decode()


def answer(
    out: bytes = b"rows\n",
    *,
    probe: str = "nettop",
    sha256: str = "",
    result: str = "success 0 120000",
    redacted: str = "9 1",
) -> list[str]:
    sha256 = sha256 or hashlib.sha256(out).hexdigest()
    return [
        f"session {probe} {result} {len(out)} {sha256} {redacted}",
        f"out {probe} {packed(out)}",
        f"err {probe} {packed(b'WARNING: x')}",
        "collect=complete",
    ]


def test_collected_output_is_whole_and_its_unit_is_known() -> None:
    collected = read_collected(["residue fd_x_nettop", *answer()], {"nettop": 100})
    (session,) = collected.sessions
    assert gzip.decompress(session.out_gz) == b"rows\n"
    assert session.err == b"WARNING: x"
    assert (session.result, session.status, session.cpu_s, session.out_bytes) == ("success", "0", 0.12, 5)
    assert (session.printed_bytes, session.redacted_lines) == (9, 1)
    assert collected.residue == ["fd_x_nettop"]


@pytest.mark.parametrize(
    ("line", "sentences"),
    [
        ("kernel taint 12288 12288", []),
        ("kernel taint 0 12288", []),  # a module of ours was loaded
        ("kernel taint 0 12800", ["its kernel is tainted by a warning since it was probed"]),
        ("kernel taint 512 12928", ["its kernel is tainted by an oops since it was probed"]),
        ("kernel booted", ["it was booted again while it was probed"]),
        ("kernel said [ 9.1] BUG: \x1b[2J", ["its kernel said: [ 9.1] BUG: \\x1b[2J"]),
        (
            "kernel full /var/lib/x",
            ["/var/lib/x has no room left: what its sessions printed may be lost; free space there"],
        ),
        ("kernel taint x", []),
    ],
)
def test_what_becomes_of_the_kernel_is_said(line: str, sentences: list[str]) -> None:
    assert read_collected([line, *answer()], {"nettop": 100}).kernel == sentences


def test_output_from_which_nothing_was_taken_says_so() -> None:
    (session,) = read_collected(answer(redacted="5 -"), {"nettop": 100}).sessions
    assert (session.printed_bytes, session.redacted_lines) == (5, None)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (answer()[:-1], "did not arrive whole"),
        (answer(sha256="0" * 64), "another checksum"),
        (answer(b"x" * 101), "more output than its limit"),
        (answer(probe="../../../etc/passwd"), "nobody asked for"),
        (answer(result="success zero"), "cannot be read"),
        (answer(redacted="5 many"), "cannot be read"),
        (answer(redacted="5"), "cannot be read"),
        ([answer()[0], "out nettop AAAA", "collect=complete"], "not readable gzip"),
        ([answer()[0], "out nettop ~~~", "collect=complete"], "not readable base64"),
        ([answer()[0], "out nettop \x1f\udc8b\u2028", "collect=complete"], "not readable base64"),
        ([*answer()[:2], "err nettop AAAA", "collect=complete"], "what it said is not readable gzip"),
    ],
)
def test_a_bad_transfer_is_refused(lines: list[str], sentence: str) -> None:
    with pytest.raises(FleetdiagError, match=sentence):
        read_collected(lines, {"nettop": 100})


def test_output_that_is_nothing_but_wrapping_is_not_kept() -> None:
    head = answer(b"")[0]
    members = base64.b64encode(gzip.compress(b"") * 100).decode()
    with pytest.raises(FleetdiagError, match="bytes were sent, packed, for 0 bytes of output; not kept"):
        read_collected([head, f"out nettop {members}", "collect=complete"], {"nettop": 100_000})


def test_output_that_cannot_be_packed_is_kept() -> None:
    noise = b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(9000))
    (session,) = read_collected(answer(noise), {"nettop": 300_000}).sessions
    assert gzip.decompress(session.out_gz) == noise
