# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host says of itself is kept as its preflight.json, with a verdict."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fakehost import FakeHost, act
from fakesweep import KERNEL, said

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.program_files import (
    ProgramFile,
    ProgramsRecord,
)


def host_that_says(answer: str | tuple[int, str, str]) -> FakeHost:
    return FakeHost().says("date +%s", f"{time.time() + 3}\n").says("preflight", answer)


def test_a_host_that_can_be_probed(run: Path) -> None:
    done = act("sweep_preflight", host_that_says(said()), run_dir=str(run))
    assert (done["verdict"], done["kernel"], done["runtime_missing"]) == ("ok", KERNEL, False)
    assert done["clock_offset_s"] == pytest.approx(3, abs=2)
    kept = read.read_host(run, "web1", "preflight")
    assert kept is not None
    assert (kept["verdict"], kept["host"], kept["free_mb"]) == ("ok", "web1", 5000)


def test_a_host_that_cannot_says_why_and_is_no_failure(run: Path) -> None:
    done = act("sweep_preflight", host_that_says(said(staprun="")), run_dir=str(run))
    assert not done.get("failed")
    assert (done["verdict"], done["reason"]) == ("refused", "staprun is not installed")
    assert done["runtime_missing"]
    assert (read.read_host(run, "web1", "preflight") or {})["remedy"] == done["remedy"]


def test_check_mode_shows_why_a_host_would_not_be_probed(run: Path) -> None:
    only_looks = {"task_vars": {"ansible_check_mode": True}, "run_dir": str(run)}
    done = act("sweep_preflight", host_that_says(said(staprun="")), install=True, **only_looks)
    why = "would not be probed as it is: staprun is not installed -> "
    assert done["msg"] == f"{why}a sweep installs what is missing first, and asks again"
    done = act("sweep_preflight", host_that_says(said(staprun="")), **only_looks)
    assert done["msg"].startswith(f"{why}run the sweep with sweep_install=true")
    assert "msg" not in act("sweep_preflight", host_that_says(said()), **only_looks)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (said(kernel="../../evil"), "web1: it says kernel='../../evil'"),
        ("uid=0\n", "web1: its answer to preflight lacks kernel"),
        ("error=cannot write guard.sh: free space\n", "cannot write guard.sh: free space"),
        ((127, "", "sh: not found\n"), "preflight failed on the host: sh: not found"),
    ],
)
def test_a_bad_answer_fails_this_host_alone(
    run: Path, answer: str | tuple[int, str, str], sentence: str
) -> None:
    done = act("sweep_preflight", host_that_says(answer), run_dir=str(run))
    assert done["failed"]
    assert done["msg"].startswith(sentence)
    assert "\n" not in done["msg"]
    assert read.read_host(run, "web1", "preflight") is None
    assert (
        act(
            "sweep_preflight",
            FakeHost("web2").says("date", f"{time.time()}").says("", said()),
            run_dir=str(run),
        )["verdict"]
        == "ok"
    )


def test_a_clock_that_cannot_be_read_is_a_sentence(run: Path) -> None:
    host = FakeHost().says("date +%s", "soon\n").says("preflight", said())
    assert "the host's clock could not be read" in act("sweep_preflight", host, run_dir=str(run))["msg"]


def test_a_host_is_asked_for_the_programs_that_are_probed(run: Path) -> None:
    answer = f"0 12 0 755 {'ab' * 32} {'cd' * 20} /usr/b\n1 absent\n"
    host = host_that_says(said()).says("ask 0 /b", answer)
    assert act("sweep_preflight", host, run_dir=str(run), programs=["/b", "/c"])["verdict"] == "ok"
    kept = read.of_host(run, "web1", ProgramsRecord)
    assert kept is not None
    assert kept.files["/b"] == ProgramFile("/b", "/usr/b", "ab" * 32, "cd" * 20, 12, "web1")
    assert kept.files["/c"].trouble == "there is no such file"


def test_a_host_that_cannot_be_probed_is_not_asked_for_programs(run: Path) -> None:
    act("sweep_preflight", host_that_says(said(staprun="")), run_dir=str(run), programs=["/b"])
    assert read.of_host(run, "web1", ProgramsRecord) is None
