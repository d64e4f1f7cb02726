# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import (
    BatchRecord,
    WindowFile,
    WindowRecord,
)

ONE = {"start": 10.5, "end": 40.5, "began": 1.5, "among": 5}
BATCHES = {
    "batches": [
        {"hosts": ["web1"], "canary": True, "start": 10.5, "end": 40.5, "among": 1},
        {"hosts": ["web2", "web3"], "canary": False},
    ],
    "start": 10.5,
    "end": 40.5,
    "stopped": "canary web1: oops",
}


@pytest.mark.parametrize("data", [ONE, {"start": 1.0, "end": 2.0}, BATCHES, {"batches": []}])
def test_it_is_written_as_it_was_byte_by_byte(tmp_path: Path, data: dict[str, object]) -> None:
    record = WindowFile.from_json(data)
    write.window(tmp_path, record)
    assert (tmp_path / "window.json").read_text() == json.dumps(data, indent=1) + "\n"
    assert read.window(tmp_path) == record


def test_batches_get_their_windows_one_after_the_other() -> None:
    planned = WindowFile(
        batches=(BatchRecord(hosts=("web1",), canary=True), BatchRecord(hosts=("web2", "web3")))
    )
    opened = planned.opened(1, WindowRecord(10.5, 40.5, among=1))
    assert replace(opened, stopped="canary web1: oops") == WindowFile.from_json(BATCHES)
    assert planned.of_host("web1") is None
    assert opened.of_host("web1") == opened.batch(1)
    assert opened.of_host("web2") is None


@pytest.mark.parametrize("junk", [None, 5.5, "x", [1, None], {"x": 1}, [{"hosts": 5}], True])
def test_of_a_damaged_one_what_can_be_is_read(junk: object) -> None:
    record = WindowFile.from_json({field.name: junk for field in fields(WindowFile)})
    assert record.damaged is not isinstance(junk, float)
    assert record.why_not("web1") == ""
    assert record.of_host("web1") is None


def test_without_an_end_it_is_not_damaged() -> None:
    assert not WindowFile.from_json({"batches": []}).damaged
