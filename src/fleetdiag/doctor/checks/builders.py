# SPDX-License-Identifier: GPL-3.0-or-later
"""Builders and load balancers of the inventories: whether Ansible reaches them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

from fleetdiag.doctor.model import FAIL, OK, Case, Line
from fleetdiag.run import playbook

ORDER = 80
GROUPS = {"builder": "systemtap_builders", "balancer": "load_balancers"}


def look(case: Case) -> Iterator[Line]:
    """Yield a line for each builder and balancer that does not answer, and one for the others."""
    if not case.reach:
        return
    sources = dict.fromkeys(
        [*case.inventory, *(name for sweep in case.sweeps for name in sweep.texts("inventory"))]
    )
    for about, group in GROUPS.items():
        fine, bad = _ping(group, list(sources))
        for host, why in bad:
            yield Line(
                FAIL, about, f"{host}: {why}", f"ansible {host} -m ansible.builtin.ping -vvv shows more"
            )
        if fine:
            yield Line(OK, about, f"{', '.join(fine)} can be reached")


def _ping(group: str, sources: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    words = [word for source in sources for word in ("-i", source)]
    if not words:
        return [], []
    done = subprocess.run(
        ["ansible", group, *words, "--one-line", "-m", "ansible.builtin.ping"],
        env={**_without_agent(), **playbook.environment()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    fine, bad = [], []
    for line in done.stdout.splitlines():
        host, bar, said = line.partition(" | ")
        if bar and said.startswith("SUCCESS"):
            fine.append(host)
        elif bar:
            bad.append((host, said[:300]))
    return fine, bad


def _without_agent() -> dict[str, str]:
    """Return the environment as a timer has it."""
    return {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}
