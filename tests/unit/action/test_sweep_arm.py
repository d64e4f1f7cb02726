# SPDX-License-Identifier: GPL-3.0-or-later
"""A host is armed with the modules for its kernel, or its arm.json says why not; neither fails the task."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakehost import Answer, FakeHost, act
from fakesweep import KERNEL, SWEEP, facts, keep_modules, new_run, said

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.program_files import (
    ProgramFile,
    ProgramsRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import host_cache

ARMED = "smoke=passed\nsession tick armed 2\nverdict=ok\n"


@pytest.fixture
def built(run: Path) -> Path:
    """A sweep whose one probe is compiled for the kernel of web1."""
    built_for(run)
    write.write_host(run, "web1", "preflight", facts())
    return run


def built_for(run: Path, **change: Any) -> dict[str, str]:
    sums = keep_modules(run)
    probes = {name: {"status": "built", "sha256": sha256, "error": ""} for name, sha256 in sums.items()}
    record = {"kernel": KERNEL, "stap": "5.6", "probes": probes, "error": "", **change}
    write.write_json(run, f"builds/{KERNEL}.json", record)
    return sums


def host_that_says(*answers: str | Answer | Exception) -> FakeHost:
    return FakeHost().says(" arm", *answers)


def arm(run: Path, host: FakeHost, **more: Any) -> dict[str, Any]:
    return act("sweep_arm", host, run_dir=str(run), **more)


def kept(run: Path) -> dict[str, Any]:
    record = read.read_host(run, "web1", "arm")
    assert record is not None
    return record


def lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "replace").splitlines()


def test_modules_go_along_and_what_became_of_sessions_is_kept(built: Path) -> None:
    host = host_that_says(ARMED)
    done = arm(built, host)
    assert (done["verdict"], done["armed"], done["pushed"], done["changed"]) == ("ok", ["tick"], 2, True)
    ((_, data),) = host.asked
    assert f"id {SWEEP}" in lines(data)
    assert any(line.startswith("probe tick ") for line in lines(data))
    record = kept(built)
    assert (record["verdict"], record["smoke"]) == ("ok", "passed")
    assert record["sessions"]["tick"] == {"status": "armed", "seconds": 2.0, "error": ""}


def test_what_ran_here_before_is_not_tried_again(built: Path) -> None:
    arm(built, host_that_says(ARMED))
    host = host_that_says(ARMED)
    assert arm(built, host)["smoke"] == "cached"
    assert "smoke " in lines(host.asked[0][1])


def test_modules_that_the_host_holds_are_not_sent(built: Path) -> None:
    write.write_host(built, "web1", "preflight", facts(modules_held=list(keep_modules(built).values())))
    assert arm(built, host_that_says(ARMED))["pushed"] == 0


def test_modules_that_it_has_lost_are_sent_after_all(built: Path) -> None:
    sums = keep_modules(built)
    write.write_host(built, "web1", "preflight", facts(modules_held=list(sums.values())))
    host = host_that_says(f"missing= {sums['tick']}\n", ARMED)
    assert (arm(built, host)["pushed"], len(host.asked)) == (1, 2)
    assert any(line.startswith(f"module {sums['tick']}") for line in lines(host.asked[1][1]))


def test_one_session_that_fails_costs_no_other(tmp_path: Path) -> None:
    run = new_run(tmp_path / "two", "tick", "tock")
    built_for(run)
    write.write_host(run, "web1", "preflight", facts())
    answer = "smoke=passed\nsession tick armed 2\nsession tock failed 1 no such function\x1b[2J\nverdict=ok\n"
    done = arm(run, host_that_says(answer))
    assert (done["armed"], done["failed_sessions"]) == (["tick"], {"tock": "no such function\\x1b[2J"})


def test_a_window_that_is_known_is_told_by_the_hosts_clock(built: Path) -> None:
    start = round(time.time()) + 60
    write.write_json(built, "window.json", {"start": start, "end": start + 30})
    write.write_host(built, "web1", "preflight", facts(clock={"offset_s": 2.0, "error_s": 0.01}))
    host = host_that_says(ARMED)
    arm(built, host)
    assert f"window {(start + 2) * 1000} {(start + 32) * 1000}" in lines(host.asked[0][1])
    assert (read.read_host(built, "web1", "go") or {})["start_ms"] == (start + 2) * 1000


@pytest.mark.parametrize(
    ("answer", "verdict", "reason"),
    [
        (
            "verdict=busy\nreason=a sweep of admin@box runs here\n",
            "refused",
            "a sweep of admin@box runs here",
        ),
        ("verdict=refused\nreason=Key was rejected by service\n", "refused", "Key was rejected by service"),
        ("verdict=maybe\n", "failed", "the host answers verdict='maybe' to arm, which is none"),
        ("error=no space left\n", "failed", "no space left"),
        ((1, "", "sudo: a password is required\n"), "failed", "cannot become root"),
    ],
)
def test_a_host_that_cannot_be_armed_says_why_and_no_task_fails(
    built: Path, answer: str | Answer, verdict: str, reason: str
) -> None:
    done = arm(built, host_that_says(answer))
    assert not done.get("failed")
    assert (done["verdict"], done["armed"]) == (verdict, [])
    assert done["reason"].startswith(reason)
    assert done["remedy"]
    assert kept(built)["reason"] == done["reason"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"error": "b1: no space"}, "b1: no space"),
        ({"probes": {}}, f"not even a trivial script compiles for {KERNEL}"),
        ({"stap": "4.2"}, "its staprun 5.1 cannot run modules built by SystemTap 4.2"),
    ],
)
def test_a_host_without_modules_is_not_asked(built: Path, change: dict[str, Any], reason: str) -> None:
    built_for(built, **change)
    host = FakeHost()
    done = arm(built, host)
    assert (done["verdict"], host.asked) == ("refused", [])
    assert done["reason"].startswith(reason)
    assert done["remedy"]


def test_a_host_that_cannot_be_probed_is_not_asked(run: Path) -> None:
    host = FakeHost()
    done = arm(run, host)
    assert (done["verdict"], done["reason"]) == ("failed", "it has no preflight.json that lets it be probed")
    assert host.asked == []


def test_a_host_that_is_not_as_it_was_remembered_is_armed_as_it_is(built: Path) -> None:
    write.write_host(built, "web1", "preflight", facts(remembered=True, free_mb=9))
    host_cache.HostMemory().put("web1", {"facts": facts()})
    now = time.time()
    host = host_that_says(f"stale=boot\ncame={now}\nleft={now}\n{said()}", ARMED)
    assert (arm(built, host)["verdict"], len(host.asked)) == ("ok", 2)
    assert (read.read_host(built, "web1", "preflight") or {})["free_mb"] == 5000
    assert host_cache.HostMemory().get("web1") is None


def test_a_host_that_was_booted_into_another_kernel_has_no_modules(built: Path) -> None:
    write.write_host(built, "web1", "preflight", facts(remembered=True))
    now = time.time()
    host = host_that_says(f"stale=boot\ncame={now}\nleft={now}\n{said(kernel='6.1.0-99-amd64')}")
    done = arm(built, host)
    assert done["verdict"] == "refused"
    assert done["reason"].startswith("it was booted into kernel 6.1.0-99-amd64 since the last sweep")
    assert done["remedy"] == "sweep again: now it is asked first"


def test_check_mode_arms_nothing(built: Path) -> None:
    host = FakeHost()
    done = arm(built, host, check_mode=True)
    assert done["would_run"]
    assert (done["would_push"], done["changed"]) == (["smoke", "tick"], True)
    assert done["msg"] == f"would be probed with tick on kernel {KERNEL}; sent: smoke, tick"
    assert (host.asked, read.read_host(built, "web1", "arm")) == ([], None)


def test_check_mode_says_when_nothing_is_to_be_sent(built: Path) -> None:
    held = [entry.sha256 for entry in read.open_run(built).builds()[KERNEL].probes.values()]
    write.write_host(built, "web1", "preflight", facts(modules_held=held))
    done = arm(built, FakeHost(), check_mode=True)
    assert (done["would_push"], done["changed"]) == ([], False)
    assert done["msg"].endswith("; all it needs is there")


def test_check_mode_arms_no_host_that_cannot_be_probed(run: Path) -> None:
    assert arm(run, FakeHost(), check_mode=True)["would_run"] is False


def test_a_module_for_another_build_of_a_program_is_not_loaded_and_the_others_are(tmp_path: Path) -> None:
    run = new_run(tmp_path / "two", "tick", "calls")
    sums = built_for(run)
    built_with = ProgramFile("/b", "/b", "ab" * 32, "ab" * 20, 12, "web9")
    probes = {
        name: {
            "status": "built",
            "sha256": sha256,
            "programs": {"/b": vars(built_with)} if name == "calls" else {},
        }
        for name, sha256 in sums.items()
    }
    built_for(run, probes=probes)
    write.write_host(run, "web1", "preflight", facts())
    own = replace(built_with, sha256="cd" * 32, build_id="cd" * 20, host="web1")
    write.host_record(run, "web1", ProgramsRecord({"/b": own}))
    done = arm(run, host_that_says(ARMED))
    assert done["armed"] == ["tick"]
    assert f"build id {'cd' * 20} here, {'ab' * 20} on web9" in done["failed_sessions"]["calls"]
    write.host_record(run, "web1", ProgramsRecord({"/b": replace(built_with, host="web1")}))
    host = host_that_says(ARMED)
    arm(run, host)
    assert any(line.startswith("probe calls ") for line in lines(host.asked[0][1]))
