# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps of a sweep read from it."""

from __future__ import annotations

import gzip

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils import sweeprun

NONCE = "0123456789abcdef"


@pytest.mark.parametrize(
    ("output", "at"),
    [
        (f"{NONCE}\t1\t@armed\t0\t1795423044801\n", 1795423044.801),
        (f"hello\n{NONCE}\t1\t@armed\t0\t1795423044801\n", 1795423044.801),
        ("ffff\t1\t@armed\t0\t1795423044801\n", None),
        (f"{NONCE}\t1\t@armed\t0\tsoon\n", None),
        (f"{NONCE}\t1\t@armed\n", None),
        ("", None),
    ],
)
def test_a_session_says_when_it_was_armed(output: str, at: float | None) -> None:
    assert sweeprun.armed_at(gzip.compress(output.encode()), NONCE) == at


def test_output_that_is_no_gzip_says_nothing() -> None:
    assert sweeprun.armed_at(b"x", NONCE) is None


def test_only_what_was_built_has_a_checksum() -> None:
    built = {"probes": {"nettop": {"sha256": "a"}, "broken": {"sha256": ""}, "smoke": {"sha256": "s"}}}
    assert sweeprun.checksums(built) == {"nettop": "a", "smoke": "s"}
