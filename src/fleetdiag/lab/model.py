# SPDX-License-Identifier: GPL-3.0-or-later
"""A running lab as a value: its inventory, machines and keys."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.lab import (
    ssh,
)
from fleetdiag.lab.keys import Keys
from fleetdiag.lab.processes import Process


@dataclass(frozen=True)
class Lab:
    """A running lab: `machines` {name: process}, the builder among them."""

    inventory: Path
    machines: dict[str, Process]
    keys: Keys

    def ssh(self, name: str, script: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a shell script as root on one machine, over the connection of the script before."""
        return ssh.run(self.keys, self.port(name), "root", script, timeout_s, shared=True)

    def ssh_command(self, name: str, words: list[str], *, shared: bool = False) -> list[str]:
        """Return the ssh command line to one machine, as root. shared: over the connection that `ssh` takes."""
        return ssh.command(self.keys, self.port(name), "root", words, shared=shared)

    def port(self, name: str, service: str = "ssh") -> int:
        """Return the port of 127.0.0.1 behind which `service` ("ssh", "http") of a machine answers."""
        try:
            return self.machines[name].ports[service]
        except KeyError:
            known = ", ".join(sorted(self.machines)) or "none"
            raise FleetdiagError(
                f"no machine {name} with {service} runs in the lab (running: {known})"
            ) from None
