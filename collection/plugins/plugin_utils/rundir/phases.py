# SPDX-License-Identifier: GPL-3.0-or-later
"""The phases of a sweep: which one a task belongs to, by its action or its role, never by its title."""

from __future__ import annotations

PHASES = ("preflight", "install", "build", "arm", "window", "collect")
"""In the order in which a host passes through them."""

_ACTIONS = {
    "create": "start",
    "fetch_examples": "examples",
    "use_known_hosts": "preflight",
    "preflight": "preflight",
    "assign_builds": "build",
    "inspect_builder": "build",
    "fetch_program": "build",
    "kernel_info": "build",
    "build": "build",
    "plan_batches": "batches",
    "check_batch": "batches",
    "record_balancers": "drain",
    "arm": "arm",
    "choose_window": "arm",  # before it where the start can be foreseen, else at its end
    "set_window": "window",
    "wait": "window",
    "collect": "collect",
    "abort": "abort",
}
_ROLES = {"install": "install", "builder": "build", "drain": "drain"}
_PREFIX = "fleetdiag.systemtap."


def phase_of(action: str, role: str = "") -> str:
    """Return the phase of a task, or "" where it belongs to none.

    `action` is the full name of the task's action, `role` the name of its role, with or without the collection's.
    """
    known = _ACTIONS.get(action.removeprefix(f"{_PREFIX}sweep_")) if action.startswith(_PREFIX) else None
    return known or _ROLES.get(role.removeprefix(_PREFIX), "")
