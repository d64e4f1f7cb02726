# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered of a host between sweeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.host_cache import (
    DRIFT,
    KEEP_ARMINGS,
    MAX_PLACE_S,
    HostMemory,
    armings,
    clock_now,
    contact,
    modules_key,
    was_set,
    with_arming,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl import Clock

FACTS = {
    "kernel": "6.12",
    "kernel_build_id": "",
    "staprun": "5.1",
    "boot_id": "5e3f2a10-9f2a-4a5a-8d36-0123456789ab",
    "clock": {"offset_s": 0.0, "error_s": 0.1},
}


def test_a_host_is_remembered_until_it_is_forgotten(tmp_path: Path) -> None:
    memory = HostMemory(tmp_path / "hosts")
    assert memory.get("web1") is None
    memory.put("web1", {"facts": FACTS, "contact_s": 0.2})
    found = memory.get("web1")
    assert found is not None
    assert (found["facts"], found["contact_s"]) == (FACTS, 0.2)
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


@pytest.mark.parametrize("change", [{"kernel": "../x"}, {"kernel": None}, {"boot_id": 1}, {"clock": {}}])
def test_facts_that_break_a_rule_were_never_remembered_and_are_written_anew(
    tmp_path: Path, change: dict[str, object]
) -> None:
    memory = HostMemory(tmp_path)
    memory.put("web1", {"facts": {**FACTS, **change}})
    assert memory.get("web1") is None
    memory.put("web1", {"facts": FACTS})
    assert memory.get("web1") is not None


@pytest.mark.parametrize("odd", [-3600.0, float("nan"), float("inf"), None, "1", True, [1]])
def test_an_arming_that_a_clock_made_up_is_forgotten_and_does_no_harm(tmp_path: Path, odd: object) -> None:
    memory = HostMemory(tmp_path)
    memory.put("web1", {"facts": FACTS, "arming": {"k": odd, "good": 1.5}})
    found = memory.get("web1")
    assert found is not None
    assert found["arming"] == {"good": 1.5}
    assert with_arming(found, "k", 2.0) == {"good": 1.5, "k": 2.0}


@pytest.mark.parametrize("odd", [-3600.0, float("nan"), float("inf")])
def test_what_was_not_measured_leaves_what_was_known(odd: float) -> None:
    assert with_arming({"arming": {"k": 2.0}}, "k", odd) == {"k": 2.0}
    assert armings(None) == armings({"arming": [1]}) == {}


def test_a_clock_that_is_set_is_noticed_and_one_that_drifts_is_not() -> None:
    before = Clock(0.0, 0.1)
    assert not was_set(before, Clock(0.4, 0.1))
    assert was_set(before, Clock(-3600.0, 0.1))
    assert was_set(before, Clock(3600.0, 0.1))
    assert was_set(before, None)


def test_how_a_host_was_reached_is_bounded_whatever_the_file_says() -> None:
    odd = contact({"contact_s": float("nan"), "at_once": 0, "place_s": 10 * MAX_PLACE_S}, 0.5, 5)
    assert (odd.seconds, odd.at_once, odd.place_s) == (0.5, 5, None)
    assert contact({"contact_s": -1, "at_once": "x"}, None, 7).seconds == 0.0
    good = contact({"contact_s": 0.2, "at_once": 25, "place_s": 1.5}, 0.5, 5)
    assert (good.seconds, good.at_once, good.place_s) == (0.2, 25, 1.5)
