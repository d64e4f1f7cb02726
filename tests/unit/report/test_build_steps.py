# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a report says which probe and which host it is at, for whoever waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import rundirs

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports

AUTO = {"description": "A script.", "question": "What?", "output": "auto", "cost": "low"}


def test_each_host_and_each_form_to_be_found_out_is_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    @contextmanager
    def told(tell: Any) -> Iterator[Any]:
        yield tell

    monkeypatch.setattr(reports.slow_steps, "told", told)
    probes = {"mine": AUTO, "slow_open": rundirs.SLOW_OPEN}
    made = rundirs.Builder(tmp_path, ["web1", "web2"], list(probes), manifests=probes)
    made.window()
    for host in made.hosts:
        made.whole(host, {"mine": made.out(payload="nginx 4\nmysqld 7\n"), "slow_open": made.out()})
    reports.build(made.path, tell=steps.append)
    assert steps == [
        "mine: finding out what form its output has",
        "web1: reading what mine printed",
        "web1: reading what slow_open printed",
        "web2: reading what mine printed",
        "web2: reading what slow_open printed",
        "comparing hosts",
    ]
