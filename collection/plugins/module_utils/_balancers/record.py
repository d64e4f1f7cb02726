# SPDX-License-Identifier: GPL-3.0-or-later
"""What was lowered, on disk: {"token", "entries": [{"socket", "backend", "server", "before", "set"}]}.

A record is written before the first weight changes, and is gone when all of it is given back. Its folder is root's.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers.policy import (
    BalancerError,
    Entry,
    Server,
)

_FIELDS = tuple(one.name for one in fields(Entry))


def token_of(record: str) -> str:
    """Return the name of the change that a record is of."""
    return os.path.splitext(os.path.basename(record))[0]


def program_of(record: str) -> str:
    """Return where the program lies that the timer runs for this record."""
    return os.path.splitext(record)[0] + ".py"


def read_record(record: str) -> list[Entry]:
    """Return the entries of a record; none if there is no such record (it was given back already).

    Raises BalancerError where it is damaged.
    """
    try:
        with open(record, encoding="utf-8") as file:
            return [_entry(entry) for entry in json.load(file)["entries"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BalancerError(
            f"{record}: is damaged ({error}); look at the weights yourself, then remove it"
        ) from error


def _entry(data: dict[str, Any]) -> Entry:
    entry = Entry(**{name: data[name] for name in _FIELDS})
    names, numbers = (entry.socket, entry.backend, entry.server), (entry.before, entry.set)
    if not all(isinstance(name, str) for name in names) or not all(map(_is_whole, numbers)):
        raise ValueError(f"not an entry: {data}")
    return entry


def _is_whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def keep(record: str, entries: Sequence[Entry]) -> None:
    """Write the record of these entries, or remove it with its program when there are none."""
    if entries:
        data = {"token": token_of(record), "entries": [asdict(entry) for entry in entries]}
        write_private(record, json.dumps(data, indent=1).encode())
        return
    for path in (record, program_of(record)):
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass


def write_private(path: str, data: bytes) -> None:
    """Write a file whole or not at all, readable by its owner alone."""
    temporary = f"{path}.tmp"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def records_in(folder: str) -> list[str]:
    """Return the records of all changes that are not given back yet, the newest first: the last is undone first."""
    found = (
        [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".json")]
        if os.path.isdir(folder)
        else []
    )
    return sorted(found, key=_changed_at, reverse=True)


def _changed_at(record: str) -> float:
    try:
        return os.path.getmtime(record)
    except OSError:  # given back just now
        return 0.0


def marked(known: Iterable[Server], folder: str) -> list[Server]:
    """Return the servers with the changes that have lowered them. A damaged record names none."""
    tokens: dict[str, str] = {}
    for record in records_in(folder):
        try:
            entries = read_record(record)
        except BalancerError:
            continue
        tokens.update({entry.label: token_of(record) for entry in entries})
    return [replace(server, lowered_by=tokens.get(server.label, "")) for server in known]


@contextmanager
def locked(folder: str) -> Iterator[None]:
    """Hold the records of a folder: between reading who has lowered what and lowering, nobody else does."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
