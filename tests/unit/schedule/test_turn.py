# SPDX-License-Identifier: GPL-3.0-or-later
"""A sweep runs once for its slot, never late, never beside itself; whatever is left out is recorded."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import slots
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write
from fleetdiag.config import NamedSweep
from fleetdiag.schedule import clock, turn

HOUR = 3600.0
NOON = clock.of_iso("2026-11-29T12:00:00Z") or 0.0


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "fleetdiag" / "runs"


class Turn:
    """Turns of an hourly sweep at chosen times. ran: the slots that were swept; said: what was printed."""

    def __init__(self, runs: Path, **settings: object) -> None:
        self.runs = runs
        self.sweep = NamedSweep("web", {"every": "1h", **settings})
        self.ran: list[str] = []
        self.said: list[str] = []
        self.code = 0

    def start(self, slot: str) -> int:
        self.ran.append(slot)
        if self.code != 2:
            run_id = f"{slot[:10].replace('-', '')}_{slot[11:19].replace(':', '')}_aaaa"
            write.create(self.runs, {"id": run_id, "name": "web", "slot": slot, "hosts": ["web1"]})
        return self.code

    def at(self, moment: float) -> int:
        return turn.run(self.sweep, self.start, lambda: ["web1"], self.said.append, lambda: moment)

    def records(self) -> list[tuple[str, str, str]]:
        return [(slot.slot[11:16], slot.status, slot.reason) for slot in slots.read(self.runs)]


def test_it_runs_for_its_slot_and_returns_the_exit_code(runs: Path) -> None:
    web = Turn(runs)
    web.code = 4
    assert web.at(NOON + 20) == 4
    assert web.ran == ["2026-11-29T12:00:00Z"]
    assert web.records() == []


def test_a_slot_runs_once_also_when_the_timer_fires_again(runs: Path) -> None:
    web = Turn(runs)
    assert [web.at(NOON + 20), web.at(NOON + 40)] == [0, 5]
    assert len(web.ran) == 1
    assert web.records() == []  # the slot has its run; there is nothing to record
    assert "has a sweep or a record already" in web.said[0]


def test_too_late_is_skipped_and_never_caught_up(runs: Path) -> None:
    """As a machine that slept over the slot and fires on waking up, or a clock that jumped over it."""
    web = Turn(runs)
    assert web.at(NOON + 400) == 5  # a tenth of the interval is 360 s
    assert web.ran == []
    assert web.records() == [("12:00", "skipped", "late by 7 min")]
    assert web.at(NOON + 401) == 5
    assert len(web.records()) == 1
    assert web.at(NOON + HOUR) == 0


def test_the_random_delay_is_no_lateness(runs: Path) -> None:
    web = Turn(runs, random_delay="10min", max_late="1min")
    assert web.at(NOON + 659) == 0
    assert web.at(NOON + HOUR + 661) == 5


def test_missed_slots_are_counted_at_the_next_start(runs: Path) -> None:
    web = Turn(runs)
    web.at(NOON)
    web.at(NOON + 3 * HOUR)
    assert [record[:2] for record in web.records()] == [("13:00", "missed"), ("14:00", "missed")]
    assert "off or asleep" in web.records()[0][2]


def test_the_first_turn_has_missed_nothing(runs: Path) -> None:
    web = Turn(runs)
    web.at(NOON)
    assert web.records() == []


def test_a_clock_that_was_set_back_sweeps_nothing_twice(runs: Path) -> None:
    web = Turn(runs)
    web.at(NOON)
    assert web.at(NOON - 2 * HOUR) == 5
    assert web.records() == [
        (
            "10:00",
            "skipped",
            "a later slot, 2026-11-29T12:00:00Z, has a sweep or a record already: the clock was set back",
        )
    ]


def test_a_sweep_that_cannot_start_is_no_silence(runs: Path) -> None:
    web = Turn(runs)
    web.code = 2
    assert web.at(NOON) == 2
    assert web.records() == [("12:00", "missed", "the sweep could not start")]


def test_bad_input_ends_with_its_sentence(runs: Path) -> None:
    def hosts() -> list[str]:
        raise FleetdiagError("inventory x: there is no such file")

    web = Turn(runs)
    with pytest.raises(FleetdiagError, match="inventory x"):
        turn.run(web.sweep, web.start, hosts, web.said.append, lambda: NOON)


def test_a_unit_that_failed_before_its_sweep_began_leaves_a_record(runs: Path) -> None:
    def ended() -> list[str]:
        raise SystemExit  # by a signal, while the inventory is read

    web = Turn(runs)
    with pytest.raises(SystemExit):
        turn.run(web.sweep, web.start, ended, web.said.append, lambda: NOON)
    for _ in range(2):
        turn.failed(web.sweep, False, NOON + HOUR)  # what OnFailure starts, however late
    assert web.records() == [("12:00", "missed", "the sweep could not start, or was ended before it began")]


def test_a_unit_that_failed_after_its_sweep_began_has_its_run_and_no_record(runs: Path) -> None:
    web = Turn(runs)
    web.at(NOON)
    turn.failed(web.sweep, False, NOON + HOUR)
    assert web.records() == []


def test_the_slot_of_a_faulty_configuration_is_recorded_as_such(runs: Path) -> None:
    web = Turn(runs)
    web.at(NOON)
    turn.failed(web.sweep, True, NOON + 2 * HOUR)
    web.at(NOON + 3 * HOUR)
    assert web.records() == [
        ("13:00", "missed", "no sweep was started: the controller was off or asleep, or the timer was"),
        ("14:00", "missed", "the configuration has a fault"),
    ]


def _hold(name: str, host: str, started: Connection, end: Connection) -> None:
    def start(slot: str) -> int:
        started.send(os.getpid())
        end.recv()
        return 0

    turn.run(NamedSweep(name, {"every": "1h"}), start, lambda: [host], print, lambda: NOON - HOUR)


class Held:
    """Another process that sweeps until it is told to end, or is killed."""

    def __init__(self, name: str, host: str) -> None:
        started, child_started = multiprocessing.Pipe(duplex=False)
        child_end, self.end = multiprocessing.Pipe(duplex=False)
        context = multiprocessing.get_context("fork")
        self.process = context.Process(target=_hold, args=(name, host, child_started, child_end))
        self.process.start()
        started.recv()


def test_it_never_runs_beside_itself(runs: Path) -> None:
    held = Held("web", "web1")
    try:
        assert turn.running_since("web") == NOON - HOUR
        web = Turn(runs)
        assert web.at(NOON + 1) == 5
        assert web.ran == []
        ((slot, status, reason),) = web.records()
        assert (slot, status) == ("12:00", "skipped")
        assert reason.startswith("the sweep before was still running")
    finally:
        held.process.kill()
        held.process.join()
    assert turn.running_since("web") is None
    assert web.at(NOON + HOUR) == 0  # the lock died with its holder


def test_sweeps_of_the_same_hosts_wait_for_each_other(runs: Path) -> None:
    held = Held("nfs", "web1")
    web = Turn(runs)
    ended: list[int] = []
    thread = threading.Thread(target=lambda: ended.append(web.at(NOON + 1)))
    try:
        other = NamedSweep("db", {"every": "1h"})
        assert turn.run(other, lambda _: 0, lambda: ["db1"], print, lambda: NOON) == 0  # no host in common
        thread.start()
        while turn.running_since("web") is None:
            time.sleep(0.01)
        assert web.ran == []
        held.end.send(None)
        thread.join(60)
        assert ended == [0]
    finally:
        held.process.kill()
        held.process.join()


def test_waiting_for_others_has_an_end(runs: Path) -> None:
    held = Held("nfs", "web1")
    try:
        web = Turn(runs, max_late="0s")
        assert web.at(NOON) == 5
        assert web.records() == [("12:00", "skipped", "another sweep was still running on web1")]
    finally:
        held.process.kill()
        held.process.join()
