# SPDX-License-Identifier: GPL-3.0-or-later
"""The role `schedule`, run on this machine: one implementation for the command and for playbooks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from fleetdiag.run import playbook

PLAYBOOK = "fleetdiag.systemtap.schedule"


def apply(variables: Mapping[str, Any], check: bool = False) -> list[str]:
    """Run the role and return the lines of its differences; nothing is changed with `check`.

    Raises FleetdiagError with the reason if it does not end well.
    """
    given = {
        **variables,
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
    }
    words = ["ansible-playbook", PLAYBOOK, "-i", "localhost,", "--diff", "-e", json.dumps(given)]
    done = subprocess.run(
        [*words, *(["--check"] if check else [])],
        env={**os.environ, **playbook.environment(), "ANSIBLE_STDOUT_CALLBACK": "default"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise FleetdiagError(f"schedule: {_reason(done.stdout + done.stderr)}")
    return list(_differences(done.stdout))


def _differences(output: str) -> Iterator[str]:
    inside = False
    for line in output.splitlines():
        inside = bool(line) and (inside or line.startswith("--- "))
        if inside:
            yield printable(line)


def _reason(output: str) -> str:
    """Return what failed: what systemd says of a unit, else Ansible's message."""
    for line in output.splitlines():
        if line.startswith("fatal: ") and "=> " in line:
            try:
                result = json.loads(line.partition("=> ")[2])
            except ValueError:
                continue
            said = result.get("stderr_lines") or [result.get("msg") or ""]
            return "; ".join(printable(str(word)) for word in said[:3])
    return playbook.reason(output)
