# SPDX-License-Identifier: GPL-3.0-or-later
"""The sweep goes on when the window is over, and at once where nothing was armed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fakehost import FakeHost, act

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import arming


class Naps:
    """A clock that only sleeping moves."""

    def __init__(self, now: float) -> None:
        self.now = now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> Naps:
    clock = Naps(1_790_000_000.0)
    monkeypatch.setattr(time, "time", clock.time)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    return clock


def armed(run: Path, *hosts: str) -> None:
    for host in hosts:
        write.write_host(run, host, "arm", {"verdict": "ok", "sessions": {}})


def test_it_waits_until_what_was_printed_in_the_window_is_handed_on(run: Path, naps: Naps) -> None:
    armed(run, "web1")
    end = naps.now + 7.5
    write.write_json(run, "window.json", {"start": naps.now, "end": end})
    assert act("sweep_wait", FakeHost(), run_dir=str(run))["end"] == end
    assert naps.now == pytest.approx(end + arming.FLUSH_S, abs=0.01)


def test_nothing_armed_is_nothing_to_wait_for(run: Path, naps: Naps) -> None:
    write.write_json(run, "window.json", {"start": naps.now, "end": naps.now + 1000})
    before = naps.now
    assert "end" not in act("sweep_wait", FakeHost(), run_dir=str(run))
    assert naps.now == before


def test_a_batch_waits_for_its_own_window(run: Path, naps: Naps) -> None:
    armed(run, "web1", "web2")
    listed = [
        {"hosts": ["web1"], "start": naps.now, "end": naps.now + 10},
        {"hosts": ["web2"], "start": naps.now + 20, "end": naps.now + 30},
        {"hosts": ["web3"], "start": naps.now + 20, "end": naps.now + 3000},
    ]
    write.write_json(run, "window.json", {"batches": listed})
    first = act("sweep_wait", FakeHost(), run_dir=str(run), batch=1)
    assert first["end"] == listed[0]["end"]
    assert "end" not in act("sweep_wait", FakeHost(), run_dir=str(run), batch=3)
    assert naps.now == pytest.approx(first["end"] + arming.FLUSH_S, abs=0.01)


def test_a_window_that_is_over_is_not_waited_for(run: Path, naps: Naps) -> None:
    armed(run, "web1")
    write.write_json(run, "window.json", {"start": naps.now - 60, "end": naps.now - 30})
    before = naps.now
    act("sweep_wait", FakeHost(), run_dir=str(run))
    assert naps.now == before
