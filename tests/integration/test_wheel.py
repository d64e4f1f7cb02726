# SPDX-License-Identifier: GPL-3.0-or-later
"""The wheel, installed in an empty environment: one file carries the command and the whole collection."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sweeps import SWEPT

LAB = ("builder", "web1", "web2")
ROOT = Path(__file__).resolve().parents[2]
PROBE = "slow_open"


@dataclass(frozen=True)
class Installed:
    """An environment that holds the wheel and nothing of the source tree."""

    venv: Path
    home: Path

    def run(self, program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment where neither ansible.cfg nor sources are in reach."""
        environment = {
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            "PATH": f"{self.venv}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C.UTF-8",
            **variables,
        }
        return subprocess.run(
            [str(self.venv / "bin" / program), *arguments],
            cwd=self.home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=1500,
            check=False,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it as `make wheel` does."""
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Install it with pip, as anybody would."""
    base = tmp_path_factory.mktemp("empty")
    home = base / "home"
    home.mkdir()
    subprocess.run([sys.executable, "-m", "venv", str(base / "venv")], check=True)
    pip = [str(base / "venv" / "bin" / "python"), "-m", "pip", "install", "-qq", str(wheel)]
    subprocess.run(pip, check=True, env={**os.environ, "PYTHONPATH": ""})
    return Installed(base / "venv", home)


def test_wheel_holds_what_is_published_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    collection = "ansible_collections/fleetdiag/systemtap/"
    tops = {name.removeprefix(collection).split("/")[0] for name in names if name.startswith(collection)}
    assert {"galaxy.yml", "meta", "playbooks", "plugins", "roles"} <= tops
    assert collection + "playbooks/sweep.yml" in names
    assert any(name.startswith(collection + "roles/sweep/files/probes/") for name in names)
    strays = ("__pycache__", ".pyc", ".cache", ".ko", "/tests/", "conftest")
    assert [name for name in names if any(stray in name for stray in strays)] == []
    known = ("ansible_collections/fleetdiag/", "fleetdiag/", "fleetdiag-")
    assert [name for name in names if not name.startswith(known)] == []


def test_version(installed: Installed, wheel: Path) -> None:
    assert installed.run("fleetdiag", "--version").stdout.strip() == f"fleetdiag {wheel.name.split('-')[1]}"


def test_probes(installed: Installed) -> None:
    result = installed.run("fleetdiag", "probes", "list", "--json")
    assert result.returncode == 0, result.stderr
    shipped = {
        path.parent.name for path in (ROOT / "collection/roles/sweep/files/probes").glob("*/probe.yml")
    }
    assert {probe["name"] for probe in json.loads(result.stdout)} == shipped


def test_ansible_finds_the_callback(installed: Installed) -> None:
    result = installed.run("ansible-doc", "-t", "callback", "fleetdiag.systemtap.report")
    assert result.returncode == 0, result.stderr
    assert str(installed.venv) in result.stdout


def test_the_command_runs_its_own_collection(installed: Installed, tmp_path: Path) -> None:
    """A stale copy where Ansible looks first must not be the one that runs."""
    stale = tmp_path / ".ansible/collections/ansible_collections/fleetdiag/systemtap/playbooks"
    stale.mkdir(parents=True)
    (stale / "sweep.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  tasks: [{fail: {msg: the stale copy}}]\n", encoding="utf-8"
    )
    ghost = tmp_path / "ghost.yml"
    ghost.write_text("all: {hosts: {ghost: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n", encoding="utf-8")
    arguments = ("sweep", "-i", str(ghost), "--probe", PROBE, "--window", "5s")
    result = installed.run(
        "fleetdiag", *arguments, HOME=str(tmp_path), XDG_STATE_HOME=str(tmp_path / "state")
    )
    assert result.returncode == 3, result.stderr
    assert "ghost" in result.stdout
    assert "stale" not in result.stdout + result.stderr


@pytest.mark.lab
def test_sweep_by_the_command(installed: Installed, lab: Any) -> None:
    result = installed.run(
        "fleetdiag", "sweep", "-i", str(lab.inventory), "-l", "web1", "--probe", PROBE, "--window", "5s"
    )
    assert result.returncode == 0, result.stdout + result.stderr
    _check_report(installed, result.stdout)


@pytest.mark.lab
def test_sweep_by_its_full_name(installed: Installed, lab: Any) -> None:
    variables = json.dumps({"probes": [PROBE], "window": 5})
    result = installed.run(
        "ansible-playbook",
        "fleetdiag.systemtap.sweep",
        *("-i", str(lab.inventory), "-l", "web1", "-e", variables),
        ANSIBLE_CALLBACKS_ENABLED="fleetdiag.systemtap.report",
    )
    assert result.returncode == 0, result.stdout + result.stderr
    _check_report(installed, result.stdout)


def _check_report(installed: Installed, shown: str) -> None:
    """The newest run directory has a report of one probed host, and the terminal showed it."""
    run_dir = max((installed.home / "state/fleetdiag/runs").iterdir())
    report = json.loads((run_dir / "report.json").read_text(encoding="utf-8"))
    (row,) = report["coverage"]
    assert row["host"] == "web1"
    assert row["status"] in SWEPT, row
    assert (run_dir / "report.txt").read_text(encoding="utf-8").splitlines()[0] in shown
