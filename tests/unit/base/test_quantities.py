# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import quantities


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (14, "14"),
        (1234567, "1,234,567"),
        (2.5, "2.5"),
        (0.0012345, "0.00123"),
        (1e20, "1e+20"),
        (-3.0, "-3"),
    ],
)
def test_amounts(value: float, text: str) -> None:
    assert quantities.amount(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (1023, "1,023 B"), (1024, "1 KiB"), (2**20 * 1.5, "1.5 MiB"), (2**80, "1,048,576 EiB")],
)
def test_sizes(value: float, text: str) -> None:
    assert quantities.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"),
        (8.47, "8.47 s"),
        (900, "900 s"),
        (0.0035, "3.5 ms"),
        (45e-6, "45 µs"),
        (2e-9, "2 ns"),
        (1e-12, "0.001 ns"),
    ],
)
def test_times(value: float, text: str) -> None:
    assert quantities.time(value) == text


def test_figures_by_type() -> None:
    assert quantities.figure("bytes", 2048, "B") == "2 KiB"
    assert quantities.figure("duration", 0.5, "s") == "500 ms"
    assert quantities.figure("float", 12.5, "%") == "12.5 %"
    assert quantities.figure("int", 7, "1") == "7"
