# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.balancers import (
    Answer,
    BalancersRecord,
    MomentRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import balancer_record

LABEL = "/run/lb.sock: web/web1"
ROW = {
    "socket": "/run/lb.sock",
    "backend": "web",
    "server": "web1",
    "mode": "http",
    "weight": 100,
    "total": 5,
}
LOWERED = {
    "weights": {LABEL: {"before": 100, "after": 50}},
    "settled": True,
    "unfit": {"web2": "the last active server"},
    "owed": {},
    "agents": [LABEL],
    "servers": [ROW],
}
RESTORED = {"weights": {LABEL: {"after": 100}}, "left": {}, "owed": {LABEL: {"weight": 1, "why": "x"}}}
BEFORE = {
    "weight": "50%",
    "servers": {"web1": "web1", "web2": "web2"},
    "moments": [
        {"moment": "sweep", "batch": 0, "t": 1.0, "balancers": {"lb1": {"servers": [ROW]}}},
        {
            "moment": "lowered",
            "batch": 1,
            "t": 2.0,
            "balancers": {"lb1": {**LOWERED, "until": 62}},
            "hosts": ["web1", "web2"],
        },
        {"moment": "restored", "batch": 1, "t": 3.0, "balancers": {"lb1": {**RESTORED, "trouble": "gone"}}},
    ],
    "left_out": {"web2": "it cannot be given less traffic: the last active server"},
}


def test_it_is_written_as_it_was_byte_by_byte_moment_after_moment(tmp_path: Path) -> None:
    steps = (
        {"moment": "sweep", "batch": 0, "now": 1.0, "results": {"lb1": {"servers": [ROW], "changed": False}}},
        {
            "moment": "lowered",
            "batch": 1,
            "now": 2.0,
            "results": {"lb1": LOWERED},
            "weight": "50%",
            "servers": {"web1": "web1", "web2": "web2"},
            "ttl_s": 60,
        },
        {"moment": "restored", "batch": 1, "now": 3.0, "results": {"lb1": {**RESTORED, "trouble": "gone"}}},
    )
    for step in steps:
        write.balancers(tmp_path, balancer_record.added(read.balancers(tmp_path), **step))
    assert (tmp_path / "balancers.json").read_text() == json.dumps(BEFORE, indent=1) + "\n"


@pytest.mark.parametrize("junk", [None, 5, "x", [1, None], {"x": 1}, {"x": [1]}, True])
def test_of_a_damaged_one_what_can_be_is_read(junk: object) -> None:
    answer = dict.fromkeys((field.name for field in fields(Answer)), junk)
    moment = dict.fromkeys((field.name for field in fields(MomentRecord)), junk)
    record = BalancersRecord.from_json(
        {
            **dict.fromkeys((field.name for field in fields(BalancersRecord)), junk),
            "moments": [junk, moment, {"moment": "lowered", "balancers": {"lb1": answer, "lb2": junk}}],
        }
    )
    last = record.moments[-1]
    assert last.moment == "lowered"
    for answer_read in last.balancers.values():
        assert isinstance(answer_read.owing, list)
        assert isinstance(answer_read.left_alone, dict)
        assert answer_read.counts == []
        assert all(change.after is None for change in answer_read.changes.values())
    assert record.why_not("nobody") == ""


def test_an_answer_of_one_that_was_not_asked_for_weights_gave_none_back() -> None:
    assert not Answer.from_json({"servers": []}).gave_back
    assert Answer.from_json({"weights": {}}).gave_back
    assert not Answer.from_json({"weights": {}, "trouble": "gone"}).gave_back
