# SPDX-License-Identifier: GPL-3.0-or-later
"""A second way into a machine of the lab, for who takes away the first: its sshd, as a cut network would."""

from __future__ import annotations

import subprocess

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.lab import ssh
from fleetdiag.lab.model import Lab

#: A port of the machine that is forwarded here, and its own while no workload runs.
_SERVICE, _PORT = "http", 80
_UNIT = "lab-back-door"
_OPEN = f"""
systemctl stop apache2.service 2>/dev/null
systemctl is-active -q {_UNIT} || systemd-run -q --collect --unit={_UNIT} -p KillMode=process \
    /usr/sbin/sshd -D -p {_PORT} -o PidFile=none
"""
# Whoever is connected is cut off; whoever comes is refused at once, so that nobody waits for a time limit of ssh. The
# directory goes with ssh.service, and without it no sshd lets anybody in.
_CUT = (
    "systemctl stop ssh.socket ssh.service 2>/dev/null; mkdir -p /run/sshd; ss -HK 'sport = :22' >/dev/null"
)


def cut(lab: Lab, name: str) -> None:
    """Take the machine from the network: nobody reaches it through its ssh port until `mend`."""
    _checked(name, lab.ssh(name, _OPEN))
    if not ssh.wait_for_banner(lab.port(name, _SERVICE), 60, lambda: True):
        raise FleetdiagError(f"{name}: no sshd answers on port {_PORT}, so its network is not cut")
    _checked(name, through(lab, name, _CUT))


def mend(lab: Lab, name: str) -> None:
    """Give the machine back to the network."""
    _checked(name, through(lab, name, "systemctl start ssh.service"))
    if not ssh.wait_for_banner(lab.port(name), 60, lambda: True):
        raise FleetdiagError(f"{name}: its sshd does not answer again")
    lab.ssh(name, f"systemctl stop {_UNIT}")


def through(lab: Lab, name: str, script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script as root on a machine that is cut off."""
    return ssh.run(lab.keys, lab.port(name, _SERVICE), "root", script)


def _checked(name: str, done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        raise FleetdiagError(f"{name}: status {done.returncode}: {done.stderr.strip()[-300:]}")
