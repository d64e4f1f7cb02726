# SPDX-License-Identifier: GPL-3.0-or-later
"""The types of rows and keys in merged tables."""

from __future__ import annotations

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Value

Key = tuple[Value, ...]
Cells = tuple[Value | None, ...]
Rates = tuple[float | None, ...]
