# SPDX-License-Identifier: GPL-3.0-or-later
"""Every action has a cache and a state of its own, and a sweep that has just begun."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakesweep import new_run


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return new_run(tmp_path)
