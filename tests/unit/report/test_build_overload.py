# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict says that a host was overloaded, from the load it had before its sessions."""

from __future__ import annotations

from pathlib import Path

import pytest
import reportdata

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports


@pytest.mark.parametrize(
    ("load", "said"),
    [
        ({"load1": 9.2, "cpus": 2}, "web2 was overloaded (load 9.2 on 2 processors)"),
        ({"load1": 1.5, "cpus": 2}, ""),
        ({"load1": "9.2", "cpus": None}, ""),
        ({"load1": float("nan"), "cpus": 0}, ""),
    ],
)
def test_the_verdict_names_hosts_that_were_overloaded(
    tmp_path: Path, load: dict[str, object], said: str
) -> None:
    made = reportdata.sweep(tmp_path)
    made.preflight("web2", **load)
    verdict = reports.build(made.path).verdict
    assert ("overloaded" in verdict) == bool(said)
    assert said in verdict
    assert verdict.endswith("3 of 3 hosts probed (1 with losses)")
