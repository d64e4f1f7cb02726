# SPDX-License-Identifier: GPL-3.0-or-later
"""Every action of a sweep has a phase, and a title none."""

from __future__ import annotations

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.version import COLLECTION
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.phases import phase_of

ACTIONS = sorted(path.stem for path in (COLLECTION / "plugins" / "action").glob("sweep_*.py"))


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_of_a_sweep_has_a_phase(action: str) -> None:
    assert phase_of(f"fleetdiag.systemtap.{action}", "sweep")


@pytest.mark.parametrize(
    ("action", "role", "phase"),
    [
        ("ansible.builtin.apt", "fleetdiag.systemtap.install", "install"),
        ("ansible.builtin.apt", "builder", "build"),
        ("ansible.builtin.include_role", "fleetdiag.systemtap.sweep", ""),
        ("another.collection.sweep_arm", "", ""),
    ],
)
def test_other_tasks_have_the_phase_of_their_role(action: str, role: str, phase: str) -> None:
    assert phase_of(action, role) == phase
