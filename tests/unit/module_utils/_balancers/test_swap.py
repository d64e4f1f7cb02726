# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights changed and given back through a driver that is a dictionary; real ones: test_haproxy_weight, test_lvs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import record as records
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import swap
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers.policy import (
    BalancerError,
    Entry,
    GoneError,
    Server,
)


class Table:
    """A balancer with two servers. deaf: weights that it takes without a word and does not set; lost: it is gone."""

    KIND, UNIT, MAX_WEIGHT, NAME, NAME_RULE = "table", "fleetdiag-table-", 256, re.compile(".+"), "a name"

    def __init__(self) -> None:
        self.weights = {"a": 100, "b": 100}
        self.deaf: set[int] = set()
        self.lost = False

    def read_weight(self, path: str, backend: str, server: str, /) -> int:
        if self.lost:
            raise BalancerError("it does not answer")
        if server not in self.weights:
            raise GoneError("No such server.")
        return self.weights[server]

    def set_weight(self, path: str, backend: str, server: str, weight: int, /) -> None:
        if weight not in self.deaf:
            self.weights[server] = weight

    def sessions(self, path: str, /) -> dict[str, int]:
        return {f"lb: web/{name}": weight // 10 for name, weight in self.weights.items()}

    def servers(self, path: str, /) -> list[Server]:
        raise NotImplementedError

    def statistics(self, path: str, backends: list[str], /) -> list[dict[str, Any]]:
        raise NotImplementedError


ENTRIES = [Entry("lb", "web", "a", 100, 50), Entry("lb", "web", "b", 100, 40)]


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "t.json"


def test_a_weight_that_is_not_set_after_all_takes_the_others_back(record: Path) -> None:
    table = Table()
    table.deaf.add(40)
    with pytest.raises(BalancerError, match="lb: web/b: the weight is 100 after it was set to 40"):
        swap.lower(table, ENTRIES, str(record))
    assert (table.weights, record.exists()) == ({"a": 100, "b": 100}, False)


def test_changed_by_somebody_is_not_the_same_as_could_not_be_asked(record: Path) -> None:
    table = Table()
    swap.lower(table, ENTRIES, str(record))
    table.lost = True
    owed = swap.restore(table, str(record))
    assert (owed.weights, owed.left, set(owed.owed)) == ({}, {}, {entry.label for entry in ENTRIES})
    table.lost, table.weights["a"] = False, 77
    given = swap.restore(table, str(record))
    assert given.left == {"lb: web/a": "its weight is 77, not the 50 we had set"}
    assert (given.weights, given.owed, table.weights) == ({"lb: web/b": 100}, {}, {"a": 77, "b": 100})


def test_a_server_that_is_gone_is_no_debt(record: Path) -> None:
    table = Table()
    swap.lower(table, ENTRIES, str(record))
    del table.weights["a"]
    given = swap.restore(table, str(record))
    assert (given.left, set(given.weights), record.exists()) == (
        {"lb: web/a": "No such server."},
        {"lb: web/b"},
        False,
    )


def test_only_what_is_owed_stays_in_the_record(record: Path) -> None:
    table = Table()
    swap.lower(table, ENTRIES, str(record))
    table.deaf.add(100)
    table.weights["a"] = 99
    swap.restore(table, str(record))
    assert records.read_record(str(record)) == [ENTRIES[1]]


def test_a_record_that_cannot_be_written_ends_nobody_who_tries_until_all_is_given_back(record: Path) -> None:
    table = Table()
    swap.lower(table, ENTRIES, str(record))
    table.deaf.add(100)
    table.weights["a"] = 99
    record.with_name("t.json.tmp").mkdir()
    assert set(swap.restore(table, str(record)).owed) == {"lb: web/b"}
    table.deaf.clear()
    assert swap.restore(table, str(record)).weights == {"lb: web/b": 100}
    assert (table.weights, record.exists()) == ({"a": 99, "b": 100}, False)


def test_sessions_have_fallen_when_each_has_its_new_share() -> None:
    table = Table()
    before = {entry.label: 10 for entry in ENTRIES}
    assert swap.wait_for_sessions(table, ENTRIES, before, 0)[1] is False
    table.weights = {"a": 50, "b": 40}
    assert swap.wait_for_sessions(table, ENTRIES, before, 0) == ({"lb: web/a": 5, "lb: web/b": 4}, True)
