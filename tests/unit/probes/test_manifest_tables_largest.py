# SPDX-License-Identifier: GPL-3.0-or-later
"""Which measure has the largest of the values whose mean a ratio is."""

from __future__ import annotations

from typing import Any

import pytest
from fleets import ATTEMPTS, table

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError


def declared(**more: Any) -> str:
    columns = {
        **ATTEMPTS["columns"],
        "time": {"type": "duration", "unit": "s", "role": "measure", "merge": "sum", "description": "Time."},
    }
    mean = {"type": "duration", "description": "Mean.", "ratio": ["time", "failed"], **more}
    (column,) = table({**ATTEMPTS, "columns": columns, "derived": {"mean": mean}}).derived
    return column.largest


def test_a_maximum_of_the_same_type() -> None:
    assert declared(largest="longest") == "longest"
    assert declared() == ""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"largest": "time"},
            "mean.largest: there is no printed measure time with merge max and type duration",
        ),
        ({"largest": "failed"}, "it can be longest"),
        ({"largest": "longest", "ratio": ["failed", "time"], "type": "float"}, "the table has none at all"),
    ],
)
def test_a_fault_says_where_and_what_to_do(more: dict[str, Any], said: str) -> None:
    with pytest.raises(FleetdiagError) as caught:
        declared(**more)
    assert said in str(caught.value)


def test_a_number_of_records_has_none() -> None:
    derived = {"all": {"type": "int", "merge": "records", "description": "All.", "largest": "longest"}}
    with pytest.raises(FleetdiagError, match=r"all\.largest: only a ratio has it; take it out"):
        table({**ATTEMPTS, "derived": derived})
