# SPDX-License-Identifier: GPL-3.0-or-later
"""balancers.json: which hosts were to be lowered, and what balancers said moment by moment, in the order of time:

sweep     at the beginning of the sweep
before    before weights are lowered
lowered   what was lowered, and until when the balancer keeps it
start     at the beginning of the window
end       at its end
restored  what was given back, what is somebody else's now and was left alone, and what is still lowered because the
          balancer could not be asked
after     at the end of the sweep
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.untrusted import (
    listing,
    mapping,
    number,
    text,
)

FILE = "balancers.json"
Moment = Literal["sweep", "before", "lowered", "start", "end", "restored", "after"]
MOMENTS: tuple[Moment, ...] = ("sweep", "before", "lowered", "start", "end", "restored", "after")
_WEIGHT = re.compile(r"(100|[0-9]{1,2})%|[0-9]{1,3}")


def check_weight(given: str, option: str) -> None:
    """Raise FleetdiagError where `given` is neither empty nor a weight. Errors name the option."""
    if given and not _WEIGHT.fullmatch(given):
        raise FleetdiagError(f"{option}: {given!r} is no weight; say 50% of what it is, or a number to 256")


@dataclass(frozen=True)
class Owed:
    """A weight that could not be given back. weight: what it was before; None where that was not told."""

    label: str
    weight: float | None
    why: str


@dataclass(frozen=True)
class WeightChange:
    """The weight of one server before and after it was changed; None where it was not told."""

    before: float | None = None
    after: float | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> WeightChange:
        """Return the change that an entry of `weights` holds."""
        return cls(number(data, "before"), number(data, "after"))


@dataclass(frozen=True)
class ServerCount:
    """What a balancer counts of one server, or of a backend as a whole, whose `server` is empty."""

    socket: str = ""
    backend: str = ""
    server: str = ""
    weight: float | None = None
    total: float | None = None
    no_connection: float | None = None
    bad_response: float | None = None
    http_5xx: float | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ServerCount:
        """Return the counts that a row of `servers` holds, as the module haproxy_info returns it."""
        return cls(
            socket=text(data, "socket"),
            backend=text(data, "backend"),
            server=text(data, "server"),
            weight=number(data, "weight"),
            total=number(data, "total"),
            no_connection=number(data, "no_connection"),
            bad_response=number(data, "bad_response"),
            http_5xx=number(data, "http_5xx"),
        )


KEPT: Mapping[str, tuple[str, ...]] = {
    "lowered": ("weights", "settled", "unfit", "owed", "agents"),
    "restored": ("weights", "left", "owed"),
}
"""What of a balancer's answer belongs to a moment, besides `servers` and `trouble`."""


