# SPDX-License-Identifier: GPL-3.0-or-later
"""The molecule scenarios of the roles, on machines of the lab, on hosts of the loopback fleet, or in a root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from loopback import Fleet
from sweeps import ROOT

from fleetdiag.lab.model import Lab

LATER = pytest.mark.long("minutes for each")
# What the scenario `sweep` asks, test_sweep asks too, but for Molecule's own idempotence.
ON_THE_LAB = ("install", pytest.param("builder", marks=LATER), pytest.param("sweep", marks=LATER))
ON_LOOPBACK = ("abort", "drain", "schedule")
# These name their host themselves: this machine under layers of its own, or a root of another Debian.
IN_A_ROOT = {
    "install_el": ("unshare", "dnf", "rpm", "rpmbuild", "createrepo_c"),
    "install_fedora": ("unshare", "mmdebstrap", "rpm", "rpmbuild", "createrepo_c"),
    "install_suse": ("unshare", "zypper", "rpm", "rpmbuild", "createrepo_c"),
}


@pytest.mark.lab
@pytest.mark.parametrize("scenario", ON_THE_LAB)
def test_scenario_on_machines(lab: Lab, scenario: str) -> None:
    molecule(scenario, lab.inventory, os.environ)


@LATER
@pytest.mark.parametrize("scenario", ON_LOOPBACK)
def test_scenario_on_loopback(hosts: Fleet, scenario: str) -> None:
    molecule(scenario, hosts.inventory, hosts.environment())


@LATER
@pytest.mark.parametrize("scenario", IN_A_ROOT)
def test_scenario_in_a_root(scenario: str) -> None:
    lacking = [name for name in IN_A_ROOT[scenario] if not shutil.which(name)]
    if lacking or os.geteuid():
        pytest.skip(f"needs root and {', '.join(IN_A_ROOT[scenario])}")
    molecule(scenario, ROOT / "tests" / "molecule" / scenario / "hosts.yml", os.environ)


def test_every_scenario_is_run() -> None:
    there = {path.parent.name for path in (ROOT / "tests" / "molecule").glob("*/molecule.yml")}
    assert there == {"install", "builder", "sweep", *ON_LOOPBACK, *IN_A_ROOT}


def molecule(scenario: str, inventory: Path, environment: Mapping[str, str]) -> None:
    """Run a scenario's whole sequence on the hosts of an inventory."""
    done = subprocess.run(
        [sys.executable, "-m", "molecule", "test", "-s", scenario],
        cwd=ROOT,
        env={
            **environment,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "MOLECULE_GLOB": "tests/molecule/*/molecule.yml",
            "FLEETDIAG_MOLECULE_INVENTORY": str(inventory),
        },
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
