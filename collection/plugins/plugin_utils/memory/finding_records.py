# SPDX-License-Identifier: GPL-3.0-or-later
"""One finding over the sweeps, as news.json has it, and as one sweep saw it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.fingerprint import VERSION

RANK = {"critical": 0, "warning": 1, "info": 2}

State = Literal[
    "suspect", "new", "same", "worse", "better", "accepted", "unknown", "gone", "left", "superseded"
]


@dataclass(frozen=True)
class Sighting:
    """What every sweep that has a finding says of it. who: host, or set of hosts if `of` is `set`."""

    fingerprint: str
    kind: str
    severity: str
    who: str
    of: str
    probe: str
    table: str
    measure: str
    direction: str
    sentence: str
    value: float


@dataclass(frozen=True)
class Seen(Sighting):
    """One finding of this sweep. ratio: to what was expected, 1 or more, 0 if nothing was; hosts: members.

    since: the first sweep that had it, if that was earlier. at_once: it is told without a second sweep.
    """

    ratio: float = 0.0
    hosts: tuple[str, ...] = ()
    last_normal: str = ""
    since: str = ""
    at_once: bool = True


@dataclass(frozen=True)
class Record(Sighting):
    """One finding over the sweeps. history: of the last covered sweeps, `1` with it and `0` without.

    told_*: as they were when it was told last. frozen: not covered now.
    closed: the sweep that closed it. acks_after: acknowledgements made before that time are over.
    """

    state: State
    since: str
    last_seen: str
    last_normal: str = ""
    hosts: tuple[str, ...] = ()
    version: int = VERSION
    sweeps: int = 1
    absent: int = 0
    history: str = "1"
    ratio: float = 0.0
    told_value: float = 0.0
    told_ratio: float = 0.0
    told_severity: str = ""
    told_hosts: int = 0
    flapping: bool = False
    accepted: bool = False
    frozen: bool = False
    closed: str = ""
    ack: Mapping[str, str] | None = None
    acks_after: str = ""

    @property
    def told(self) -> bool:
        """Return True once the finding was told, or would have been had nobody acknowledged it."""
        return bool(self.told_severity)

    @property
    def growth(self) -> float:
        """Return how many times as much there is as when it was told last; 1 if that cannot be compared."""
        if self.ratio > 0 and self.told_ratio > 0:
            return self.ratio / self.told_ratio
        if self.ratio == self.told_ratio and self.told_value > 0 and self.direction == "up":
            return self.value / self.told_value
        return 1.0


SHARED = (*(item.name for item in fields(Sighting)), "ratio", "hosts")
"""Fields of a record that are as the last sweep saw the finding."""
_FIELDS = {item.name: item for item in fields(Record)}


def to_json(record: Record) -> dict[str, Any]:
    """Return the record as news.json has it."""
    data: dict[str, Any] = {name: getattr(record, name) for name in _FIELDS}
    return {**data, "hosts": list(record.hosts), "ack": dict(record.ack) if record.ack else None}


def from_json(data: Any) -> Record | None:
    """Return the record, or None if it is damaged."""
    if not isinstance(data, Mapping) or data.get("state") not in get_args(State):
        return None
    values = {name: data[name] for name in _FIELDS if name in data}
    for name, value in values.items():
        kind = str(_FIELDS[name].type)
        wanted: dict[str, tuple[type, ...]] = {
            "str": (str,),
            "int": (int,),
            "bool": (bool,),
            "float": (int, float),
        }
        if kind in wanted and not isinstance(value, wanted[kind]):
            return None
    hosts = values.get("hosts", [])
    ack = values.get("ack")
    if not isinstance(hosts, list) or not (ack is None or isinstance(ack, Mapping)):
        return None
    if values.get("severity") not in RANK or values.get("told_severity", "") not in {"", *RANK}:
        return None
    try:
        return Record(**{**values, "hosts": tuple(map(str, hosts))})
    except TypeError:
        return None
