# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import settings


def test_what_may_be_said() -> None:
    said = settings.parse(
        {"season": "hour", "confirm": "once", "per_week": 28, "accept_after": "2w", "alarms": "0.5/week"}
    )
    assert said == settings.Settings("hour", "once", 28.0, 14 * 86_400.0, 0.5)
    assert settings.parse({"accept_after": 0}).accept_after_s == 0


@pytest.mark.parametrize(
    ("confirm", "per_week", "at_once"),
    [("auto", 0, True), ("auto", 13, True), ("auto", 14, False), ("once", 168, True), ("always", 1, False)],
)
def test_what_is_told_at_once(confirm: str, per_week: int, at_once: bool) -> None:
    assert settings.parse({"confirm": confirm, "per_week": per_week}).at_once == at_once


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"seasn": "hour"}, "'seasn' is not known"),
        ({"season": "week"}, "season 'week'"),
        ({"confirm": "never"}, "confirm 'never'"),
        ({"per_week": -1}, "per_week -1"),
        ({"per_week": True}, "per_week True"),
        ({"accept_after": "14 years"}, "accept_after: '14 years' is no time"),
        ({"alarms": "often"}, "alarms: 'often' is no rate"),
    ],
)
def test_what_may_not(data: dict[str, Any], why: str) -> None:
    with pytest.raises(FleetdiagError, match=why):
        settings.parse(data)
    assert settings.tolerant(data) == settings.Settings()


@pytest.mark.parametrize("data", [None, 7, [], "x"])
def test_a_damaged_file_says_nothing(data: Any) -> None:
    assert settings.tolerant(data) == settings.Settings()
