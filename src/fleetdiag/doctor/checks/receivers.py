# SPDX-License-Identifier: GPL-3.0-or-later
"""Receivers: programs that are there, extras that are installed, messages that were not delivered."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from fleetdiag.config import Receiver
from fleetdiag.doctor.model import FAIL, OK, WARN, Case, Line
from fleetdiag.notify import mail, outbox

ORDER = 90


def look(case: Case) -> Iterator[Line]:
    """Yield a line for each receiver, and for what is pending."""
    for receiver in case.config.receivers.values():
        trouble = _trouble(receiver)
        if trouble:
            yield Line(FAIL, "receiver", f"{receiver.name}: {trouble}")
        else:
            yield Line(
                OK,
                "receiver",
                f"{receiver.name}: {receiver.kind}; try it: fleetdiag notify test {receiver.name}",
            )
    lost = [entry for place in case.runs_dirs for _, entry in outbox.pending(place)]
    if lost:
        text = f"{plural(len(lost), 'message')} could not be delivered"
        yield Line(WARN, "receiver", text, "fleetdiag notify pending")


def _trouble(receiver: Receiver) -> str:
    if receiver.kind == "command" and shutil.which(receiver.settings[0]) is None:
        return f"{receiver.settings[0]} is no program that can be run; correct the receiver's command"
    if receiver.kind == "mail" and receiver.settings.get("via", "sendmail") == "sendmail":
        program = receiver.settings.get("sendmail", mail.SENDMAIL)
        if shutil.which(program) is None:
            return f'{program} is not there; install a mail program, or say via = "smtp" and a host'
    if receiver.kind == "apprise" and importlib.util.find_spec("apprise") is None:
        return "apprise is not installed; install fleetdiag[notify]"
    return ""
