# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights of HAProxy's servers through its admin sockets: lowered with a record, and given back by it.

Standard library only and complete in itself: the module leaves a copy of this very file beside its record, and a
timer of the balancer runs that copy (`python3 haproxy.py RECORD`), whatever became of the controller.

A record is a JSON file: {"token", "entries": [{"socket", "backend", "server", "before", "set"}]}. Restoring is
compare-and-swap: a weight that is no longer the one we set belongs to somebody else and is left alone. A weight that
could not be asked for or set is owed: it stays in the record, and the timer's program tries until none is.
"""

from __future__ import annotations

import csv
import fcntl
import json
import math
import os
import re
import socket
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace

NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
WEIGHT = re.compile(r"([0-9]{1,3})(%?)")
MAX_WEIGHT = 256
MAX_ANSWER = 64 * 1024 * 1024
RETRY_S = 5
_TIMEOUT_S = 5  # for the whole answer to one command
_STATIC = "static LB algorithm"
_WEIGHTLESS = (
    "static-rr",
    "first",
)  # those of `balance` that take no weight but 0; hashes may, as `hash-type` says
_BACKEND, _SERVER = "1", "2"  # the column `type` of `show stat`
_GONE = ("No such server.", "No such backend.")


class HaproxyError(Exception):
    """One sentence: what, where, what to do."""


class GoneError(HaproxyError):
    """HAProxy answers that it has no such server."""


class StaticError(HaproxyError):
    """HAProxy answers that the algorithm of a backend knows no weights; nothing was changed."""


@dataclass(frozen=True)
class Server:
    """A server as one balancer sees it.

    sessions: current ones. active: it takes its share of new requests. algorithm: that of its backend. lowered_by: the
    token of the change that has lowered it and not given it back yet.
    """

    socket: str
    backend: str
    name: str
    weight: int
    initial: int
    sessions: int
    active: bool
    algorithm: str = ""
    lowered_by: str = ""

    @property
    def label(self):
        return f"{self.socket}: {self.backend}/{self.name}"


@dataclass(frozen=True)
class Entry:
    """One weight to change and to give back."""

    socket: str
    backend: str
    server: str
    before: int
    set: int

    @property
    def label(self):
        return f"{self.socket}: {self.backend}/{self.server}"


@dataclass(frozen=True)
class Given:
    """What became of weights that were to be given back, by label.

    weights: those that are given back. left: why those that are somebody else's were left alone. owed: those that are
    still lowered, as {"weight": what to set, "why"}.
    """

    weights: dict[str, int] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    owed: dict[str, dict[str, object]] = field(default_factory=dict)

    def sentences(self):
        """Say of each weight that is owed which one, why, and what becomes of it."""
        return [
            f"{label}: weight {owed['weight']} is not given back yet: {owed['why']}; the balancer tries again by itself"
            for label, owed in self.owed.items()
        ]


# --- the socket ---


def ask(path, command):
    """The answer of HAProxy to one command. Raises HaproxyError when it cannot be asked."""
    if re.search(r"[;\n\r\\]", command):
        raise HaproxyError(f"{path}: {command!r} is more than one command; nothing was sent")
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
        raise HaproxyError(
            f"{path}: {why}; name an admin socket of a running HAProxy (stats socket ... level admin)"
        ) from error
    return b"".join(parts).decode("utf-8", "backslashreplace").strip()


def read_weight(path, backend, server):
    """(current, configured) weight. Raises HaproxyError if there is no such server."""
    answer = ask(path, f"get weight {backend}/{server}")
    found = re.fullmatch(r"(\d+) \(initial (\d+)\)", answer)
    if answer in _GONE:
        raise GoneError(f"{path}: {backend}/{server}: {answer} Name a server of this balancer")
    if not found:
        raise HaproxyError(
            f"{path}: {backend}/{server}: {answer or 'no answer'}; name a server of this balancer"
        )
    return int(found[1]), int(found[2])


def write_weight(path, backend, server, weight):
    """Set a weight and read it back. Raises HaproxyError when HAProxy refuses."""
    answer = ask(path, f"set weight {backend}/{server} {weight}")
    if answer:
        if _STATIC in answer:
            raise StaticError(
                f"{path}: {backend}/{server}: {answer}; use a dynamic algorithm such as roundrobin"
            )
        raise HaproxyError(f"{path}: {backend}/{server}: {answer}; nothing was changed")
    now, _ = read_weight(path, backend, server)
    if now != weight:
        raise HaproxyError(f"{path}: {backend}/{server}: the weight is {now} after it was set to {weight}")


def servers(path):
    """All servers of one balancer, of all its backends."""
    found = []
    rows = _show_stat(path)
    algorithms = {row["pxname"]: row.get("algo") or "" for row in rows if row["type"] == _BACKEND}
    for row in rows:
        if row["type"] != _SERVER:
            continue
        try:
            weight, initial = read_weight(path, row["pxname"], row["svname"])
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
                algorithm=algorithms.get(row["pxname"], ""),
            )
        )
    return found


# What HAProxy counts, by the names it has in the run directory; all since HAProxy started.
COUNTED = {
    "total": "stot",
    "no_connection": "econ",
    "bad_response": "eresp",
    "retried": "wretr",
    "redispatched": "wredis",
    "http_5xx": "hrsp_5xx",
}


def statistics(path, backends=()):
    """What one balancer counted: a dict for each server, and with `server` empty one for each backend as a whole.

    backends: only these; all when empty. Keys: socket, backend, server, mode, status, weight, initial, current
    (sessions now) and those of COUNTED. A server's weight is None where it is not known.
    """
    found = []
    for row in _show_stat(path):
        if row["type"] not in (_SERVER, _BACKEND) or (backends and row["pxname"] not in backends):
            continue
        one = {"socket": path, "backend": row["pxname"], "server": row["svname"]}
        one.update(mode=row.get("mode") or "", status=row["status"], weight=None, initial=None)
        if row["type"] == _BACKEND:
            one["server"] = ""
        else:
            try:
                one["weight"], one["initial"] = read_weight(path, row["pxname"], row["svname"])
            except GoneError:
                continue
        one["current"] = _count(row, "scur")
        one.update({ours: _count(row, theirs) for ours, theirs in COUNTED.items()})
        found.append(one)
    return found


def _show_stat(path):
    """The rows of `show stat` whose names can be used in a command."""
    answer = ask(path, "show stat")
    if not answer.startswith("# pxname"):
        raise HaproxyError(f"{path}: {answer[:200] or 'no answer'}; the socket needs level admin")
    # Texts of probed hosts are in it (agent-check): a line ends at a newline only, and one that cannot be read is none.
    head, *lines = answer[2:].split("\n")
    heads = head.split(",")
    found = []
    for line in lines:
        try:
            row = dict(zip(heads, next(csv.reader([line]), ()), strict=True))
        except (csv.Error, ValueError):
            continue
        if NAME.fullmatch(row["svname"]) and NAME.fullmatch(row["pxname"]):
            found.append(row)
    return found


def _count(row, column):
    """The figure in a column; 0 where there is none."""
    text = row.get(column) or ""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else 0


# --- what to change: pure ---


def target(wanted, server, floor_percent):
    """The weight to set: `wanted` ("50%" of what it has now, or "10"), never below the floor or above now."""
    found = WEIGHT.fullmatch(wanted)
    if not found or int(found[1]) > (100 if found[2] else MAX_WEIGHT):
        raise HaproxyError(f"weight {wanted!r} is neither 0 to {MAX_WEIGHT} nor 0% to 100%; correct it")
    number = int(found[1])
    weight = math.floor(server.weight * number / 100) if found[2] else number
    floor = math.ceil(max(server.initial, server.weight) * floor_percent / 100)
    if found[2] and number:
        floor = max(floor, 1)  # a share of a weight is not nothing
    return min(server.weight, max(weight, floor))


def plan(known, names, backends, wanted, floor_percent, min_active):
    """The entries that lower the servers `names` of `known`. Raises HaproxyError where that is not safe.

    backends: only these; all that have such a server when empty. min_active: servers that must stay in each
    backend beside those that are lowered.
    """
    chosen = [s for s in known if s.name in names and (not backends or s.backend in backends)]
    for name in names:
        if not any(server.name == name for server in chosen):
            where = f"backend {', '.join(backends)}" if backends else "any backend"
            raise HaproxyError(f"server {name} is not in {where} of this balancer; correct its name")
    entries = []
    for server in chosen:
        if server.lowered_by:
            raise HaproxyError(
                f"{server.label}: the change {server.lowered_by} has lowered it and not given it back yet; wait for"
                " that, or give it back with fleetdiag abort"
            )
        others = [
            other
            for other in known
            if (other.socket, other.backend) == (server.socket, server.backend)
            and other.active
            and not other.lowered_by
            and other.name not in names
        ]
        if server.active and len(others) < min_active:
            raise HaproxyError(
                f"{server.label}: only {len(others)} other active servers would be left at full weight, "
                f"{min_active} are wanted; probe fewer servers at once"
            )
        weight = target(wanted, server, floor_percent)
        if weight and weight < server.weight and server.algorithm in _WEIGHTLESS:
            raise StaticError(
                f"{server.label}: balance {server.algorithm} of its backend knows no weights; use a dynamic algorithm"
                " such as roundrobin"
            )
        if weight < server.weight:
            entries.append(Entry(server.socket, server.backend, server.name, server.weight, weight))
    return entries


def sort_out(known, names, backends, wanted, floor_percent, min_active):
    """Which of `names` can be lowered together: (those that can, {name: why not}, those that no backend has).

    They are taken in the order given, so that of two that cannot be lowered at once the first one is.
    """
    fit, unfit, unknown = [], {}, []
    for name in names:
        own = [s for s in known if s.name == name and (not backends or s.backend in backends)]
        if not own:
            unknown.append(name)
            continue
        try:
            entries = plan(known, [*fit, name], backends, wanted, floor_percent, min_active)
        except HaproxyError as why:
            unfit[name] = str(why)
            continue
        lowered = {entry.label for entry in entries}
        stuck = [server for server in own if server.active and server.label not in lowered]
        if stuck:
            unfit[name] = (
                f"{stuck[0].label}: its weight {stuck[0].weight} cannot be lowered to {wanted} "
                f"above the floor of {floor_percent} %; give servers larger weights"
            )
        else:
            fit.append(name)
    return fit, unfit, unknown


# --- changing and giving back ---


def lower(entries, record, token, *, leave_out=False):
    """Set the weights, all or none; the record is on disk before the first one changes.

    leave_out: a server in a backend whose algorithm knows no weights is left as it is everywhere, and the others are
    lowered. Returns these servers, {name: why}.
    Raises HaproxyError where one is refused. The record then has what could not be taken back, and is gone if that is
    nothing.
    """
    _keep(record, token, entries)
    done, left_out = [], {}
    try:
        for entry in entries:
            if entry.server in left_out:
                continue
            done.append(entry)
            try:
                write_weight(entry.socket, entry.backend, entry.server, entry.set)
            except StaticError as why:
                if not leave_out:
                    raise
                done.pop()
                left_out[entry.server] = str(why)
                _take_back(done, entry.server)
        if left_out:
            _keep(record, token, done)
    except HaproxyError as why:
        given = give_back(done)
        _keep(record, token, [entry for entry in done if entry.label in given.owed])
        raise HaproxyError("; ".join([str(why), *given.sentences()])) from why
    return left_out


def _take_back(done, server):
    """Give back what was lowered of one server, and take it out of what is done."""
    for entry in [entry for entry in done if entry.server == server]:
        write_weight(entry.socket, entry.backend, server, entry.before)
        done.remove(entry)


def give_back(entries):
    """Compare-and-swap every weight."""
    given = Given()
    for entry in entries:
        try:
            now, _ = read_weight(entry.socket, entry.backend, entry.server)
            if now != entry.set:
                given.left[entry.label] = f"its weight is {now}, not the {entry.set} we had set"
                continue
            write_weight(entry.socket, entry.backend, entry.server, entry.before)
            given.weights[entry.label] = entry.before
        except GoneError as why:
            given.left[entry.label] = str(why)
        except HaproxyError as why:
            given.owed[entry.label] = {"weight": entry.before, "why": str(why)}
    return given


def read_record(record):
    """The entries of a record; none if there is no such record (it was given back already)."""
    try:
        with open(record, encoding="utf-8") as file:
            return [_entry(entry) for entry in json.load(file)["entries"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HaproxyError(
            f"{record}: is damaged ({error}); look at the weights yourself, then remove it"
        ) from error


def _entry(data):
    entry = Entry(**data)
    names, numbers = (entry.socket, entry.backend, entry.server), (entry.before, entry.set)
    if not all(isinstance(name, str) for name in names) or not all(type(number) is int for number in numbers):
        raise ValueError(f"not an entry: {data}")
    return entry


def records_in(folder):
    """The records of all changes that are not given back yet, the newest first: the last is undone first."""
    found = (
        [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".json")]
        if os.path.isdir(folder)
        else []
    )
    return sorted(found, key=os.path.getmtime, reverse=True)


def marked(known, folder):
    """The servers with the changes that have lowered them. A damaged record names none."""
    tokens = {}
    for record in records_in(folder):
        try:
            entries = read_record(record)
        except HaproxyError:
            continue
        tokens.update({entry.label: os.path.splitext(os.path.basename(record))[0] for entry in entries})
    return [replace(server, lowered_by=tokens.get(server.label, "")) for server in known]


@contextmanager
def locked(folder):
    """Hold the records of a folder: between reading who has lowered what and lowering, nobody else does."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def restore(record):
    """Give back what the record says; it keeps what is owed, and goes with its program when that is nothing."""
    entries = read_record(record)
    given = give_back(entries)
    token = os.path.splitext(os.path.basename(record))[0]
    _keep(record, token, [entry for entry in entries if entry.label in given.owed])
    return given


