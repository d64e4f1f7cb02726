# SPDX-License-Identifier: GPL-3.0-or-later
"""The wheel, installed in an empty environment: one file carries the command and the whole collection."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from stranger import Stranger, built_wheel
from sweeps import ROOT, SWEPT

PROBE = "slow_open"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    """Install it with pip, as anybody would."""
    made = Stranger(tmp_path_factory.mktemp("empty"))
    made.needs("pip", "install", "-qq", wheel)
    return made


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


def test_version(installed: Stranger, wheel: Path) -> None:
    assert installed.run("fleetdiag", "--version").stdout.strip() == f"fleetdiag {wheel.name.split('-')[1]}"


def test_probes(installed: Stranger) -> None:
    result = installed.run("fleetdiag", "probes", "list", "--json")
    assert result.returncode == 0, result.stderr
    shipped = {
        path.parent.name for path in (ROOT / "collection/roles/sweep/files/probes").glob("*/probe.yml")
    }
    assert {probe["name"] for probe in json.loads(result.stdout)} == shipped


def test_ansible_finds_the_callback(installed: Stranger) -> None:
    result = installed.run("ansible-doc", "-t", "callback", "fleetdiag.systemtap.report")
    assert result.returncode == 0, result.stderr
    assert str(installed.venv) in result.stdout


def test_the_command_runs_its_own_collection(installed: Stranger, tmp_path: Path) -> None:
    """A stale copy where Ansible looks first must not be the one that runs."""
    stale = tmp_path / ".ansible/collections/ansible_collections/fleetdiag/systemtap/playbooks"
    stale.mkdir(parents=True)
    (stale / "sweep.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  tasks: [{fail: {msg: the stale copy}}]\n", encoding="utf-8"
    )
    ghost = tmp_path / "ghost.yml"
    ghost.write_text("all: {hosts: {ghost: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n", encoding="utf-8")
    arguments = ("sweep", "-i", str(ghost), "--probe", PROBE, "--window", "5s")
    result = installed.run("fleetdiag", *arguments, HOME=str(tmp_path))
    assert result.returncode == 3, result.stderr
    assert "ghost" in result.stdout
    assert "stale" not in result.stdout + result.stderr


@pytest.mark.lab
def test_sweep_by_the_command(installed: Stranger, lab: Any) -> None:
    result = installed.run(
        "fleetdiag", "sweep", "-i", str(lab.inventory), "-l", "web1", "--probe", PROBE, "--window", "5s"
    )
    assert result.returncode == 0, result.stdout + result.stderr
    _check_report(installed, result.stdout)


@pytest.mark.lab
def test_sweep_by_its_full_name(installed: Stranger, lab: Any) -> None:
    variables = json.dumps({"probes": [PROBE], "window": 5})
    result = installed.run(
        "ansible-playbook",
        "fleetdiag.systemtap.sweep",
        *("-i", str(lab.inventory), "-l", "web1", "-e", variables),
        ANSIBLE_CALLBACKS_ENABLED="fleetdiag.systemtap.report",
    )
    assert result.returncode == 0, result.stdout + result.stderr
    _check_report(installed, result.stdout)


def _check_report(installed: Stranger, shown: str) -> None:
    """The newest run directory has a report of one probed host, and the terminal showed it."""
    run_dir = max((installed.home / ".local/state/fleetdiag/runs").glob("*_*"))
    report = json.loads((run_dir / "report.json").read_text(encoding="utf-8"))
    (row,) = report["coverage"]
    assert row["host"] == "web1"
    assert row["status"] in SWEPT, row
    assert (run_dir / "report.txt").read_text(encoding="utf-8").splitlines()[0] in shown
