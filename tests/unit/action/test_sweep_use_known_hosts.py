# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that were probed before need not be asked again, where all their modules are in the controller's cache."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from fakehost import FakeHost, act
from fakesweep import KERNEL, STAP, facts, keep_modules

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.host_cache import HostMemory


def known(host: str, **changed: Any) -> None:
    """Have it that the last sweep left this of a host."""
    HostMemory().put(host, {"facts": facts(**changed), "clock_at": time.time(), "stap": STAP})


def recall(run: Path, **more: Any) -> dict[str, Any]:
    host = FakeHost()
    done = act("sweep_use_known_hosts", host, run_dir=str(run), **more)
    assert host.asked == []
    return done


def test_what_is_known_is_written_as_if_the_host_had_said_it(run: Path) -> None:
    sums = keep_modules(run)
    known("web1")
    assert recall(run)["known"] == {"web1": KERNEL}
    kept = read.read_host(run, "web1", "preflight")
    assert kept is not None
    assert (kept["remembered"], kept["verdict"], kept["kernel"]) == (True, "ok", KERNEL)
    assert read.read_host(run, "web2", "preflight") is None
    built = read.read_json(run, f"builds/{KERNEL}.json")
    assert built is not None
    assert {name: entry["sha256"] for name, entry in built["probes"].items()} == sums


def test_without_its_modules_a_host_is_asked(run: Path) -> None:
    known("web1")
    assert recall(run)["known"] == {}
    assert read.read_builds(run) == {}


@pytest.mark.parametrize(
    "change", [{"free_mb": "1"}, {"kernel": "../../evil"}, {"clock": None}, {"staprun": ""}]
)
def test_what_would_be_refused_or_is_damaged_is_not_known(run: Path, change: dict[str, Any]) -> None:
    keep_modules(run)
    known("web1", **change)
    known("web2")
    assert recall(run)["known"] == {"web2": KERNEL}
    assert read.read_host(run, "web1", "preflight") is None


def test_in_check_mode_hosts_are_asked_how_they_are_now(run: Path) -> None:
    keep_modules(run)
    known("web1")
    assert recall(run, check_mode=True)["known"] == {}
    assert read.read_host(run, "web1", "preflight") is None
