# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag builder warm`: what is asked of the playbook, and what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fleetdiag.cli import builder, main

ROOT = Path(__file__).parents[3]


def event(kind: str, host: str, res: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {"event": kind, "event_data": {"host": host, "res": res, **data}}


def item(host: str, kernel: str, rc: int = 0) -> dict[str, Any]:
    return event("runner_item_on_ok", host, {"__builder_kernel": kernel, "rc": rc, "delta": "0:01:05.5"})


def build(kernel: str = "6.12", following: str = "", **res: Any) -> dict[str, Any]:
    res = {"kernel": kernel, "counts": {}, "errors": {}, "next": following, **res}
    return event("runner_on_ok", "web1", res, task_action=builder.BUILD)


def told(*events: dict[str, Any]) -> tuple[list[str], bool]:
    warmed = builder.Warmed()
    for one in events:
        builder.take(warmed, one)
    return list(builder.lines(warmed)), warmed.complete


def test_each_builder_says_what_it_knows_and_each_kernel_what_was_compiled() -> None:
    lines, complete = told(
        item("b1", "6.12"), item("b1", "7.2"), build(counts={"built": 3}), build(counts={"cached": 2})
    )
    assert lines == ["b1: knows 6.12 (66 s), 7.2 (66 s)", "6.12: 3 modules compiled, 2 were there"]
    assert complete


def test_what_failed_is_named_once_nobody_is_left_to_try() -> None:
    wrong = {"errors": {"nettop": "WARNING: x\nsemantic error: no match"}, "counts": {"failed": 1}}
    lines, complete = told(item("b1", "6.12"), build(following="b2", **wrong))
    assert (len(lines), complete) == (2, True)
    lines, complete = told(item("b1", "6.12"), build(**wrong))
    assert lines[-1] == "  NOT DONE: nettop: semantic error: no match"
    assert not complete


def test_a_builder_that_failed_says_why() -> None:
    play = {"play": "Prepare the builders"}
    lines, complete = told(
        item("b1", "6.12"),
        item("b1", "7.2", rc=1),
        event("runner_on_failed", "b1", {"msg": "SystemTap does not compile\x1b[2J"}, **play),
        event("runner_on_unreachable", "b2", {"msg": "no route"}, **play),
        event("runner_on_unreachable", "web1", {"msg": "no route"}, play="Learn the kernels of the targets"),
    )
    assert lines == [
        r"b1: knows 6.12 (66 s); NOT DONE: SystemTap does not compile\x1b[2J",
        "b2: NOT DONE: unreachable: no route",
    ]
    assert not complete


@pytest.mark.parametrize("kernel", ["", "../x", "6.12;reboot", "-r", "linux"])
def test_a_kernel_that_is_none_is_refused(kernel: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["builder", "warm", "-i", "h,", f"--kernel={kernel}"]) == 2
    assert "is not a kernel release" in capsys.readouterr().err


def test_the_cache_that_is_warmed_is_the_one_that_is_compiled_with() -> None:
    """Module and role name the directory of a kernel alike."""
    tasks = yaml.safe_load((ROOT / "collection/roles/builder/tasks/warm.yml").read_text())
    assert tasks[0]["environment"]["SYSTEMTAP_DIR"].endswith(
        "{{ __builder_kernel | lower | regex_replace('[^a-z0-9._-]', '_') }}/systemtap"
    )
    module = (ROOT / "collection/plugins/modules/stap_compile.py").read_text()
    assert 're.sub(r"[^a-z0-9._-]", "_", module.params["kernel"].lower())' in module
