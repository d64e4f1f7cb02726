# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy as a driver, through its admin sockets."""

from __future__ import annotations

import csv
import re
import socket
import time
from collections.abc import Iterable
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers.policy import (
    BalancerError,
    GoneError,
    Server,
    WeightlessError,
    label_of,
)

KIND = "haproxy"
UNIT = "fleetdiag-weights-"
NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
NAME_RULE = "a name in HAProxy; use letters, digits and _.:-"
MAX_WEIGHT = 256
MAX_ANSWER = 64 * 1024 * 1024
COUNTED = {
    "total": "stot",
    "no_connection": "econ",
    "bad_response": "eresp",
    "retried": "wretr",
    "redispatched": "wredis",
    "http_5xx": "hrsp_5xx",
}
"""What HAProxy counts, by the names it has in the run directory; all since HAProxy started."""

_TIMEOUT_S = 5  # for the whole answer to one command
_STATIC = "static LB algorithm"
# Those of `balance` that take no weight but 0; whether a hash does depends on its `hash-type`.
_WEIGHTLESS = ("static-rr", "first")
_BACKEND, _SERVER = "1", "2"  # the column `type` of `show stat`
_GONE = ("No such server.", "No such backend.")


def ask(path: str, command: str) -> str:
    """Return the answer of HAProxy to one command. Raises BalancerError where it cannot be asked."""
    if re.search(r"[;\n\r\\]", command):
        raise BalancerError(f"{path}: {command!r} is more than one command; nothing was sent")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
            deadline = time.monotonic() + _TIMEOUT_S
            stream.settimeout(_TIMEOUT_S)
            stream.connect(path)
            stream.sendall(command.encode() + b"\n")
            parts, size = [], 0
            while size <= MAX_ANSWER and (part := stream.recv(65536)):
                parts.append(part)
                size += len(part)
                if time.monotonic() >= deadline:
                    raise TimeoutError("timed out in the middle of an answer")
                stream.settimeout(deadline - time.monotonic() + 0.01)
    except OSError as error:
        why = error.strerror or str(error)
        raise BalancerError(
            f"{path}: {why}; name an admin socket of a running HAProxy (stats socket ... level admin)"
        ) from error
    return b"".join(parts).decode("utf-8", "backslashreplace").strip()


def read_weight(path: str, backend: str, server: str) -> int:
    """Return the present weight. Raises GoneError where there is no such server."""
    return _weights(path, backend, server)[0]


def _weights(path: str, backend: str, server: str) -> tuple[int, int]:
    """Return the present and the configured weight."""
    answer = ask(path, f"get weight {backend}/{server}")
    found = re.fullmatch(r"(\d+) \(initial (\d+)\)", answer)
    if answer in _GONE:
        raise GoneError(f"{path}: {backend}/{server}: {answer} Name a server of this balancer")
    if not found:
        raise BalancerError(
            f"{path}: {backend}/{server}: {answer or 'no answer'}; name a server of this balancer"
        )
    return int(found[1]), int(found[2])


def set_weight(path: str, backend: str, server: str, weight: int) -> None:
    """Set a weight. Raises BalancerError where HAProxy refuses."""
    answer = ask(path, f"set weight {backend}/{server} {weight}")
    if _STATIC in answer:
        raise WeightlessError(
            f"{path}: {backend}/{server}: {answer}; use a dynamic algorithm such as roundrobin"
        )
    if answer:
        raise BalancerError(f"{path}: {backend}/{server}: {answer}; nothing was changed")


def servers(path: str) -> list[Server]:
    """Return all servers of one balancer, of all its backends."""
    found = []
    rows = _show_stat(path)
    algorithms = {row["pxname"]: row.get("algo") or "" for row in rows if row["type"] == _BACKEND}
    for row in rows:
        if row["type"] != _SERVER:
            continue
        try:
            weight, initial = _weights(path, row["pxname"], row["svname"])
        except GoneError:
            continue
        up = row["status"].startswith("UP") or row["status"] == "no check"
        found.append(
            Server(
                socket=path,
                backend=row["pxname"],
                name=row["svname"],
                weight=weight,
                initial=initial,
                sessions=_count(row, "scur"),
                active=up and weight > 0 and row.get("act") != "0",
                weightless=_why_weightless(algorithms.get(row["pxname"], "")),
                agent=bool(row.get("agent_status")),
            )
        )
    return found


def _why_weightless(algorithm: str) -> str:
    if algorithm not in _WEIGHTLESS:
        return ""
    return f"balance {algorithm} of its backend knows no weights; use a dynamic algorithm such as roundrobin"


def sessions(path: str) -> dict[str, int]:
    """Return the current sessions of each server by its label."""
    return {
        label_of(path, row["pxname"], row["svname"]): _count(row, "scur")
        for row in _show_stat(path)
        if row["type"] == _SERVER
    }


def statistics(path: str, backends: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Return what is counted: a dict for each server, and with `server` empty one for each backend as a whole.

    backends: only these; all when empty. Keys: socket, backend, server, mode, status, weight, initial, current
    (sessions now) and those of COUNTED. A server's weight is None where it is not known.
    """
    wanted = tuple(backends)
    found = []
    for row in _show_stat(path):
        if row["type"] not in (_SERVER, _BACKEND) or (wanted and row["pxname"] not in wanted):
            continue
        one: dict[str, Any] = {"socket": path, "backend": row["pxname"], "server": row["svname"]}
        one.update(mode=row.get("mode") or "", status=row["status"], weight=None, initial=None)
        if row["type"] == _BACKEND:
            one["server"] = ""
        else:
            try:
                one["weight"], one["initial"] = _weights(path, row["pxname"], row["svname"])
            except GoneError:
                continue
        one["current"] = _count(row, "scur")
        one.update({ours: _count(row, theirs) for ours, theirs in COUNTED.items()})
        found.append(one)
    return found


def _show_stat(path: str) -> list[dict[str, str]]:
    """Return the rows of `show stat` whose names can be used in a command."""
    answer = ask(path, "show stat")
    if not answer.startswith("# pxname"):
        raise BalancerError(f"{path}: {answer[:200] or 'no answer'}; the socket needs level admin")
    # Texts of probed hosts are in it (agent-check): a line ends at a newline only, and one that cannot be read is none.
    head, *lines = answer[2:].split("\n")
    heads = head.split(",")
    found = []
    for line in lines:
        try:
            cells = next(csv.reader([line]), [])
        except csv.Error:
            continue
        if len(cells) != len(heads):
            continue
        row = dict(zip(heads, cells))  # noqa: B905 -- a balancer's Python may be older than strict=
        if NAME.fullmatch(row["svname"]) and NAME.fullmatch(row["pxname"]):
            found.append(row)
    return found


def _count(row: dict[str, str], column: str) -> int:
    """Return the figure in a column; 0 where there is none."""
    text = row.get(column) or ""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else 0
