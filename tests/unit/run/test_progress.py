# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator is told while a sweep runs, from ansible-runner's events."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fleetdiag.run import progress
from fleetdiag.run.progress import News, Progress


def _task(action: str, role: str = "sweep", name: str = "Arm | a title says nothing") -> dict[str, Any]:
    data = {"task": name, "task_action": f"fleetdiag.systemtap.{action}", "role": role}
    return {"event": "playbook_on_task_start", "event_data": data}


def _answer(kind: str, host: str, action: str = "command", **result: Any) -> dict[str, Any]:
    return {"event": f"runner_on_{kind}", "event_data": {"host": host, "task_action": action, "res": result}}


@pytest.fixture
def state() -> Progress:
    return Progress(hosts=["web1", "web2", "web3"], window_s=30)


def _screen(state: Progress, height: int = 40) -> str:
    console = Console(file=io.StringIO(), width=120, height=height, color_system=None, markup=False)
    console.print(progress._screen(state, console))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_phases_come_from_actions_and_roles(state: Progress) -> None:
    tasks = [
        _task("sweep_create"),
        _task("sweep_preflight"),
        _task("ansible.builtin.apt", role="fleetdiag.systemtap.install"),
        _task("sweep_preflight"),
        _task("sweep_build"),
        _task("ansible.builtin.setup", role=""),
        _task("sweep_arm"),
    ]
    told = [news for task in tasks for news in state.feed(task)]
    assert told == [News("preflight"), News("install"), News("build"), News("arm")]
    assert state.mark("web1", "build") == "done"
    assert state.mark("web1", "arm") == "active"
    assert state.mark("web1", "window") == ""


def test_a_window_that_is_chosen_before_arming_is_part_of_arming(state: Progress) -> None:
    actions = ["sweep_build", "sweep_choose_window", "sweep_arm", "sweep_wait"]
    told = [news for action in actions for news in state.feed(_task(action))]
    assert told == [News("build"), News("arm"), News("window")]


def test_the_next_batch_begins_with_arming(state: Progress) -> None:
    batch = ["sweep_arm", "sweep_wait", "sweep_collect"]
    told = [news for action in [*batch, *batch] for news in state.feed(_task(action))]
    assert told == [News("arm"), News("window"), News("collect")] * 2


def test_run_directory_and_process_id_are_noticed(state: Progress) -> None:
    state.feed(_answer("ok", "web1", action=progress.SWEEP_START, run_dir="/runs/x"))
    state.feed(_answer("ok", "web1", run_dir="/somewhere/else"))
    assert state.run_dir == Path("/runs/x")


UP = "see that it is up and no firewall is between"


def test_hosts_that_stop(state: Progress) -> None:
    state.feed(_task("sweep_preflight"))
    told = state.feed(_answer("unreachable", "web1", msg="Authorized use only\r\nssh: No route to host\r\n"))
    told += state.feed(_answer("ok", "web2", verdict="refused", reason="staprun is too old"))
    told += state.feed(_answer("failed", "web3", msg="no sudo"))
    assert told == [
        News("preflight", "web1", f"unreachable: ssh: No route to host -> {UP}"),
        News("preflight", "web2", "refused: staprun is too old"),
        News("preflight", "web3", "no sudo"),
    ]
    assert state.count("preflight", "stopped") == 3
    state.feed(_task("sweep_arm"))
    assert [state.mark(host, "arm") for host in state.hosts] == ["", "", ""]


def test_a_host_recovers_from_what_the_sweep_can_do_without(state: Progress) -> None:
    state.feed(_task("sweep_inspect_builder"))
    state.feed(_answer("unreachable", "web1", msg="the builder does not answer"))
    state.feed(_answer("ok", "web2", verdict="refused", reason="no staprun"))
    state.feed(_answer("ok", "web1"))
    state.feed(_answer("ok", "web2"))
    assert list(state.troubles) == ["web2"]
    state.feed(_answer("ok", "web2", verdict="ok"))
    assert not state.troubles


def test_ignored_errors_stop_nobody(state: Progress) -> None:
    event = _answer("failed", "web1", msg="does not matter")
    event["event_data"]["ignore_errors"] = True
    assert state.feed(event) == []
    assert not state.troubles


def test_countdown_follows_the_window_that_the_sweep_has_chosen(state: Progress, tmp_path: Path) -> None:
    state.feed(_task("sweep_wait"))
    assert 29 < state.seconds_left() <= 30
    (tmp_path / "window.json").write_text(
        json.dumps({"start": 0, "end": time.time() + 100}), encoding="utf-8"
    )
    state.run_dir = tmp_path
    assert 99 < state.seconds_left() <= 100
    assert "window 100 s" in _screen(state)


@pytest.mark.parametrize(
    "hostile", ["\x1b[31mred\x1b]0;title\x07", "a\rb", "[bold]x[/bold]", "\u202egnp.exe"]
)
def test_what_hosts_say_is_inert(state: Progress, hostile: str, capsys: pytest.CaptureFixture[str]) -> None:
    state.feed(_task("sweep_preflight"))
    (news,) = state.feed(_answer("failed", "web1", msg=hostile))
    progress.Plain(state).tell(news)
    for shown in (capsys.readouterr().err, _screen(state)):
        assert not set(shown) & {"\x1b", "\x07", "\r", "\u202e"}
    assert "[bold]x[/bold]" in _screen(state) or hostile != "[bold]x[/bold]"


def test_a_fleet_too_large_for_the_terminal_is_counted() -> None:
    state = Progress(hosts=[f"web{number}" for number in range(500)], window_s=30)
    state.feed(_task("sweep_preflight"))
    state.feed(_answer("unreachable", "web7", msg="gone"))
    state.feed(_task("sweep_arm"))
    shown = _screen(state, height=24)
    assert len(shown.splitlines()) < 24
    assert "499" in shown
    assert "web7" not in shown


def test_events_of_any_shape_are_taken(state: Progress) -> None:
    for event in (
        {},
        {"event": "verbose"},
        {"event": "runner_on_ok", "event_data": None},
        _answer("failed", "other"),
    ):
        state.feed(event)
    assert not state.troubles


def test_progress_for_programs_is_one_object_a_line(
    capsys: pytest.CaptureFixture[str], state: Progress
) -> None:
    with progress.shown(state, progress.Look(json=True)) as view:
        for event in (_task("sweep_preflight"), _answer("failed", "web3", msg="no \x1b sudo")):
            for news in state.feed(event):
                view.tell(news)
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["phase"], first["hosts"], first["stopped"], "host" in first) == ("preflight", 3, 0, False)
    assert (second["host"], second["message"], second["stopped"]) == ("web3", "no \\x1b sudo", 1)


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str], state: Progress) -> None:
    with progress.shown(state, progress.Look(quiet=True)) as view:
        for news in state.feed(_task("sweep_preflight")):
            view.tell(news)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("look", "told"),
    [
        (progress.Look(), "fleetdiag: web1: reading what mine printed\n"),
        (progress.Look(json=True), '"phase": "report", "message": "web1: reading what mine printed"}\n'),
    ],
)
def test_a_step_of_the_report_is_told_as_the_rest_is(
    look: progress.Look, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tell = progress.steps_teller(look)
    assert tell is not None
    tell("web1: reading what mine printed")
    out, err = capsys.readouterr()
    assert (out, err.endswith(told)) == ("", True)
    assert not look.json or json.loads(err)["time"] > 0


def test_whoever_wants_no_progress_is_told_no_step() -> None:
    assert progress.steps_teller(progress.Look(quiet=True)) is None
