# SPDX-License-Identifier: GPL-3.0-or-later
"""Each host is told the window in its own time, and what it was told is kept."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from fakehost import Answer, FakeHost, act
from fakesweep import SWEEP

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write

AHEAD = {"offset_s": 2.5, "error_s": 0.01}


def chosen(run: Path, ahead_s: float = 60, clock: dict[str, float] | None = AHEAD) -> dict[str, float]:
    window = {"start": round(time.time() + ahead_s), "end": round(time.time() + ahead_s) + 30}
    write.write_json(run, "window.json", window)
    write.write_host(run, "web1", "arm", {"verdict": "ok", **({"clock": clock} if clock else {})})
    return window


def tell(run: Path, host: FakeHost, **more: Any) -> dict[str, Any]:
    return act("sweep_set_window", host, run_dir=str(run), **more)


def test_a_host_hears_it_by_its_own_clock(run: Path) -> None:
    window = chosen(run)
    host = FakeHost().says(f"go {SWEEP}", "go tick ok\ngo tock gone\ngo ../x ok\n")
    done = tell(run, host)
    start, end = (round((window[edge] + 2.5) * 1000) for edge in ("start", "end"))
    assert f"go {SWEEP} {start} {end}" in host.asked[0][0]
    assert (done["late_s"], done["accepted"]) == (0.0, {"tick": True, "tock": False})
    kept = read.read_host(run, "web1", "go")
    assert kept is not None
    assert (kept["start_ms"], kept["end_ms"], kept["accepted"]) == (start, end, done["accepted"])


def test_who_hears_of_it_after_its_start_is_late(run: Path) -> None:
    chosen(run, ahead_s=-9)
    assert tell(run, FakeHost().says("go", "go tick ok\n"))["late_s"] >= 8


def test_a_clock_that_may_be_right_is_taken_for_right(run: Path) -> None:
    window = chosen(run, clock={"offset_s": 0.2, "error_s": 0.3})
    tell(run, FakeHost().says("go", "go tick ok\n"))
    assert (read.read_host(run, "web1", "go") or {})["start_ms"] == round(window["start"] * 1000)


def test_without_a_window_or_a_clock_no_host_is_told_one(run: Path) -> None:
    host = FakeHost()
    assert "window.json is missing: the window was not chosen" in tell(run, host)["msg"]
    chosen(run, clock=None)
    assert "its arm.json does not say how its clock goes" in tell(run, host)["msg"]
    assert host.asked == []


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("error=there is no such sweep\n", "there is no such sweep"),
        ((127, "", "sh: cannot open\n"), "go failed on the host: sh: cannot open"),
    ],
)
def test_a_bad_answer_is_one_sentence_and_nothing_is_kept(
    run: Path, answer: str | Answer, sentence: str
) -> None:
    chosen(run)
    done = tell(run, FakeHost().says("go", answer))
    assert (done["failed"], done["msg"]) == (True, sentence)
    assert read.read_host(run, "web1", "go") is None


def test_check_mode_tells_nothing(run: Path) -> None:
    chosen(run)
    host = FakeHost()
    assert tell(run, host, check_mode=True)["would_run"]
    assert (host.asked, read.read_host(run, "web1", "go")) == ([], None)
