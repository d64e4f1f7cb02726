# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's own key, and the module lists it signs.

A module list names the modules that one sweep may load, each by its SHA-256. guard.sh carries the public half of the
key and looks at the signature and at each module right before it is loaded, with nothing but OpenSSH's
`ssh-keygen`. What that is worth and what not: docs/module_trust.md.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.files import state_dir
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable

PRINCIPAL = "fleetdiag"
NAMESPACE = "fleetdiag-modules"
HEADER = "fleetdiag modules 1"


@dataclass(frozen=True)
class Signed:
    """A module list and its signature (the text that `ssh-keygen -Y sign` makes)."""

    text: str
    signature: str


@dataclass(frozen=True)
class Signer:
    """A private key in a file, and its public half as `ssh-ed25519 AAAA...`."""

    key: Path
    public: str

    @property
    def allowed(self) -> str:
        """Return the line of an allowed_signers file that accepts module lists of this key and nothing else."""
        return f'{PRINCIPAL} namespaces="{NAMESPACE}" {self.public}'

    def sign(self, text: str) -> Signed:
        """Return the module list with its signature."""
        command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(self.key), "-n", NAMESPACE]
        return Signed(text, _ssh_keygen(command, text, f"{self.key}: cannot sign with it"))


def module_list(sweep: str, modules: Mapping[str, str]) -> str:
    """Return the text to sign. modules: {probe: sha256}, the smoke module among them."""
    lines = [f"{sha256} {probe}" for probe, sha256 in sorted(modules.items())]
    return "\n".join([HEADER, f"sweep {sweep}", *lines]) + "\n"


def own(directory: Path | None = None) -> Signer:
    """Return this user's key, made on first use: `$XDG_STATE_HOME/fleetdiag/keys/modules`, 0600 in a folder of 0700."""
    folder = directory or state_dir() / "keys"
    key = folder / "modules"
    try:
        if not key.exists():
            _make(folder, key)
        public = key.with_name("modules.pub").read_text(encoding="ascii").split()
        mode, owner = key.stat().st_mode, key.stat().st_uid
    except (OSError, UnicodeDecodeError) as error:
        raise FleetdiagError(
            f"{key}: the key that signs modules cannot be used ({error}); remove it, and a new one is made"
        ) from error
    if mode & 0o077 or owner != os.geteuid():
        raise FleetdiagError(
            f"{key}: others can read the key that signs modules; remove it, and a new one is made"
        )
    if len(public) < 2:
        raise FleetdiagError(f"{key}.pub: is not a public key; remove both, and new ones are made")
    return Signer(key, " ".join(public[:2]))


def _make(folder: Path, key: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(folder):
        if key.exists():
            return
        new = folder / ".new"
        for left in (new, new.with_name(".new.pub")):
            left.unlink(missing_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", PRINCIPAL, "-f", str(new)]
        _ssh_keygen(command, "", f"{key}: cannot be made")
        new.with_name(".new.pub").replace(key.with_name("modules.pub"))
        new.replace(key)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of the folder: the first hosts of the first sweep ask at the same time."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _ssh_keygen(command: list[str], text: str, trouble: str) -> str:
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
    except FileNotFoundError:
        raise FleetdiagError(
            "ssh-keygen is not installed here, and signs what hosts may load; install openssh-client"
        ) from None
    except subprocess.TimeoutExpired:
        raise FleetdiagError(f"{trouble}: ssh-keygen did not end") from None
    if done.returncode:
        said = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise FleetdiagError(f"{trouble}: {printable(said)}")
    return done.stdout