@dataclass(frozen=True)
class Answer:
    """What one balancer said; None where it said nothing of that.

    weights: what was changed, by label; settled: sessions fell to their new share in time; unfit: {server: why it is not
    lowered}; left: {label: why it was left alone}, of LVS once a list of sentences; owed: what is still lowered, by
    label `{"weight", "why"}`; agents: labels whose weight an agent sets; servers: what it counts; trouble: why it did
    not answer; until: when it gives weights back by itself, epoch seconds.
    """

    weights: Mapping[str, Any] | None = None
    settled: bool | None = None
    unfit: Mapping[str, Any] | None = None
    left: Mapping[str, Any] | list[Any] | None = None
    owed: Mapping[str, Any] | None = None
    agents: list[Any] | None = None
    servers: list[Any] | None = None
    trouble: str = ""
    until: float | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Answer:
        """Return the answer that a moment holds, or that a task's result is."""

        def of(key: str, *kinds: type) -> Any:
            value = data.get(key)
            return value if isinstance(value, kinds) else None

        return cls(
            weights=of("weights", Mapping),
            settled=of("settled", bool),
            unfit=of("unfit", Mapping),
            left=of("left", Mapping, list),
            owed=of("owed", Mapping),
            agents=of("agents", list),
            servers=of("servers", list),
            trouble=text(data, "trouble"),
            until=number(data, "until"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return what is written: what it said."""
        said = {key: value for key, value in vars(self).items() if value is not None}
        return said if self.trouble else {key: value for key, value in said.items() if key != "trouble"}

    def at(self, moment: Moment) -> Answer:
        """Return what belongs to a moment."""
        names = (*KEPT.get(moment, ()), "servers", "trouble")
        return Answer(**{name: getattr(self, name) for name in names})

    @property
    def changes(self) -> dict[str, WeightChange]:
        """Return {label: how its weight was changed}."""
        weights = self.weights or {}
        return {str(label): WeightChange.from_json(mapping(weights, label)) for label in weights}

    @property
    def counts(self) -> list[ServerCount]:
        """Return what it counts."""
        return [ServerCount.from_json(row) for row in self.servers or [] if isinstance(row, Mapping)]

    @property
    def refused(self) -> dict[str, str]:
        """Return {server: why its weight is not lowered}."""
        return {str(name): str(why) for name, why in (self.unfit or {}).items()}

    @property
    def owing(self) -> list[Owed]:
        """Return what is still lowered. Older answers have it in `left`, where the reason tells."""
        owed = self.owed or {}
        found = [
            Owed(str(label), number(one, "weight"), text(one, "why"))
            for label, one in ((label, mapping(owed, label)) for label in owed)
        ]
        older = self.left.items() if isinstance(self.left, Mapping) and self.owed is None else ()
        return found + [Owed(str(label), None, str(why)) for label, why in older if not is_of_others(why)]

    @property
    def left_alone(self) -> dict[str, str]:
        """Return {label: why it was left alone}, of what is somebody else's now."""
        left = self.left if isinstance(self.left, Mapping) else {}
        return {
            str(label): str(why) for label, why in left.items() if self.owed is not None or is_of_others(why)
        }

    @property
    def sentences_left(self) -> list[str]:
        """Return what an older LVS balancer said of weights that it left alone."""
        return [str(sentence) for sentence in self.left] if isinstance(self.left, list) else []

    @property
    def gave_back(self) -> bool:
        """Return whether it is an answer to being asked for weights, and not of one that could not."""
        return not self.trouble and any(getattr(self, name) is not None for name in KEPT["restored"])


@dataclass(frozen=True)
class MomentRecord:
    """One moment: what each balancer said. t: epoch seconds. hosts: whose weight was to be lowered then."""

    moment: str = ""
    batch: int = 0
    t: float | None = None
    balancers: Mapping[str, Answer] = field(default_factory=dict)
    hosts: tuple[str, ...] | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> MomentRecord:
        """Return the moment that an entry of `moments` holds."""
        said, hosts = mapping(data, "balancers"), data.get("hosts")
        return cls(
            moment=text(data, "moment"),
            batch=int(number(data, "batch") or 0),
            t=number(data, "t"),
            balancers={str(name): Answer.from_json(mapping(said, name)) for name in said},
            hosts=tuple(host for host in hosts if isinstance(host, str)) if isinstance(hosts, list) else None,
        )

    def to_json(self) -> dict[str, Any]:
        """Return what is written; `hosts` only where weights were lowered."""
        said = {name: answer.to_json() for name, answer in self.balancers.items()}
        known = {"moment": self.moment, "batch": self.batch, "t": self.t, "balancers": said}
        return known if self.hosts is None else {**known, "hosts": list(self.hosts)}

    def answers(self) -> Iterator[tuple[str, Answer]]:
        """Yield each balancer with what it said, by name."""
        yield from sorted(self.balancers.items())


@dataclass(frozen=True)
class BalancersRecord:
    """balancers.json. weight: as it was asked for; servers: {host: its name in the balancers}.

    left_out, full_weight: {host: why its weight could not be lowered}, of those that were not probed for it, and of the
    others.
    """

    weight: str = ""
    servers: Mapping[str, str] = field(default_factory=dict)
    moments: tuple[MomentRecord, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    full_weight: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BalancersRecord:
        """Return the record that balancers.json holds."""
        return cls(
            weight=text(data, "weight"),
            servers=_texts(data, "servers"),
            moments=tuple(
                MomentRecord.from_json(one) for one in listing(data, "moments") if isinstance(one, Mapping)
            ),
            left_out=_texts(data, "left_out"),
            full_weight=_texts(data, "full_weight"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return what is written; hosts that were not lowered only where there are some."""
        unfit = {"left_out": self.left_out, "full_weight": self.full_weight}
        return {
            "weight": self.weight,
            "servers": self.servers,
            "moments": [moment.to_json() for moment in self.moments],
            **{key: value for key, value in unfit.items() if value},
        }

    def why_not(self, host: str) -> str:
        """Return why this host was not probed because its weight could not be lowered; else empty."""
        return self.left_out.get(host, "").strip()


def is_of_others(why: object) -> bool:
    return str(why).startswith("its weight is ") or "No such " in str(why)


def _texts(data: Mapping[str, Any], key: str) -> dict[str, str]:
    return {str(name): str(value) for name, value in mapping(data, key).items()}
