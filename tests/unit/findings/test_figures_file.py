# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of a sweep, read again."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import figures_file


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"hosts": 3, "probes": [3, {}, {"probe": "p", "hash": "a", "tables": 5}]},
        {"hosts": ["a"], "probes": [{"probe": "p", "hash": "a", "tables": {"t": {"m": {"value": ["x"]}}}}]},
        {"hosts": ["a"], "of": {"web": "x"}, "peers": ["web", "db"], "probes": None},
        {"format": 1, "hosts": ["a"], "probes": [{"probe": "p", "tables": {"t": {"m": {"value": [1]}}}}]},
    ],
)
def test_a_damaged_or_older_file_holds_nothing(data: dict[str, Any]) -> None:
    assert not any(figures_file.read("x", data).measures.values())
