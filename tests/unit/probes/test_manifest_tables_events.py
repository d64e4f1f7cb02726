# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tables may say that their records are past a threshold of the probe."""

from __future__ import annotations

from typing import Any

import pytest
from fleets import FILES, table

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Events

MANY = "files open longer than {threshold_ms} ms"


def declared(**events: str) -> Events | None:
    return table({**FILES, "events": events}).events


def test_their_name_is_that_of_the_records() -> None:
    assert declared(count="files") == Events("files", "", MANY, MANY)
    assert declared(count="files", worst="seconds", what="slow files", one="slow file") == Events(
        "files", "seconds", "slow files", "slow file"
    )
    assert table(FILES).events is None


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ({}, "events.count: is missing"),
        ({"count": "seconds"}, "events.count: there is no measure seconds that counts"),
        ({"count": "path"}, "it can be files"),
        (
            {"count": "files", "worst": "path"},
            "events.worst: there is no measure path; it can be seconds, files",
        ),
        ({"count": "files", "one": "file above {limit}"}, "events.one: there is no parameter limit"),
        ({"count": "files", "what": "files."}, "events.what: is no sentence"),
        ({"count": "files", "many": "files"}, "events.many"),
    ],
)
def test_a_fault_says_where_and_what_to_do(events: dict[str, str], said: str) -> None:
    with pytest.raises(FleetdiagError) as caught:
        declared(**events)
    assert said in str(caught.value)


def test_without_words_there_is_no_sentence() -> None:
    data = {**FILES, "events": {"count": "files"}}
    del data["what"]
    with pytest.raises(FleetdiagError, match=r"events\.what: nothing says what the events are"):
        table(data)


def test_the_shipped_probes_with_a_threshold_declare_theirs() -> None:
    names = catalog.names([catalog.shipped()])
    marked: dict[str, Any] = {
        f"{probe.name}.{name}": one.events.count
        for probe in catalog.find(names, [catalog.shipped()])
        for name, one in probe.tables.items()
        if one.events is not None
    }
    assert marked == {
        "blocked.waits": "waits",
        "nfs_client.files": "calls",
        "slow_fs_ops.operations": "operations",
        "slow_open.files": "files",
        "slow_syscalls.calls": "calls",
        "socket_drops.drops": "overflows",
        "socket_drops.listeners": "dropped",
        "tcp_connect.connections": "failed",
    }
