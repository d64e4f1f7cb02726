# SPDX-License-Identifier: GPL-3.0-or-later
"""LVS as a driver, through ipvsadm: the kernel of the balancer is the one balancer, its socket is called `lvs`.

A backend is a virtual service (`tcp 10.0.0.1:80`), a server a real one (`10.0.0.2:80`). LVS knows no configured weight:
the present one stands for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import programs
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers.policy import (
    BalancerError,
    GoneError,
    Server,
    label_of,
)

KIND = "lvs"
SOCKET = "lvs"
UNIT = "fleetdiag-lvs-"
NAME = re.compile(r"[A-Za-z0-9.:\[\]% _-]{1,128}")
NAME_RULE = "a name in LVS; use 10.0.0.2:80 for a server, tcp 10.0.0.1:80 for a service"
MAX_WEIGHT = 65535
_SERVICES = {"-t": "tcp", "-u": "udp", "--sctp-service": "sctp", "-f": "fwmark"}
_LISTED = {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp", "FWM": "fwmark"}
_ACTIVE, _TOTAL = 4, 2  # columns of the listings


def ipvsadm(*arguments: str) -> str:
    """Return what ipvsadm prints. Raises BalancerError where it cannot be run or refuses."""
    try:
        done = programs.run("ipvsadm", *arguments)
    except OSError as error:
        raise BalancerError(
            f"ipvsadm cannot be run ({error.strerror}); install it on the balancer"
        ) from error
    if done.returncode:
        raise BalancerError(f"ipvsadm {' '.join(arguments)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def _rules() -> list[tuple[str, str, list[str]]]:
    """Return (backend, server, its rule as ipvsadm saves it) of every real server."""
    found = []
    for line in ipvsadm("-Sn").splitlines():
        words = line.split()
        if words[:1] == ["-a"] and words[1] in _SERVICES:
            found.append((f"{_SERVICES[words[1]]} {words[2]}", words[words.index("-r") + 1], words[1:]))
    return found


def _weight(rule: list[str]) -> int:
    return int(rule[rule.index("-w") + 1])


def _rule(backend: str, server: str) -> list[str]:
    """Return the rule of one server. Raises GoneError where there is none."""
    for its_backend, its_name, rule in _rules():
        if (its_backend, its_name) == (backend, server):
            return rule
    raise GoneError(f"{label_of(SOCKET, backend, server)}: No such server. Name one of this balancer")


def servers(path: str = SOCKET) -> list[Server]:
    """Return every real server of every service."""
    current = sessions(path)
    return [
        Server(
            socket=path,
            backend=backend,
            name=name,
            weight=_weight(rule),
            initial=_weight(rule),
            sessions=current.get(label_of(path, backend, name), 0),
            active=_weight(rule) > 0,
        )
        for backend, name, rule in _rules()
    ]


def read_weight(_path: str, backend: str, server: str) -> int:
    """Return the present weight. Raises GoneError where there is no such server."""
    return _weight(_rule(backend, server))


def set_weight(_path: str, backend: str, server: str, weight: int) -> None:
    """Set a weight and leave the rest of the rule as it is."""
    rule = _rule(backend, server)
    rule[rule.index("-w") + 1] = str(weight)
    ipvsadm("-e", *rule)


def sessions(path: str = SOCKET) -> dict[str, int]:
    """Return the active connections of each server by its label."""
    return _listed(path, _ACTIVE)


def statistics(path: str = SOCKET, backends: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Return what is counted of each server of these services; of all when none is named.

    Keys: socket, backend, server, weight, current (active connections now), total (connections so far).
    """
    wanted = tuple(backends)
    totals = _listed(path, _TOTAL, "--stats")
    return [
        {
            "socket": path,
            "backend": one.backend,
            "server": one.name,
            "weight": one.weight,
            "current": one.sessions,
            "total": totals.get(one.label, 0),
        }
        for one in servers(path)
        if not wanted or one.backend in wanted
    ]


def _listed(path: str, column: int, *options: str) -> dict[str, int]:
    """Return a column of the listing, by label."""
    found: dict[str, int] = {}
    backend = ""
    for line in ipvsadm("-Ln", "--exact", *options).splitlines():
        words = line.split()
        if words[:1] == ["->"] and backend and words[1:2] != ["RemoteAddress:Port"]:
            found[label_of(path, backend, words[1])] = int(words[column])
        elif words[:1] and words[0] in _LISTED:
            backend = f"{_LISTED[words[0]]} {words[1]}"
    return found
