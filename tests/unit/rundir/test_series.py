# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import rundirs

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import series

MANIFEST = rundirs.SLOW_OPEN
USUAL = series.of_probe("probe begin {}", MANIFEST, {"threshold_ms": 1000})


def test_script_tables_and_parameters_count() -> None:
    columns: dict[str, Any] = MANIFEST["tables"]["slow_files"]["columns"]
    fewer = {
        **MANIFEST,
        "tables": {"slow_files": {**MANIFEST["tables"]["slow_files"], "columns": {"path": columns["path"]}}},
    }
    others = {
        series.of_probe("probe begin { }", MANIFEST, {"threshold_ms": 1000}),
        series.of_probe("probe begin {}", fewer, {"threshold_ms": 1000}),
        series.of_probe("probe begin {}", MANIFEST, {"threshold_ms": 500}),
        series.of_probe("probe begin {}", {**MANIFEST, "output": "table"}, {"threshold_ms": 1000}),
    }
    assert len(others | {USUAL}) == 5


def test_explanations_do_not() -> None:
    tables = {"slow_files": {**MANIFEST["tables"]["slow_files"], "description": "Said better."}}
    worded = {**MANIFEST, "question": "Which?", "cost": "high", "tables": tables}
    assert series.of_probe("probe begin {}", worded, {"threshold_ms": 1000}) == USUAL


def test_a_sweep_is_its_probes_and_its_window() -> None:
    assert series.of_sweep(["a", "b"], 30) == series.of_sweep(["b", "a"], 30.0)
    assert series.of_sweep(["a", "b"], 60) != series.of_sweep(["a", "b"], 30)
    assert series.of_sweep(["a"], 30) != series.of_sweep(["a", "b"], 30)
