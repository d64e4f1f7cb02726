# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that people write: manifests, scripts, the configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError


def read_text(path: Path, most: int, subject: str = "", check: Callable[[int], None] | None = None) -> str:
    """Return the text of a file. FleetdiagError, with the line, if it cannot be read, is too long or no UTF-8.

    most: bytes. subject: said in front of what is wrong: `manifest: `. check: looks at the open file, by
    its descriptor, before it is read.
    """
    try:
        with path.open("rb") as file:
            if check is not None:
                check(file.fileno())
            raw = file.read(most + 1)
    except OSError as error:
        raise FleetdiagError(f"{path}: {error.strerror}; make it readable") from error
    if len(raw) > most:
        raise FleetdiagError(f"{path}:1: {subject}is larger than {most} bytes; shorten it")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise FleetdiagError(f"{path}:{line}: {subject}is not UTF-8 text; save it as UTF-8") from error
