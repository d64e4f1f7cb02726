# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered of a host between sweeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.guard import Clock
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.hostmemory import (
    DRIFT,
    KEEP_ARMINGS,
    HostMemory,
    clock_now,
    modules_key,
    with_arming,
)


def test_a_host_is_remembered_until_it_is_forgotten(tmp_path: Path) -> None:
    memory = HostMemory(tmp_path / "hosts")
    assert memory.get("web1") is None
    memory.put("web1", {"facts": {"kernel": "6.12"}, "contact_s": 0.2})
    found = memory.get("web1")
    assert found is not None
    assert (found["facts"], found["contact_s"]) == ({"kernel": "6.12"}, 0.2)
    assert [
        path.stat().st_mode & 0o077 for path in (tmp_path / "hosts", *(tmp_path / "hosts").iterdir())
    ] == [0, 0]
    memory.forget("web1")
    assert memory.get("web1") is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"host": "web2", "facts": {}}', '{"host": "web1", "facts": 1}']
)
def test_what_cannot_be_read_was_never_remembered(tmp_path: Path, text: str) -> None:
    (tmp_path / "web1.json").write_text(text)
    assert HostMemory(tmp_path).get("web1") is None


def test_where_nothing_can_be_kept_the_sweep_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    HostMemory(tmp_path / "file").put("web1", {"facts": {}})


def test_a_set_of_modules_has_one_name_in_any_order() -> None:
    assert modules_key(["a", "b"]) == modules_key(["b", "a"]) != modules_key(["a"])


def test_a_clock_is_the_less_certain_the_longer_ago_it_was_read() -> None:
    memory = {"facts": {"clock": {"offset_s": 3.0, "error_s": 0.1}}, "clock_at": 1000.0}
    assert clock_now(memory, 1000.0) == Clock(3.0, 0.1)
    assert clock_now(memory, 87400.0) == Clock(3.0, pytest.approx(0.1 + DRIFT * 86400))
    assert clock_now({"facts": {"clock": {"offset_s": None}}}, 0.0).correction_s == 0.0


def test_a_quicker_arming_counts_half_and_a_slower_one_at_once() -> None:
    before = {"arming": {"k": 10.0, "other": 1.0}}
    assert with_arming(before, "k", 4.0) == {"other": 1.0, "k": 7.0}
    assert with_arming(before, "k", 20.0)["k"] == 20.0
    assert with_arming(before, "k", None) == {"other": 1.0}, "the next window is chosen when all are armed"
    many = {"arming": {str(number): 1.0 for number in range(KEEP_ARMINGS)}}
    assert "0" not in with_arming(many, "new", 1.0)
