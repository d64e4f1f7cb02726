# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is probed when, written to window.json before the first window is chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakehost import FakeHost, act
from fakesweep import facts

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write


@pytest.fixture
def ready(run: Path) -> Path:
    for host, verdict in (("web1", "ok"), ("web2", "refused"), ("web3", "ok")):
        write.write_host(run, host, "preflight", facts(verdict=verdict))
    return run


def test_canaries_come_first_and_only_hosts_that_can_be_probed_are_in_a_batch(ready: Path) -> None:
    done = act("sweep_plan_batches", FakeHost(), run_dir=str(ready), canary="1", batch="1")
    assert done["batches"] == [
        {"number": 1, "hosts": ["web1"], "canary": True},
        {"number": 2, "hosts": ["web3"], "canary": False},
    ]
    kept = read.read_json(ready, "window.json")
    assert kept == {"batches": [{"hosts": ["web1"], "canary": True}, {"hosts": ["web3"], "canary": False}]}


def test_without_batches_all_hosts_are_one_and_nothing_is_written(ready: Path) -> None:
    done = act("sweep_plan_batches", FakeHost(), run_dir=str(ready))
    assert done["batches"] == [{"number": 0, "hosts": ["web1", "web3"], "canary": False}]
    assert read.read_json(ready, "window.json") is None


def test_an_amount_that_is_none_is_a_sentence(ready: Path) -> None:
    done = act("sweep_plan_batches", FakeHost(), run_dir=str(ready), batch="200%")
    assert done["msg"] == "sweep_batch: '200%' is no number of hosts; say for instance 1 or 10%"
