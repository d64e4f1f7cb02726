# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that a person wrote is its text, or one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.bounded_text import read_text
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"good\n\xff", ":2: manifest: is not UTF-8 text; save it as UTF-8"),
        (b"123456789", ":1: manifest: is larger than 8 bytes; shorten it"),
        (None, ": No such file or directory; make it readable"),
    ],
)
def test_what_is_no_text_is_one_sentence(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "probe.yml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FleetdiagError) as refused:
        read_text(path, 8, "manifest: ")
    assert str(refused.value) == f"{path}{said}"


def test_the_open_file_is_looked_at_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff")

    def refuse(_descriptor: int) -> None:
        raise FleetdiagError("belongs to somebody else")

    with pytest.raises(FleetdiagError, match="belongs to somebody else"):
        read_text(path, 8, check=refuse)
    path.write_bytes(b"12345678")
    assert read_text(path, 8) == "12345678"
