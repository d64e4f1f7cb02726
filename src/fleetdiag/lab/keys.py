# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own ssh keys: one for the client, one for all its machines."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

#: All machines share a host key, so one known_hosts line under this alias serves every port.
HOST_ALIAS = "fleetdiag-lab"


@dataclass(frozen=True)
class Keys:
    """Paths of the private keys; the public ones lie beside them with `.pub`."""

    folder: Path

    @property
    def client(self) -> Path:
        return self.folder / "client"

    @property
    def host(self) -> Path:
        return self.folder / "host"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"


def ensure(cache: Path) -> Keys:
    """Return the keys in the cache, made once; they are baked into the images."""
    keys = Keys(cache / "keys")
    keys.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in (keys.client, keys.host):
        if path.exists() and path.with_suffix(".pub").exists():
            continue
        unfinished = path.with_name(path.name + ".new")
        for leftover in (unfinished, unfinished.with_name(unfinished.name + ".pub")):
            leftover.unlink(missing_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", HOST_ALIAS, "-f", str(unfinished)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        os.replace(f"{unfinished}.pub", path.with_suffix(".pub"))
        os.replace(unfinished, path)
    public = keys.host.with_suffix(".pub").read_text().split()
    keys.known_hosts.write_text(f"{HOST_ALIAS} {public[0]} {public[1]}\n")
    return keys


def options(keys: Keys) -> list[str]:
    """Return ssh options that use the lab's keys and nothing of the user's own configuration."""
    values = {
        "HostKeyAlias": HOST_ALIAS,
        "UserKnownHostsFile": str(keys.known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
        "ConnectTimeout": "150",
    }
    return [part for name, value in values.items() for part in ("-o", f"{name}={value}")]
