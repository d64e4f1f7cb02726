# SPDX-License-Identifier: GPL-3.0-or-later
"""A load balancer of web machines on one of them, for sweeps that lower weights while it goes wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.lab import machines_data
from fleetdiag.lab.model import Lab

_UNIT = "lab-balancer"
_FILES = f"/run/{_UNIT}"
_SOCKET = f"{_FILES}.sock"
_WEIGHT = 100
_BACKEND = "web"
# Nobody has to answer: servers that are not checked count as there.
_CONFIG = f"""\
global
    stats socket {_SOCKET} mode 600 level admin
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
frontend site
    bind 127.0.0.1:8099
    default_backend {_BACKEND}
backend {_BACKEND}
    balance roundrobin
"""
# The fields of `show servers state`: backend is the second, server the fourth, its weight now the eighth.
_ASK = f"""
import socket
asked = socket.socket(socket.AF_UNIX)
asked.settimeout(10)
asked.connect("{_SOCKET}")
asked.sendall(b"show servers state {_BACKEND}\\n")
for line in asked.makefile():
    words = line.split()
    if len(words) > 8 and words[1] == "{_BACKEND}" and words[7] != "{_WEIGHT}":
        print("weight", words[7], "of", words[3], sep="_")
"""
#: A shell script that prints a word for each server whose weight is lowered, and for each record and timer of that.
LOWERED = (
    f"[ ! -S {_SOCKET} ] || python3 -c '{_ASK}' || echo balancer_asked_in_vain;"
    "ls /run/fleetdiag/haproxy 2>/dev/null;"
    "systemctl list-units --all --plain --no-legend 'fleetdiag-weights-*' | cut -d' ' -f1"
)


def start(lab: Lab, name: str, hosts: Sequence[str], folder: Path) -> Path:
    """Start HAProxy on a machine, with a server for each of the hosts; return an inventory that names it."""
    servers = "".join(f"    server {host} 127.0.0.1:8098 weight {_WEIGHT}\n" for host in hosts)
    done = lab.ssh(
        name,
        f"cat >{_FILES}.cfg <<'END'\n{_CONFIG}{servers}END\n"
        f"systemd-run -q --collect --unit={_UNIT} haproxy -W -f {_FILES}.cfg;"
        f"for i in $(seq 100); do [ ! -S {_SOCKET} ] || exit 0; sleep 0.2; done; exit 1",
    )
    if done.returncode:
        raise FleetdiagError(f"{name}: HAProxy does not start: {done.stderr.strip()[-300:]}")
    inventory = folder / "balancer.json"
    group = {"hosts": {name: {"drain_sockets": [_SOCKET]}}}
    inventory.write_text(json.dumps({"all": {"children": {machines_data.BALANCERS: group}}}))
    return inventory


def hold(lab: Lab, name: str) -> None:
    """Let HAProxy answer nobody, as one that hangs, until `go_on`."""
    lab.ssh(name, f"systemctl kill --signal=STOP {_UNIT}")


def go_on(lab: Lab, name: str) -> None:
    """Let HAProxy answer again."""
    lab.ssh(name, f"systemctl kill --signal=CONT {_UNIT}")


def end(lab: Lab, name: str) -> None:
    """Remove HAProxy from the machine."""
    lab.ssh(name, f"systemctl stop {_UNIT}; rm -f {_FILES}.*")
