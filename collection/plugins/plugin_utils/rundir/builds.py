# SPDX-License-Identifier: GPL-3.0-or-later
"""What builds/<kernel>.json says of a module that could not be compiled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.untrusted import (
    number,
    text,
)


def build_error(built: Mapping[str, Any]) -> str:
    """SystemTap's message with its line, of an entry of builds/<kernel>.json."""
    line = number(built, "line")
    said = text(built, "error") or "SystemTap gave no reason"
    return f"line {line:.0f}: {said}" if line is not None else said


def headline(error: str) -> str:
    """The line of a compiler's message that says what is wrong; the whole of it stands in the probe's section."""
    lines = [line.strip() for line in error.splitlines() if line.strip()] or [""]
    return next((line for line in lines if "error" in line.lower()), lines[0])[:200]
