# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the window of each host from window.json: one for all, or one for each batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.untrusted import number, text


def window_of(data: Mapping[str, Any] | None, host: str) -> Mapping[str, Any] | None:
    """The window of this host, None if it has none."""
    if not data:
        return None
    if "batches" not in data:
        return data
    own = next((batch for batch in batches_in(data) if host in hosts_of(batch)), {})
    return own if number(own, "start") is not None else None


def reached(data: Mapping[str, Any] | None) -> int:
    """How many batches had a window; 0 without batches."""
    return sum(number(batch, "start") is not None for batch in batches_in(data or {}))


def why_not(data: Mapping[str, Any] | None, host: str) -> str:
    """Why the batch of this host was never probed, where an earlier one had trouble; else empty."""
    stopped = text(data or {}, "stopped")
    waiting = any(host in hosts_of(batch) and number(batch, "start") is None for batch in batches_in(data or {}))
    return stopped if stopped and waiting else ""


def hosts_of(batch: Mapping[str, Any]) -> list[str]:
    listed = batch.get("hosts")
    return [str(host) for host in listed] if isinstance(listed, list) else []


def batches_in(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = data.get("batches")
    return [batch for batch in listed if isinstance(batch, Mapping)] if isinstance(listed, list) else []
