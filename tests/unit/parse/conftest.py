# SPDX-License-Identifier: GPL-3.0-or-later
"""Run some output through the whole parser: `read(probe, output) -> (rows, result)`."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row, SessionResult
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.session import parse_session
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.catalog import probe_from_manifest
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe

Read = Callable[..., tuple[list[Row], SessionResult]]
MakeProbe = Callable[..., Probe]


def _read(
    probe: Probe, output: bytes, nonce: str = "0123456789abcdef", max_bytes: int | None = None
) -> tuple[list[Row], SessionResult]:
    session = parse_session(probe, nonce, io.BytesIO(output), max_bytes)
    return list(session), session.result


def _probe(output: str, tables: dict[str, dict[str, Any]] | None = None, **more: Any) -> Probe:
    """A probe of this form; `tables` is {table: {column: its declaration without description}}."""
    manifest: dict[str, Any] = {
        "description": "A test.",
        "question": "Does it?",
        "output": output,
        "cost": "low",
    }
    if tables:
        manifest["tables"] = {
            name: {
                "description": "Rows.",
                "columns": {key: {"description": "It.", **value} for key, value in columns.items()},
                **more,
            }
            for name, columns in tables.items()
        }
    return probe_from_manifest("tested", manifest)


@pytest.fixture
def read() -> Read:
    return _read


@pytest.fixture
def make_probe() -> MakeProbe:
    return _probe
