# SPDX-License-Identifier: GPL-3.0-or-later
"""What `fleetdiag abort` says and how it ends, by the events of its playbook; and on a host that does not answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleetdiag.cli import abort

LABEL = "/run/haproxy/admin.sock: web/web1"


def event(host: str, kind: str = "runner_on_ok", task: str = abort.SESSIONS, **result: Any) -> dict[str, Any]:
    return {"event": kind, "event_data": {"host": host, "task_action": task, "res": result}}


def balancer(**said: Any) -> dict[str, Any]:
    return event("lb1", task="ansible.builtin.set_fact", ansible_facts={"drain_said": said})


def told(hosts: list[str], *events: dict[str, Any]) -> dict[str, abort.Ended]:
    ended = {host: abort.Ended() for host in hosts}
    for one in events:
        abort.take(ended, one)
    return ended


def test_a_line_says_what_was_ended_on_a_host() -> None:
    ended = told(
        ["web1", "web2", "lb1"],
        event("web1", sweeps=["a", "b"], modules=3),
        event("web2", sweeps=[], modules=0),
        balancer(weights={LABEL: {"after": 100}}, left={}),
        event("lb1", sweeps=[], modules=0),
    )
    assert list(abort.lines(ended)) == [
        f"lb1   weights given back: {LABEL} 100",
        "web1  ended: 3 modules unloaded, of 2 sweeps",
        "web2  nothing was running",
        "all has ended on 3 hosts",
    ]


def test_a_weight_that_somebody_else_changed_is_named() -> None:
    ended = told(
        ["lb1"],
        balancer(weights={}, left={LABEL: "its weight is 77, not the 50 we had set"}),
    )
    (line, last) = abort.lines(ended)
    assert line == f"lb1  weights left alone: {LABEL}: its weight is 77, not the 50 we had set"
    assert last == "all has ended on 1 host"


OWED = {LABEL: {"weight": 100, "why": "timed out"}}
STILL = f"{LABEL}: weight 100 is not given back yet: timed out"


@pytest.mark.parametrize(
    "events",
    [
        [event("lb1", "runner_on_failed", weights={}, left={}, owed=OWED, msg=STILL)],
        [balancer(weights={}, left={}, owed=OWED)],  # a kind of balancer that does not fail by itself
        [balancer(failed=True, msg=STILL, owed=OWED), event("lb1", "runner_on_failed", msg=STILL)],
    ],
)
def test_a_weight_that_is_owed_is_trouble_with_the_weight(events: list[dict[str, Any]]) -> None:
    ended = told(["lb1"], *events, event("lb1", sweeps=[], modules=0))
    (line, last) = abort.lines(ended)
    assert line == f"lb1  NOT DONE: {STILL}"
    assert last == "0 of 1 host done; put the others right and abort again"
    assert abort.exit_code(ended) == 3


def test_what_was_given_back_beside_it_is_said_too() -> None:
    other = LABEL.replace("web1", "web2")
    failed = event("lb1", "runner_on_failed", weights={other: {"after": 100}}, left={}, owed=OWED, msg=STILL)
    (line, _) = abort.lines(told(["lb1"], failed))
    assert line == f"lb1  weights given back: {other} 100; NOT DONE: {STILL}"


@pytest.mark.parametrize(
    ("events", "said"),
    [
        (
            [event("ghost", "runner_on_unreachable", msg="Connection refused\nmore")],
            "unreachable: Connection refused -> see that sshd runs there, and that the port is right",
        ),
        ([event("ghost", "runner_on_failed", msg="still loaded: fd_x")], "still loaded: fd_x"),
        ([], "it did not answer before the end"),
    ],
)
def test_a_host_with_trouble_comes_last_and_says_why(events: list[dict[str, Any]], said: str) -> None:
    ended = told(["ghost", "web1"], event("web1", sweeps=[], modules=0), *events)
    listed = list(abort.lines(ended))
    assert listed[1] == f"ghost  NOT DONE: {said}"
    assert listed[2] == "1 of 2 hosts done; put the others right and abort again"


def test_what_a_host_says_cannot_act_on_the_terminal() -> None:
    ended = told(["web1"], event("web1", "runner_on_failed", msg="\x1b[2Jgone"))
    assert "\x1b" not in "".join(abort.lines(ended))


def test_a_host_that_does_not_answer_makes_the_exit_code(fleetdiag: Callable[..., Any]) -> None:
    result = fleetdiag("abort", "-i", "hosts.yml")
    assert result.returncode == 3, result.stderr
    assert "web1  NOT DONE: unreachable: " in result.stdout


def test_bad_input_is_one_sentence(fleetdiag: Callable[..., Any], home: Path) -> None:
    result = fleetdiag("abort", "-i", "nowhere.yml")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("fleetdiag: inventory nowhere.yml: there is no such file")
    assert fleetdiag("abort", "-i", "hosts.yml", "-l", "web9").returncode == 2
    assert not (home / "state" / "fleetdiag" / "runs").exists()
