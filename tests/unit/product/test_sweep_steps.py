# SPDX-License-Identifier: GPL-3.0-or-later
"""What every sweep passes: a step that is left out costs a worker, and options that are read again their parsing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROLE = Path(__file__).parents[3] / "collection" / "roles" / "sweep" / "tasks"
INCLUDES = ("ansible.builtin.include_tasks", "ansible.builtin.include_role")


def steps(file: str) -> Iterator[dict[str, Any]]:
    """Yield the steps of a file of tasks, with those of its blocks and of what it imports."""
    waiting = yaml.safe_load((ROLE / file).read_text())
    while waiting:
        step = waiting.pop(0)
        yield step
        imported = step.get("ansible.builtin.import_tasks") or (
            step.get("ansible.builtin.import_role") or {}
        ).get("tasks_from")
        waiting += [
            *step.get("block", []),
            *(yaml.safe_load((ROLE / imported).read_text()) if imported else []),
        ]


def test_hosts_that_are_probed_at_once_pass_no_step_of_batches() -> None:
    (at_once,) = (step for step in steps("main.yml") if step.get("when") == "__sweep.at_once")
    passed = [one for step in at_once["block"] for one in steps(step["ansible.builtin.import_tasks"])]
    assert any("fleetdiag.systemtap.sweep_arm" in step for step in passed)
    assert not [step["name"] for step in passed if any(include in step for include in INCLUDES)]


def test_the_options_are_read_once() -> None:
    parts = [
        step["ansible.builtin.import_role"]
        for step in steps("main.yml")
        if "ansible.builtin.import_role" in step
    ]
    assert parts
    assert all(part.get("rolespec_validate") is False for part in parts)
