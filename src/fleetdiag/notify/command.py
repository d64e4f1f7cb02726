# SPDX-License-Identifier: GPL-3.0-or-later
"""A program of the operator's. The message comes as JSON on its standard input, never in argv or the environment."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.notify.message import Message


def send(settings: Sequence[str], message: Message) -> str:
    """Run the program; return what it printed. FleetdiagError if it cannot be started or fails."""
    text = json.dumps(message.as_dict())
    try:
        done = subprocess.run(list(settings), input=text.encode(), capture_output=True, check=False)
    except OSError as error:
        raise FleetdiagError(f"{settings[0]}: {error.strerror}; correct the receiver's command") from error
    said = (done.stderr or done.stdout)[:4096].decode("utf-8", "replace").strip()
    if done.returncode:
        raise FleetdiagError(f"{settings[0]}: exit code {done.returncode}: {said or 'it said nothing'}")
    return said
