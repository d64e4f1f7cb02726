# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is asked to arm, and how long it may take."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakesweep import new_run

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import SweepRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import WindowRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import arming

NOW = 1_800_000_000.0


@pytest.fixture
def sweep(tmp_path: Path) -> SweepRecord:
    return read.open_run(new_run(tmp_path)).request


def test_a_session_that_is_told_its_window_later_may_live_until_the_slowest_is_armed(
    sweep: SweepRecord,
) -> None:
    wanted = arming.asked(sweep, {"tick": "a" * 64}, None, 50, NOW)
    assert wanted["timeout_s"] == 50
    assert wanted["ttl_s"] == arming.ttl_s(50, sweep.window_s) > 2 * 50 + sweep.window_s
    assert [plan.probe for plan in wanted["plans"]] == ["tick"]


def test_a_window_that_is_chosen_ends_the_arming_and_the_session(sweep: SweepRecord) -> None:
    window = WindowRecord(start=NOW + 20, end=NOW + 50)
    wanted = arming.asked(sweep, {"tick": "a" * 64}, window, 600, NOW)
    assert wanted["timeout_s"] == 20
    assert wanted["ttl_s"] == 50 + arming.TOLD_TTL_MARGIN_S
    late = arming.asked(sweep, {"tick": "a" * 64}, window, 600, NOW + 40)
    assert (late["timeout_s"], late["ttl_s"]) == (1, 10 + arming.TOLD_TTL_MARGIN_S)


def test_a_probe_without_a_module_is_not_asked_for(sweep: SweepRecord) -> None:
    assert arming.asked(sweep, {}, None, 0, NOW)["plans"] == []
