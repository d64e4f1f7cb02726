# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights and sessions on machines of the lab: web2 is the balancer, HAProxy and systemd there are the real ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sweeps import ENVIRONMENT, ROOT, fleetdiag, newest, wait_until

from fleetdiag.lab.model import Lab

pytestmark = [pytest.mark.lab, pytest.mark.long("minutes for each test")]

LB = "web2"
SOCKET = "/run/fleetdiag-test.sock"
CONFIG = f"""
global
    stats socket {SOCKET} mode 600 level admin
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
frontend site
    bind 127.0.0.1:8099
    default_backend web
backend web
    balance roundrobin
    server web1 127.0.0.1:8098 weight 100
    server web2 127.0.0.1:8098 weight 100
"""
LOWER = """
- hosts: localhost
  gather_facts: false
  roles:
    - role: fleetdiag.systemtap.drain
      vars: {drain_state: lowered, drain_token: look}
"""


class Balancer:
    """HAProxy on one machine, started for a test; and an inventory in which that machine is a balancer."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.inventory = folder / "hosts.yml"
        hosts = yaml.safe_load(lab.inventory.read_text())
        local = {"ansible_connection": "local", "ansible_become": False}
        hosts["all"]["hosts"] = {"localhost": {**local, "ansible_python_interpreter": sys.executable}}
        hosts["all"]["children"]["load_balancers"] = {"hosts": {LB: {"drain_sockets": [SOCKET]}}}
        self.inventory.write_text(yaml.safe_dump(hosts))
        lab.ssh(LB, f"cat >/run/fleetdiag-test.cfg <<'END'\n{CONFIG}\nEND\n")
        lab.ssh(
            LB,
            "systemctl reset-failed fleetdiag-test-haproxy 2>/dev/null; systemd-run --quiet"
            " --unit=fleetdiag-test-haproxy haproxy -W -f /run/fleetdiag-test.cfg",
        )
        wait_until(lambda: self.weight("web1") == 100, "HAProxy answers", 60)

    def ask(self, command: str) -> str:
        program = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({SOCKET!r});"
        program += f" s.sendall({command!r}.encode() + bytes([10])); print(s.makefile().read())"
        return self.lab.ssh(LB, f'python3 -c "{program}"').stdout

    def weight(self, server: str) -> int:
        answer = self.ask(f"get weight web/{server}").split()
        return int(answer[0]) if answer else -1

    def playbook(self, folder: Path, **variables: Any) -> list[str]:
        variables.setdefault("drain_servers", ["web1"])
        (folder / "play.yml").write_text(LOWER)
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        return [program, "-i", str(self.inventory), str(folder / "play.yml"), "-e", json.dumps(variables)]

    def end(self) -> None:
        self.lab.ssh(LB, "systemctl stop fleetdiag-test-haproxy; rm -f /run/fleetdiag-test.*")


@pytest.fixture
def balancer(lab: Lab, tmp_path: Path) -> Iterator[Balancer]:
    one = Balancer(lab, tmp_path)
    yield one
    fleetdiag("abort", "-i", str(one.inventory), "-l", LB)
    one.end()
    assert lab.ssh(LB, "ls /run/fleetdiag/haproxy").stdout == ""


def test_h1_systemd_gives_the_weight_back_after_the_controller_was_killed(
    balancer: Balancer, tmp_path: Path
) -> None:
    """The controller dies while it waits for the sessions to fall: a session that never ends is open."""
    hold = 'python3 -c \'import socket, time; c = socket.create_connection(("127.0.0.1", 8099));'
    hold += ' c.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"); time.sleep(600)\''
    deaf = (
        "python3 -c 'import socket, time; s = socket.create_server((\"127.0.0.1\", 8098)); time.sleep(600)'"
    )
    balancer.lab.ssh(
        LB,
        f"systemd-run --quiet --unit=fleetdiag-test-deaf {deaf}; sleep 2; for n in 1 2; do"
        f" systemd-run --quiet --unit=fleetdiag-test-client$n {hold}; done",
    )
    try:
        command = balancer.playbook(tmp_path, drain_weight="0%", drain_floor=0, drain_ttl=60, drain_wait=600)
        controller = subprocess.Popen(
            command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, start_new_session=True
        )
        wait_until(lambda: balancer.weight("web1") == 0, "the weight is lowered", 300)
        os.killpg(controller.pid, signal.SIGKILL)
        controller.wait()
        assert "fleetdiag-weights-look.timer" in balancer.lab.ssh(LB, "systemctl list-timers --all").stdout
        wait_until(lambda: balancer.weight("web1") == 100, "systemd's timer gave it back", 120)
    finally:
        balancer.lab.ssh(LB, "systemctl stop 'fleetdiag-test-client*' fleetdiag-test-deaf")


def test_abort_ends_sessions_and_gives_weights_back_and_may_be_repeated(
    balancer: Balancer, tmp_path: Path, catalog: Path
) -> None:
    runs = tmp_path / "runs"
    asked = ["-l", "web1", "--window", "300s", "--catalog", str(catalog), "--probe", "tick"]
    subprocess.run(
        balancer.playbook(tmp_path, drain_ttl=900, drain_wait=0),
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    assert balancer.weight("web1") == 50
    watching = subprocess.Popen(
        [
            *(sys.executable, "-m", "fleetdiag", "sweep", "-i", str(balancer.lab.inventory)),
            *("--runs-dir", str(runs), *asked),
        ],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: runs.exists() and (newest(runs) / "window.json").exists(), "it watches", 600)
        ended = fleetdiag("abort", "-i", str(balancer.inventory), "-l", f"web1,{LB}")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "web1  ended: 1 module unloaded, of 1 sweep" in ended.stdout
        assert f"web2  weights given back: {SOCKET}: web/web1 100" in ended.stdout
    finally:
        watching.send_signal(signal.SIGINT)
        watching.wait(60)
    assert balancer.weight("web1") == 100
    assert "fd_" not in balancer.lab.ssh("web1", "cat /proc/modules").stdout
    spool = f"/var/lib/fleetdiag/sweeps/{newest(runs).name}"
    assert "out" in balancer.lab.ssh("web1", f"ls {spool}/tick; rm -rf {spool}").stdout, (
        "what was sampled stays"
    )
    again = fleetdiag("abort", "-i", str(balancer.inventory), "-l", f"web1,{LB}")
    assert again.returncode == 0
    assert again.stdout.count("nothing was running") == 2


# --- LVS, which is in the kernel of the same machine

SERVICE, REAL, OTHER = "10.99.0.1:80", "10.99.0.2:80", "10.99.0.3:80"


@pytest.fixture
def service(balancer: Balancer) -> Iterator[Balancer]:
    """A virtual service with two real servers, of weight 100 each."""
    add = "".join(f"ipvsadm -a -t {SERVICE} -r {real} -m -w 100;" for real in (REAL, OTHER))
    balancer.lab.ssh(LB, f"set -e; modprobe ip_vs; modprobe ip_vs_wrr; ipvsadm -A -t {SERVICE} -s wrr; {add}")
    yield balancer
    balancer.lab.ssh(LB, f"ipvsadm -D -t {SERVICE}; rmdir /run/fleetdiag/lvs")


def lvs_weight(balancer: Balancer, real: str) -> int:
    for line in balancer.lab.ssh(LB, "ipvsadm -Sn").stdout.splitlines():
        words = line.split()
        if words[0] == "-a" and real in words:
            return int(words[words.index("-w") + 1])
    return -1


def test_lvs_lowers_gives_back_by_abort_and_by_its_own_timer(service: Balancer, tmp_path: Path) -> None:
    kind = ["-e", json.dumps({"drain_kind": "lvs"})]

    def lower(**variables: Any) -> subprocess.CompletedProcess[str]:
        command = [*service.playbook(tmp_path, drain_wait=0, **variables), *kind]
        return subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)

    done = lower(drain_servers=[REAL], drain_ttl=900)
    assert done.returncode == 0, done.stdout
    assert (lvs_weight(service, REAL), lvs_weight(service, OTHER)) == (50, 100)
    ended = fleetdiag("abort", "-i", str(service.inventory), "-l", LB, *kind)
    assert f"weights given back: lvs: tcp {SERVICE}/{REAL} 100" in ended.stdout, ended.stdout
    assert lvs_weight(service, REAL) == 100

    refused = lower(drain_servers=[REAL, OTHER], drain_ttl=900)
    assert refused.returncode != 0
    assert "only 0 other active servers would be left at full weight" in refused.stdout
    assert (lvs_weight(service, REAL), lvs_weight(service, OTHER)) == (100, 100)

    done = lower(drain_servers=[REAL], drain_ttl=5)
    assert done.returncode == 0, done.stdout
    wait_until(lambda: lvs_weight(service, REAL) == 100, "systemd's timer gave it back", 120)
    assert service.lab.ssh(LB, "ls /run/fleetdiag/lvs").stdout == ""
