# SPDX-License-Identifier: GPL-3.0-or-later
"""A finding's record, as news.json has it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.finding_records import (
    Record,
    from_json,
    to_json,
)

RECORD = Record(
    fingerprint="9c31d2aa0011",
    kind="compare",
    severity="warning",
    who="web3",
    of="host",
    probe="disktop",
    table="disks",
    measure="time",
    direction="up",
    sentence="web3: slower",
    value=14.0,
    state="new",
    since="20261101_010000_ab12",
    last_seen="20261102_010000_ab12",
    hosts=("web3",),
    ack={"why": "known", "by": "ann"},
)


def test_a_record_is_read_as_it_was_written() -> None:
    assert from_json(to_json(RECORD)) == RECORD


@pytest.mark.parametrize(
    "change",
    [{"state": "odd"}, {"hosts": 3}, {"severity": "bad"}, {"sweeps": "1"}, {"ack": "x"}, {"value": None}],
)
def test_a_damaged_record_is_none(change: dict[str, Any]) -> None:
    assert from_json({**to_json(RECORD), **change}) is None


@pytest.mark.parametrize("data", [None, 7, [], {}, {"state": "new"}])
def test_what_is_no_record_is_none(data: Any) -> None:
    assert from_json(data) is None
