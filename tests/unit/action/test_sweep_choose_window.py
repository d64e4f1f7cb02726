# SPDX-License-Identifier: GPL-3.0-or-later
"""The window is chosen from the run directory and from what is remembered, and written to window.json."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from fakehost import FakeHost, act
from fakesweep import HOSTS, KERNEL, STAP, facts, keep_modules, new_run

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import host_cache

MANY = tuple(f"web{number}" for number in range(8))
ARMED = {"verdict": "ok", "took_s": 1.5, "sessions": {"tick": {"status": "armed", "seconds": 1.0}}}


def choose(run: Path, **more: Any) -> dict[str, Any]:
    host = FakeHost()
    done = act("sweep_choose_window", host, run_dir=str(run), **more)
    assert host.asked == []
    return done


def written(run: Path) -> dict[str, Any]:
    kept = read.read_json(run, "window.json")
    assert kept is not None
    return kept


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """A sweep of eight hosts that were armed with these modules before, in two seconds."""
    run = new_run(tmp_path, hosts=MANY)
    sums = keep_modules(run)
    probes = {name: {"sha256": sha256} for name, sha256 in sums.items()}
    write.write_json(run, f"builds/{KERNEL}.json", {"kernel": KERNEL, "stap": STAP, "probes": probes})
    key = host_cache.modules_key(sums.values())
    for host in MANY:
        write.write_host(run, host, "preflight", facts())
        arming = {key: {"seconds": 2.0, "hosts": len(MANY)}}
        host_cache.HostMemory().put(host, {"facts": facts(), "arming": arming})
    return run


def test_a_start_that_was_given_is_the_start(run: Path) -> None:
    start = round(time.time()) + 100.0
    done = choose(run, start=start)
    assert (done["start"], done["end"]) == (start, start + 30)
    assert (written(run)["start"], written(run)["among"]) == (start, len(HOSTS))


def test_a_start_that_is_over_is_a_sentence(run: Path) -> None:
    done = choose(run, start=time.time() - 100)
    assert done["failed"]
    assert "the window that sweep_start asks for ended" in done["msg"]
    assert read.read_json(run, "window.json") is None


def test_hosts_that_are_known_are_armed_with_their_window(known: Path) -> None:
    before = time.time()
    done = choose(known)
    assert before + 2 <= done["start"] <= time.time() + 30
    assert done["end"] == done["start"] + 30
    assert written(known)["start"] == done["start"]
    assert before <= written(known)["began"] <= time.time()


def test_hosts_that_are_not_known_are_armed_first(known: Path) -> None:
    for host in MANY:
        host_cache.HostMemory().forget(host)
    before = time.time()
    done = choose(known)
    assert "start" not in done
    assert before <= done["began"] <= time.time()
    assert read.read_json(known, "window.json") is None


def test_when_all_are_armed_it_starts_as_soon_as_they_can_have_heard_of_it(run: Path) -> None:
    for host in HOSTS[:2]:
        write.write_host(run, host, "arm", ARMED)
    before = time.time()
    done = choose(run, armed=True, began=before - 5)
    assert before < done["start"] < time.time() + 30
    assert written(run)["began"] == before - 5


def test_where_no_host_is_armed_there_is_nothing_to_watch(run: Path) -> None:
    done = choose(run, armed=True)
    assert done["msg"] == "no host is armed, so there is nothing to watch; the report says why for each host"


def test_a_damaged_arm_json_costs_no_other_host(run: Path) -> None:
    write.write_host(run, "web1", "arm", ARMED)
    write.write_host(run, "web2", "arm", {**ARMED, "took_s": "soon", "sessions": [1]})
    assert "start" in choose(run, armed=True)


def test_a_batch_gets_a_window_of_its_own(run: Path) -> None:
    listed = [{"hosts": ["web1"], "canary": True}, {"hosts": ["web2", "web3"], "canary": False}]
    write.write_json(run, "window.json", {"batches": listed})
    write.write_host(run, "web2", "arm", ARMED)
    done = choose(run, armed=True, batch=2)
    first, second = written(run)["batches"]
    assert "start" not in first
    assert (second["start"], second["among"], second["hosts"]) == (done["start"], 2, ["web2", "web3"])


def test_check_mode_chooses_none(known: Path) -> None:
    assert choose(known, check_mode=True)["would_run"]
    assert read.read_json(known, "window.json") is None
