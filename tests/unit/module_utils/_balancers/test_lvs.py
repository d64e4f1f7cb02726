# SPDX-License-Identifier: GPL-3.0-or-later
"""What ipvsadm prints, read as servers, weights and counts. test_lvs of integration changes weights."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import lvs
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers.policy import (
    BalancerError,
    GoneError,
)

RULES = """\
-A -t 10.0.0.1:80 -s wrr
-a -t 10.0.0.1:80 -r 10.0.0.2:80 -m -w 100
-a -t 10.0.0.1:80 -r [fd00::2]:80 -g -w 0
-A -f 5 -s wlc
-a -f 5 -r 10.0.0.2:0 -i -w 7 --tun-type ipip
"""
LISTED = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.0.0.1:80 wrr
  -> 10.0.0.2:80                  Masq    100    3          9
  -> [fd00::2]:80                 Route   0      0          0
FWM  5 wlc
  -> 10.0.0.2:0                   Tunnel  7      2          0
"""
STATS = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  10.0.0.1:80                       120      900      800    90000    80000
  -> 10.0.0.2:80                       120      900      800    90000    80000
  -> [fd00::2]:80                        0        0        0        0        0
FWM  5                                  11       20       30       40       50
  -> 10.0.0.2:0                         11       20       30       40       50
"""
PROGRAM = """#!/bin/sh
echo "$*" >>CALLS
case "$*" in -Sn) cat RULES ;; *--stats*) cat STATS ;; -Ln*) cat LISTED ;; esac
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the stand-in for ipvsadm was asked."""
    text = PROGRAM.replace("CALLS", str(tmp_path / "calls"))
    for name, printed in (("RULES", RULES), ("STATS", STATS), ("LISTED", LISTED)):
        (tmp_path / name).write_text(printed)
        text = text.replace(name, str(tmp_path / name))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ipvsadm").write_text(text)
    (tmp_path / "bin" / "ipvsadm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    return tmp_path / "calls"


@pytest.mark.usefixtures("calls")
def test_every_real_server_of_every_service_is_one() -> None:
    first, idle, marked = lvs.servers()
    assert (first.label, first.weight, first.sessions, first.active) == (
        "lvs: tcp 10.0.0.1:80/10.0.0.2:80",
        100,
        3,
        True,
    )
    assert (idle.name, idle.active) == ("[fd00::2]:80", False)
    assert (marked.backend, marked.weight, marked.sessions) == ("fwmark 5", 7, 2)
    assert all(lvs.NAME.fullmatch(name) for one in (first, idle, marked) for name in (one.name, one.backend))


def test_the_rest_of_a_rule_stays_as_it_is_now(calls: Path) -> None:
    lvs.set_weight(lvs.SOCKET, "fwmark 5", "10.0.0.2:0", 3)
    assert calls.read_text().splitlines() == ["-Sn", "-e -f 5 -r 10.0.0.2:0 -i -w 3 --tun-type ipip"]


@pytest.mark.usefixtures("calls")
def test_a_server_that_is_gone_is_said_to_be() -> None:
    with pytest.raises(GoneError, match=re.escape("lvs: tcp 10.0.0.1:80/10.0.0.9:80: No such server")):
        lvs.read_weight(lvs.SOCKET, "tcp 10.0.0.1:80", "10.0.0.9:80")


@pytest.mark.usefixtures("calls")
def test_the_module_tells_what_was_counted() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ansible_collections.fleetdiag.systemtap.plugins.modules.lvs_info"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": {"backends": ["tcp 10.0.0.1:80"]}}),
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    first, second = json.loads(done.stdout)["servers"]
    assert first == {
        "socket": "lvs",
        "backend": "tcp 10.0.0.1:80",
        "server": "10.0.0.2:80",
        "weight": 100,
        "current": 3,
        "total": 120,
    }
    assert (second["server"], second["total"]) == ("[fd00::2]:80", 0)


def test_without_ipvsadm_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BalancerError, match=r"ipvsadm cannot be run \(.*\); install it on the balancer"):
        lvs.servers()
