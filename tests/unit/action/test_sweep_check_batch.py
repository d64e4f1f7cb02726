# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the next batch is probed, from what the one before left in the run directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakehost import FakeHost, act
from fakesweep import SWEEP

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write

ARMED = {"verdict": "ok", "sessions": {"tick": {"status": "armed", "seconds": 1.0, "error": ""}}}
COLLECTED = {"sessions": {"tick": {"result": "success", "cpu_s": 0.1}}, "residue": []}


@pytest.fixture
def batched(run: Path) -> Path:
    listed = [{"hosts": ["web1"], "canary": True}, {"hosts": ["web2", "web3"], "canary": False}]
    write.write_json(run, "window.json", {"batches": listed})
    write.write_host(run, "web1", "arm", ARMED)
    write.write_host(run, "web1", "collect", COLLECTED)
    return run


def check(run: Path, number: int = 2, **more: Any) -> dict[str, Any]:
    host = FakeHost()
    hostvars: dict[str, dict[str, str]] = {"web2": {"drain_server": "w2"}, "web3": {}}
    done = act(
        "sweep_check_batch",
        host,
        task_vars={"hostvars": hostvars},
        **{"run_dir": str(run), "number": number, "hosts": ["web2", "web3"], **more},
    )
    assert host.asked == []
    return done


def test_after_a_good_canary_the_others_follow(batched: Path) -> None:
    done = check(batched)
    assert (done["go"], done["msg"], done["token"]) == (True, "", f"{SWEEP}_2")
    assert done["servers"] == {"web2": "w2", "web3": "web3"}
    assert done["ttl_s"] > 30


@pytest.mark.parametrize(
    ("phase", "change", "why"),
    [
        ("arm", {"verdict": "refused", "reason": "it is busy"}, "canary web1: was not armed: it is busy"),
        ("collect", {"residue": ["fd_x"]}, "canary web1: module fd_x is still loaded"),
        ("arm", {"verdict": 5}, "canary web1: was not armed: it did not answer"),
        (
            "arm",
            {"sessions": {"tick": {"status": "failed"}}},
            "canary web1: tick could not be armed: no reason",
        ),
    ],
)
def test_a_canary_in_trouble_ends_the_sweep_for_good(
    batched: Path, phase: str, change: dict[str, Any], why: str
) -> None:
    write.write_host(batched, "web1", phase, {**(ARMED if phase == "arm" else COLLECTED), **change})
    done = check(batched)
    assert (done["go"], done["msg"][: len(why)]) == (False, why)
    assert (read.read_json(batched, "window.json") or {})["stopped"] == done["msg"]
    write.write_host(batched, "web1", phase, ARMED if phase == "arm" else COLLECTED)
    assert check(batched, 3)["msg"] == done["msg"]


def test_records_that_cannot_be_read_are_no_reason_to_go_on(batched: Path) -> None:
    write.write_host(batched, "web1", "collect", {"sessions": {"../x": {}}})
    done = check(batched)
    assert done["msg"] == "canary web1: was not armed: its records cannot be read"
    assert [event.host for event in read.read_events(batched)] == ["web1"]


def test_the_first_batch_has_none_before_it(batched: Path) -> None:
    write.write_host(batched, "web1", "arm", {"verdict": "failed"})
    assert check(batched, 1)["go"] is True


def test_check_mode_judges_nothing(batched: Path) -> None:
    write.write_host(batched, "web1", "arm", {"verdict": "failed"})
    args = {"run_dir": str(batched), "number": 2}
    assert act("sweep_check_batch", FakeHost(), check_mode=True, **args)["go"] is True
    assert "stopped" not in (read.read_json(batched, "window.json") or {})
