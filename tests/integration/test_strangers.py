# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody with only the wheel, or only the collection's tarball, in an empty environment, sweeps by the README alone.

The hosts are those of the loopback fleet: logged in to with a key, and with what an encrypted file says.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from loopback import Fleet
from sweeps import ROOT, SWEPT

pytestmark = pytest.mark.long("two environments and four sweeps")
PASSWORD = "correct horse"  # noqa: S105 - of a file that this test makes
PROBE = "slow_open"
COLLECTION = ROOT / "collection"


class Stranger:
    """An environment that holds what was installed, a home, and nothing of the source tree."""

    def __init__(self, base: Path) -> None:
        self.base, self.home = base, base / "home"
        self.home.mkdir(parents=True)
        subprocess.run([sys.executable, "-m", "venv", base / "venv"], check=True)

    def run(self, program: str, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment as in a shell that was just opened, with no terminal."""
        return subprocess.run(
            [str(self.base / "venv/bin" / program), *map(str, arguments)],
            cwd=self.home,
            env={
                "HOME": str(self.home),
                "PATH": f"{self.base}/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "LC_ALL": "C.UTF-8",
                **variables,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def needs(self, program: str, *arguments: object) -> None:
        """Run a program that has to succeed."""
        done = self.run(program, *arguments)
        assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def with_wheel(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    """Install the wheel with pip."""
    made = Stranger(tmp_path_factory.mktemp("wheel"))
    hatch = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(made.base)]
    subprocess.run(hatch, cwd=ROOT, check=True, capture_output=True)
    made.needs("pip", "install", "-qq", *made.base.glob("*.whl"))
    return made


@pytest.fixture(scope="module")
def with_tarball(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    """Install Ansible, the collection's requirements, and the collection as its README says."""
    made = Stranger(tmp_path_factory.mktemp("tarball"))
    made.needs(
        "pip", "install", "-qq", "ansible-core>=2.19,<2.22", "-r", COLLECTION / "meta/requirements.txt"
    )
    made.needs("ansible-galaxy", "collection", "build", "--output-path", made.base, COLLECTION)
    made.needs("ansible-galaxy", "collection", "install", "--offline", *made.base.glob("*.tar.gz"))
    return made


def by_command(stranger: Stranger, fleet: Fleet, inventory: Path, *login: object) -> str:
    """Sweep with the command; return what it printed."""
    words = ("sweep", "-i", inventory, "-l", "web", "--probe", PROBE, "--window", "2s", "--no-become")
    where = ("--runs-dir", inventory.parent / "runs", "-e", "sweep_install=false")
    return ended(stranger.run("fleetdiag", *words, *where, *login, **of_fleet(fleet)))


def by_playbook(stranger: Stranger, fleet: Fleet, inventory: Path, *login: object) -> str:
    """Sweep with the playbook; return what it printed."""
    asked = {
        "probes": [PROBE],
        "window": 2,
        "sweep_install": False,
        "sweep_runs_dir": str(inventory.parent / "runs"),
    }
    words = ("fleetdiag.systemtap.sweep", "-i", inventory, "-l", "web", "-e", json.dumps(asked))
    reports = {"ANSIBLE_CALLBACKS_ENABLED": "fleetdiag.systemtap.report"}
    return ended(stranger.run("ansible-playbook", *words, *login, **of_fleet(fleet), **reports))


def of_fleet(fleet: Fleet) -> dict[str, str]:
    """Return what of the fleet's environment says where its modules and connections are."""
    return {
        name: value
        for name, value in fleet.environment().items()
        if name.startswith("XDG_") or name == "ANSIBLE_SSH_CONTROL_PATH_DIR"
    }


def ended(done: subprocess.CompletedProcess[str]) -> str:
    """Return the output of a sweep that succeeded."""
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(params=["wheel", "tarball"])
def sweeping(request: pytest.FixtureRequest, hosts: Fleet) -> Callable[..., str]:
    """Return what sweeps the fleet: the command of the wheel, the playbook of the tarball."""
    stranger = request.getfixturevalue(f"with_{request.param}")
    sweep = by_command if request.param == "wheel" else by_playbook
    return lambda inventory, *login: sweep(stranger, hosts, inventory, *login)


def written(folder: Path, fleet: Fleet, **variables: str) -> Path:
    """Return the fleet's inventory without user and key, and with these variables instead."""
    inventory = yaml.safe_load(fleet.inventory.read_text())
    shared = inventory["all"]["vars"]
    for name in ("ansible_user", "ansible_ssh_private_key_file"):
        del shared[name]
    shared.update(variables)
    path = folder / "hosts.yml"
    path.write_text(yaml.safe_dump(inventory))
    return path


def check(folder: Path, shown: str) -> None:
    """All hosts were probed, and the terminal showed the report."""
    (run,) = (folder / "runs").glob("*_*")
    report = json.loads((run / "report.json").read_text())
    assert report["coverage"]
    assert {row["status"] for row in report["coverage"]} <= SWEPT, report["coverage"]
    assert (run / "report.txt").read_text().splitlines()[0] in shown


def test_a_key_that_is_named(sweeping: Callable[..., str], hosts: Fleet, tmp_path: Path) -> None:
    inventory = written(tmp_path, hosts)
    check(tmp_path, sweeping(inventory, "-u", "root", "--private-key", hosts.folder / "key"))


def test_what_a_vault_says(sweeping: Callable[..., str], hosts: Fleet, tmp_path: Path) -> None:
    """User and key stand in an encrypted file beside the inventory."""
    login = {"ansible_user": "{{ vault_user }}", "ansible_ssh_private_key_file": "{{ vault_key }}"}
    inventory = written(tmp_path, hosts, **login)
    secret, password = tmp_path / "group_vars/all/vault.yml", tmp_path / "password"
    secret.parent.mkdir(parents=True)
    secret.write_text(yaml.safe_dump({"vault_user": "root", "vault_key": str(hosts.folder / "key")}))
    password.write_text(f"{PASSWORD}\n")
    vault = [
        Path(sys.executable).with_name("ansible-vault"),
        "encrypt",
        "--vault-password-file",
        password,
        secret,
    ]
    subprocess.run(vault, check=True, capture_output=True)
    assert "root" not in secret.read_text()
    check(tmp_path, sweeping(inventory, "--vault-password-file", password))
