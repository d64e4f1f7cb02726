# SPDX-License-Identifier: GPL-3.0-or-later
"""The outbox of a run: `notify.json` has each message, every try, and what the receiver said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import references
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read as run_read
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write as run_write
from fleetdiag.config import DAY_S, Receiver
from fleetdiag.notify import deliver
from fleetdiag.notify.message import Message

FILE = "notify.json"
TRIES = 3
GIVE_UP_S = DAY_S
MAX_PER_DAY = 6
"""Messages to a receiver; what is not critical waits for the digest after that."""
LOOK_BACK = 200
"""Runs in which messages that were not delivered are looked for."""
PENDING, SENT, GIVEN_UP, HELD = "pending", "sent", "given up", "held for the digest"

Deliver = Callable[[str, Any, dict[str, Any]], tuple[bool, str]]


@dataclass(frozen=True)
class Entry:
    """A message and what became of it. created: seconds since 1970; tries: {at, ok, said}; told: its giving up was."""

    receiver: str
    message: Message
    created: float
    critical: bool = False
    state: str = PENDING
    tries: list[dict[str, Any]] = field(default_factory=list)
    told: bool = False


def read(run_dir: Path) -> list[Entry]:
    """Return the messages of a run; what is damaged is left out."""
    data = run_read.read_json(run_dir, FILE) or {}
    found = data.get("messages")
    items = found if isinstance(found, list) else []
    return [entry for item in items if (entry := _parsed(item)) is not None]


def write(run_dir: Path, entries: Sequence[Entry]) -> None:
    """Write the messages of a run, whole or not at all."""
    run_write.write_json(run_dir, FILE, {"format": 1, "messages": [asdict(entry) for entry in entries]})


def add(run_dir: Path, entries: Sequence[Entry]) -> None:
    """Add messages that the run does not hold yet: the same key to the same receiver is the same message."""
    there = read(run_dir)
    known = {(entry.receiver, entry.message.key) for entry in there}
    fresh = [entry for entry in entries if (entry.receiver, entry.message.key) not in known]
    if fresh:
        write(run_dir, [*there, *fresh])


def send(
    run_dir: Path,
    receivers: Mapping[str, Receiver],
    now: Callable[[], float],
    tries: int = TRIES,
    deliver_: Deliver = deliver.run,
) -> None:
    """Try to deliver what is pending in a run; after a day it is given up. Written after every try."""
    with run_write.locked(run_dir):
        entries = read(run_dir)
        for position, entry in enumerate(entries):
            for _ in range(tries):
                if entries[position].state != PENDING:
                    break
                entries[position] = _tried(
                    entry := entries[position], receivers.get(entry.receiver), now, deliver_
                )
                write(run_dir, entries)


def _tried(entry: Entry, receiver: Receiver | None, now: Callable[[], float], deliver_: Deliver) -> Entry:
    if receiver is None:
        said = {"at": now(), "ok": False, "said": "is no longer in the configuration"}
        return replace(entry, state=GIVEN_UP, tries=[*entry.tries, said])
    taken, words = deliver_(receiver.kind, receiver.settings, entry.message.as_dict())
    moment = now()
    tries = [*entry.tries, {"at": moment, "ok": taken, "said": words}]
    if taken:
        return replace(entry, state=SENT, tries=tries)
    late = moment - entry.created > GIVE_UP_S
    return replace(entry, state=GIVEN_UP if late else PENDING, tries=tries)


def runs(runs_dir: Path) -> list[Path]:
    """Return the runs that have an outbox, the newest first."""
    names = references.ids(runs_dir)[-LOOK_BACK:][::-1]
    return [runs_dir / name for name in names if (runs_dir / name / FILE).is_file()]


def pending(runs_dir: Path) -> Iterator[tuple[Path, Entry]]:
    """Yield what was not delivered: pending or given up."""
    for run_dir in runs(runs_dir):
        for entry in read(run_dir):
            if entry.state in (PENDING, GIVEN_UP):
                yield run_dir, entry


def sent_since(runs_dir: Path, receiver: str, since: float) -> int:
    """Return how many messages a receiver has taken since then."""
    return sum(
        1
        for run_dir in runs(runs_dir)
        for entry in read(run_dir)
        if entry.receiver == receiver and entry.state == SENT and entry.created >= since
    )


def untold(runs_dir: Path, receiver: str) -> list[tuple[Path, Entry]]:
    """Return the messages to a receiver that were given up, which it has not been told yet."""
    return [
        (run_dir, entry)
        for run_dir, entry in pending(runs_dir)
        if entry.receiver == receiver and entry.state == GIVEN_UP and not entry.told
    ]


def mark_told(found: Sequence[tuple[Path, Entry]]) -> None:
    """Note that a receiver is told of these messages that were given up."""
    for run_dir, entry in found:
        with run_write.locked(run_dir):
            write(run_dir, [replace(one, told=True) if one == entry else one for one in read(run_dir)])


def _parsed(item: Any) -> Entry | None:
    try:
        message = item["message"]
        return Entry(
            receiver=str(item["receiver"]),
            message=Message(
                str(message["key"]), str(message["subject"]), str(message["body"]), message["document"]
            ),
            created=float(item["created"]),
            critical=item.get("critical") is True,
            state=str(item["state"]),
            tries=[dict(tried) for tried in item["tries"]],
            told=item.get("told") is True,
        )
    except (KeyError, TypeError, ValueError, FleetdiagError):
        return None
