# SPDX-License-Identifier: GPL-3.0-or-later
"""The molecule scenarios of the roles, on the lab's machines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sweeps import ROOT

from fleetdiag.lab.model import Lab

# What the scenario `sweep` asks, test_sweep asks too, but for Molecule's own idempotence.
LONG = {"sweep"}
LATER = pytest.mark.long("two sweeps more")
SCENARIOS = [
    pytest.param(path.parent.name, marks=[LATER] if path.parent.name in LONG else [])
    for path in sorted((ROOT / "tests" / "molecule").glob("*/molecule.yml"))
]


@pytest.mark.lab
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(lab: Lab, scenario: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "molecule", "test", "-s", scenario],
        cwd=ROOT,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "MOLECULE_GLOB": "tests/molecule/*/molecule.yml",
            "FLEETDIAG_LAB_INVENTORY": str(lab.inventory),
        },
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
