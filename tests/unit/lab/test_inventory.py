# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

from fleetdiag.lab import inventory
from fleetdiag.lab.keys import Keys

PORTS = {"builder": 1001, "web1": 1002, "web3": 1003, "old1": 1004}


def test_groups_and_ports(tmp_path: Path) -> None:
    data = yaml.safe_load(inventory.render(PORTS, Keys(tmp_path), with_ghost=True))
    children = data["all"]["children"]
    assert set(children["web"]["hosts"]) == {"web1", "web3", "ghost"}
    assert set(children["old"]["hosts"]) == {"old1"}
    assert children["systemtap_builders"]["hosts"] == {"builder": {"ansible_port": 1001}}
    assert children["web"]["hosts"]["web1"] == {"ansible_port": 1002}


def test_only_what_runs(tmp_path: Path) -> None:
    data = yaml.safe_load(inventory.render({"web1": 1}, Keys(tmp_path)))
    assert list(data["all"]["children"]) == ["web"]


def test_ansible_reads_it(tmp_path: Path) -> None:
    path = inventory.write(
        tmp_path / "state" / "inventory.yml", inventory.render(PORTS, Keys(tmp_path / "a b"))
    )
    command = [sys.executable, "-m", "ansible.cli.inventory", "-i", str(path), "--list"]
    environment = {**os.environ, "ANSIBLE_HOME": str(tmp_path / "home"), "ANSIBLE_CALLBACKS_ENABLED": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    hosts = json.loads(done.stdout)["_meta"]["hostvars"]
    assert hosts["web1"]["ansible_user"] == "fleet"
    assert hosts["web1"]["ansible_become"] is True
    assert hosts["web1"]["ansible_timeout"] >= 120  # slower than Ansible's 10 s when the processor is busy
    assert "ConnectTimeout=150" in hosts["web1"]["ansible_ssh_common_args"]
    assert hosts["builder"]["ansible_user"] == "root"
    assert hosts["builder"]["ansible_become"] is False
    assert "'UserKnownHostsFile=" in hosts["web1"]["ansible_ssh_common_args"]


def test_balancers_are_where_the_role_drain_looks_for_them(tmp_path: Path) -> None:
    ports = {"www1": 1, "nfs1": 2, "lb1": 3}
    children = yaml.safe_load(inventory.render(ports, Keys(tmp_path)))["all"]["children"]
    assert {name: set(group["hosts"]) for name, group in children.items()} == {
        "web": {"www1"},
        "nfs": {"nfs1"},
        "load_balancers": {"lb1"},
    }
    roles = Path(__file__).parents[3] / "collection" / "roles"
    defaults = yaml.safe_load((roles / "drain" / "defaults" / "main.yml").read_text())
    assert defaults["drain_balancer_group"] in children
    sockets = children["load_balancers"]["vars"]["drain_sockets"]
    assert sockets == ["/run/haproxy/lb_a.sock", "/run/haproxy/lb_b.sock"]
