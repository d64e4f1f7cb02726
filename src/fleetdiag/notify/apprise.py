# SPDX-License-Identifier: GPL-3.0-or-later
"""Every service of apprise, with the extra `fleetdiag[notify]`. Texts are declared plain, and mentions defused.

Undeclared text would be taken for markup, and apprise puts mentions of some services back in force.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.notify.message import Message


def send(settings: Mapping[str, Any], message: Message) -> str:
    """Send to every address of the file. FleetdiagError unless all have taken it."""
    try:
        library: Any = importlib.import_module("apprise")
    except ImportError as error:
        raise FleetdiagError("apprise is not installed; install fleetdiag[notify]") from error
    name = settings["urls_file"]
    try:
        lines = Path(name).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise FleetdiagError(f"{name}: cannot be read ({error}); correct it") from error
    services = library.Apprise()
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#") and not services.add(line.strip()):
            raise FleetdiagError(f"{name}:{number}: is no address that apprise knows; correct it")
    sent = services.notify(
        title=defused(message.subject), body=defused(message.body), body_format=library.NotifyFormat.TEXT
    )
    if not sent:
        raise FleetdiagError("a service did not take it; apprise says no more")
    return "taken by all services"


def defused(text: str) -> str:
    """Return a text without any sequence by which a service mentions somebody."""
    return text.replace("<", "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}").replace(
        "@", "@\N{ZERO WIDTH SPACE}"
    )
