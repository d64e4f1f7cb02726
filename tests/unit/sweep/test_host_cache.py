# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered of a host between sweeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import ArmRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import WindowRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.clock import Clock
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.host_cache import (
    DRIFT,
    KEEP_ARMINGS,
    HostMemory,
    armings,
    clock_now,
    measured,
    modules_key,
    with_arming,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.window import Arming

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
    memory.put("web1", {"facts": FACTS, "stap": "5.1"})
    found = memory.get("web1")
    assert found is not None
    assert (found["facts"], found["stap"]) == (FACTS, "5.1")
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


def test_the_last_arming_counts_but_for_one_that_was_late() -> None:
    """That one was not waited for: it takes at least as long as it was known to."""
    before = {"arming": {"k": {"seconds": 10.0, "hosts": 3}, "other": {"seconds": 1, "hosts": 3}}}

    def after(seconds: float, *, late: bool) -> object:
        return with_arming(before, "k", Arming(seconds, 5), late=late)["k"]

    assert with_arming(before, "k", Arming(4.0, 5), late=False)["other"] == {"seconds": 1.0, "hosts": 3}
    assert after(4.0, late=False) == {"seconds": 4.0, "hosts": 5}
    assert after(4.0, late=True) == {"seconds": 10.0, "hosts": 3}
    assert after(20.0, late=True) == {"seconds": 20.0, "hosts": 5}
    many = {"arming": {str(number): {"seconds": 1, "hosts": 1} for number in range(KEEP_ARMINGS)}}
    kept = with_arming(many, "new", Arming(1.0, 1), late=False)
    assert "0" not in kept
    assert "new" in kept


def test_an_arming_is_measured_from_the_beginning_of_its_phase() -> None:
    window = WindowRecord(start=1.0, end=2.0, began=100.0, among=7)
    assert measured(window, ArmRecord(ended=104.5)) == Arming(4.5, 7)
    assert measured(window, ArmRecord(ended=99.0)) is None
    assert measured(window, ArmRecord()) is None
    older = WindowRecord.from_json({"start": 1.0, "chosen": 1.0, "at_once": 3})
    assert measured(older, ArmRecord(ended=2.0)) is None


@pytest.mark.parametrize("change", [{"kernel": "../x"}, {"kernel": None}, {"boot_id": 1}, {"clock": {}}])
def test_facts_that_break_a_rule_were_never_remembered_and_are_written_anew(
    tmp_path: Path, change: dict[str, object]
) -> None:
    memory = HostMemory(tmp_path)
    memory.put("web1", {"facts": {**FACTS, **change}})
    assert memory.get("web1") is None
    memory.put("web1", {"facts": FACTS})
    assert memory.get("web1") is not None


@pytest.mark.parametrize("odd", [-3600.0, float("nan"), float("inf"), None, "1", True, [1], 10**400])
def test_an_arming_that_was_none_is_forgotten_and_does_no_harm(odd: object) -> None:
    good = {"seconds": 1.5, "hosts": 2}
    found = armings({"arming": {"k": {"seconds": odd, "hosts": 2}, "old": 2.0, "good": good}})
    assert found == {"good": Arming(1.5, 2)}
    assert armings({"arming": {"k": {"seconds": 1.0, "hosts": odd}}}) == {}
    assert armings(None) == armings({"arming": [1]}) == {}
