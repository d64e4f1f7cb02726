# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody with only the wheel, or only the collection's tarball, in an empty environment, sweeps by the README alone.

The hosts are those of the loopback fleet: logged in to with a key, with what an encrypted file says, and by an account
that has a password for ssh and must give it to sudo as well.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import passwords
import pytest
import yaml
from loopback import Fleet
from passwords import Account
from stranger import Stranger, built_wheel
from sweeps import ROOT, SWEPT

pytestmark = pytest.mark.long("two environments and nine sweeps")
PASSWORD = "correct horse"  # noqa: S105 - of a file that this test makes
PROBE = "slow_open"
COLLECTION = ROOT / "collection"
Sweeping = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def with_wheel(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    """Install the wheel with pip."""
    base = tmp_path_factory.mktemp("wheel")
    made = Stranger(base)
    made.needs("pip", "install", "-qq", built_wheel(base))
    return made


@pytest.fixture(scope="module")
def with_tarball(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    """Install Ansible, the collection's requirements, and the collection as its README says."""
    base = tmp_path_factory.mktemp("tarball")
    made = Stranger(base)
    made.needs(
        "pip", "install", "-qq", "ansible-core>=2.19,<2.22", "-r", COLLECTION / "meta/requirements.txt"
    )
    made.needs("ansible-galaxy", "collection", "build", "--output-path", base, COLLECTION)
    made.needs("ansible-galaxy", "collection", "install", "--offline", *base.glob("*.tar.gz"))
    return made


def by_command(
    stranger: Stranger, fleet: Fleet, inventory: Path, *login: object, typed: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Sweep with the command."""
    words = ("sweep", "-i", inventory, "-l", "web", "--probe", PROBE, "--window", "2s")
    where = ("--runs-dir", inventory.parent / "runs", "-e", "sweep_install=false")
    return stranger.run("fleetdiag", *words, *where, *login, typed=typed, **of_fleet(fleet))


def by_playbook(
    stranger: Stranger, fleet: Fleet, inventory: Path, *login: object, typed: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Sweep with the playbook."""
    asked = {
        "probes": [PROBE],
        "window": 2,
        "sweep_install": False,
        "sweep_runs_dir": str(inventory.parent / "runs"),
    }
    words = ("fleetdiag.systemtap.sweep", "-i", inventory, "-l", "web", "-e", json.dumps(asked))
    reports = {"ANSIBLE_CALLBACKS_ENABLED": "fleetdiag.systemtap.report"}
    return stranger.run("ansible-playbook", *words, *login, typed=typed, **of_fleet(fleet), **reports)


def of_fleet(fleet: Fleet) -> dict[str, str]:
    """Return what of the fleet's environment says where its modules and connections are."""
    return {
        name: value
        for name, value in fleet.environment().items()
        if name.startswith("XDG_") or name == "ANSIBLE_SSH_CONTROL_PATH_DIR"
    }


@pytest.fixture(params=["wheel", "tarball"])
def sweeping(request: pytest.FixtureRequest, hosts: Fleet) -> Sweeping:
    """Return what sweeps the fleet: the command of the wheel, the playbook of the tarball."""
    stranger = request.getfixturevalue(f"with_{request.param}")
    sweep = by_command if request.param == "wheel" else by_playbook
    return lambda inventory, *login, **typed: sweep(stranger, hosts, inventory, *login, **typed)


@pytest.fixture
def ops(hosts: Fleet, tmp_path: Path) -> Iterator[Account]:
    """Return an account with a password, which sudo wants too."""
    if lacking := passwords.lacking():
        pytest.skip(f"needs {', '.join(lacking)}")
    with passwords.account(hosts, tmp_path) as made:
        yield made


def written(folder: Path, fleet: Fleet, **variables: object) -> Path:
    """Return the fleet's inventory without user and key, with these variables instead; what is None is left out."""
    inventory = yaml.safe_load(fleet.inventory.read_text())
    own = {"ansible_user": None, "ansible_ssh_private_key_file": None, **variables}
    kept = {**inventory["all"]["vars"], **own}
    inventory["all"]["vars"] = {name: value for name, value in kept.items() if value is not None}
    path = folder / "hosts.yml"
    path.write_text(yaml.safe_dump(inventory))
    return path


def for_passwords(folder: Path, fleet: Fleet, account: Account) -> tuple[Path, Path]:
    """Return the inventory of hosts that are reached with a password, and a file that holds it."""
    secret = folder / "secret"
    secret.write_text(f"{account.password}\n")
    return written(folder, fleet, ansible_port=account.port, ansible_become=None), secret


def check(folder: Path, done: subprocess.CompletedProcess[str]) -> None:
    """The sweep succeeded, all hosts were probed, and the terminal showed the report."""
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = (folder / "runs").glob("*_*")
    report = json.loads((run / "report.json").read_text())
    assert report["coverage"]
    assert {row["status"] for row in report["coverage"]} <= SWEPT, report["coverage"]
    assert (run / "report.txt").read_text().splitlines()[0] in done.stdout


def test_a_key_that_is_named(sweeping: Sweeping, hosts: Fleet, tmp_path: Path) -> None:
    inventory = written(tmp_path, hosts)
    check(tmp_path, sweeping(inventory, "-u", "root", "--private-key", hosts.folder / "key"))


def test_what_a_vault_says(sweeping: Sweeping, hosts: Fleet, tmp_path: Path) -> None:
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


def test_passwords_in_files(sweeping: Sweeping, hosts: Fleet, ops: Account, tmp_path: Path) -> None:
    inventory, secret = for_passwords(tmp_path, hosts, ops)
    login = ("-u", ops.name, "--connection-password-file", secret, "--become-password-file", secret)
    check(tmp_path, sweeping(inventory, *login))
    assert f"Accepted password for {ops.name}" in ops.log.read_text()


def test_passwords_that_are_typed(sweeping: Sweeping, hosts: Fleet, ops: Account, tmp_path: Path) -> None:
    """Asked for once, before anything is done; sudo's is that of ssh where nothing is typed."""
    inventory, _ = for_passwords(tmp_path, hosts, ops)
    typed = {"SSH password: ": f"{ops.password}\n", r"BECOME password.*: ": "\n"}
    done = sweeping(inventory, "-u", ops.name, "-k", "-K", typed=typed)
    check(tmp_path, done)
    assert ops.password not in done.stdout + done.stderr
    assert f"Accepted password for {ops.name}" in ops.log.read_text()


def test_sudo_that_is_not_given_its_password(
    with_wheel: Stranger, hosts: Fleet, ops: Account, tmp_path: Path
) -> None:
    inventory, secret = for_passwords(tmp_path, hosts, ops)
    done = by_command(with_wheel, hosts, inventory, "-u", ops.name, "--connection-password-file", secret)
    assert done.returncode != 0, done.stdout
    assert "give the password with -K or --become-password-file" in done.stdout + done.stderr
