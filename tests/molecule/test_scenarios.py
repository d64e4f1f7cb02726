# SPDX-License-Identifier: GPL-3.0-or-later
"""The molecule scenarios of the roles, on the machines of the lab."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetdiag.lab import api

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCENARIOS = sorted(path.parent.name for path in HERE.glob("*/molecule.yml"))

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def inventory() -> Iterator[Path]:
    """That of the lab; a lab that was down before is down afterwards."""
    was_running = bool(api.running().machines)
    # The ghost is in no scenario, but other tests of the same lab read the same inventory.
    yield api.up(with_ghost=True).inventory
    if not was_running and "FLEETDIAG_KEEP_LAB" not in os.environ:
        api.down()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str, inventory: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "FLEETDIAG_LAB_INVENTORY": str(inventory),
        "MOLECULE_GLOB": "tests/molecule/*/molecule.yml",
        "NO_COLOR": "1",
    }
    command = [sys.executable, "-m", "molecule", "test", "--scenario-name", scenario]
    done = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