def _keep(record, token, entries):
    """Write the record of these entries, or remove it with its program when there are none."""
    if entries:
        _write(
            record, json.dumps({"token": token, "entries": [asdict(entry) for entry in entries]}, indent=1)
        )
        return
    for path in (record, copy_of(record)):
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass


def copy_of(record):
    """Where the program lies that the timer runs for this record."""
    return os.path.splitext(record)[0] + ".py"


def wait_for_sessions(entries, before, timeout_s):
    """Wait until each server has no more sessions than its lower weight's share. Returns {label: sessions}, settled.

    before: {label: sessions} when the weights were changed.
    """
    limit = {e.label: math.ceil(before.get(e.label, 0) * e.set / max(1, e.before)) for e in entries}
    deadline = time.monotonic() + timeout_s
    while True:
        now = {
            label: _count(row, "scur")
            for path in sorted({entry.socket for entry in entries})
            for row in _show_stat(path)
            if (label := f"{path}: {row['pxname']}/{row['svname']}") in limit
        }
        settled = all(now.get(label, 0) <= most for label, most in limit.items())
        if settled or time.monotonic() >= deadline:
            return now, settled
        time.sleep(0.5)


def _write(path, text):
    """Whole or not at all, readable by root alone."""
    temporary = f"{path}.tmp"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def main(arguments):
    """What the timer runs: RECORD, or SECONDS RECORD to wait first where there is no systemd.

    Tries until none is owed.
    """
    if len(arguments) == 2:
        time.sleep(float(arguments.pop(0)))
    said = []
    while True:
        try:
            given = restore(arguments[0])
        except HaproxyError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        lines = [f"{label}: weight {weight} again" for label, weight in given.weights.items()]
        lines += [f"{label}: left alone: {why}" for label, why in given.left.items()]
        lines += given.sentences()
        # In the journal once, not at every try.
        sys.stdout.writelines(f"{line}\n" for line in lines if line not in said)
        sys.stdout.flush()
        said = lines
        if not given.owed:
            return 0
        time.sleep(RETRY_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
