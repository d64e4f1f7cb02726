# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as an Ansible inventory."""

from __future__ import annotations

import shlex
from pathlib import Path

import yaml

from fleetdiag.lab import keys as lab_keys
from fleetdiag.lab import machines_data
from fleetdiag.lab.keys import Keys

GHOST = "ghost"
#: Nothing listens on the discard port of a loopback address: connections are refused at once.
_GHOST_PORT = 9


def render(ports: dict[str, int], keys: Keys, with_ghost: bool = False) -> str:
    """Return YAML for the machines `ports` {name: ssh port on 127.0.0.1}; the ghost is a web host nobody reaches."""
    machines = machines_data.MACHINES.values()
    groups: dict[str, dict[str, dict[str, object]]] = {
        **{machine.group: {} for machine in machines},
        "systemtap_builders": {},
    }
    for name, port in sorted(ports.items()):
        group = "systemtap_builders" if name == machines_data.BUILDER else machines_data.MACHINES[name].group
        groups[group][name] = {"ansible_port": port}
    if with_ghost:
        groups["web"][GHOST] = {"ansible_port": _GHOST_PORT}
    children: dict[str, dict[str, object]] = {
        group: {"hosts": hosts} for group, hosts in groups.items() if hosts
    }
    if "systemtap_builders" in children:
        children["systemtap_builders"]["vars"] = {"ansible_user": "root", "ansible_become": False}
    if machines_data.BALANCERS in children:
        # Where the role `drain` finds them.
        sockets = [
            f"{machines_data.BALANCER_SOCKETS}/{name}.sock" for name, _ in machines_data.SITE_BALANCERS
        ]
        children[machines_data.BALANCERS]["vars"] = {"drain_sockets": sockets}
    common = {
        "ansible_host": "127.0.0.1",
        "ansible_user": "fleet",
        "ansible_become": True,
        "ansible_python_interpreter": "/usr/bin/python3",
        # A login can take a minute on emulated machines that share a busy processor.
        "ansible_timeout": 150,
        # A handler costs many more cycles on an emulated machine, where nothing but the demonstration suffers from it.
        "sweep_overload_percent": 100,
        "ansible_ssh_private_key_file": str(keys.client),
        # For ssh, sftp and scp alike.
        "ansible_ssh_common_args": shlex.join(["-F", "/dev/null", *lab_keys.options(keys)]),
    }
    return yaml.safe_dump({"all": {"vars": common, "children": children}}, sort_keys=False, width=1000)


def write(path: Path, text: str) -> Path:
    """Write the inventory in one step; readers never see half of it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = path.with_suffix(".new")
    unfinished.write_text(text)
    unfinished.replace(path)
    return path
