# SPDX-License-Identifier: GPL-3.0-or-later
"""The heartbeat: says that a sweep began and ended, so that somebody outside notices the one that never runs."""

from __future__ import annotations

from typing import Any

from fleetdiag.config import Heartbeat
from fleetdiag.notify import deliver, webhook
from fleetdiag.notify.message import Message

LIMIT_S = 15.0


def ping(heartbeat: Heartbeat, word: str) -> str:
    """Call the address with `/start` or `/EXIT_CODE` behind it; return why that failed, "" if it did not."""
    if not heartbeat.url and heartbeat.url_file is None:
        return ""
    address = {"url": heartbeat.url} if heartbeat.url else {"url_file": str(heartbeat.url_file)}
    empty = Message("", "", "").as_dict()
    taken, said = deliver.run("heartbeat", {**address, "suffix": f"/{word}"}, empty, LIMIT_S)
    return "" if taken else f"heartbeat /{word}: {said}"


def send(settings: dict[str, Any], _: Message) -> str:
    """Call the address. FleetdiagError unless it is taken."""
    return webhook.post(settings, None, {"User-Agent": "fleetdiag"}, settings["suffix"])
