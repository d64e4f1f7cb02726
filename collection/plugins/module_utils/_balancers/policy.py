# SPDX-License-Identifier: GPL-3.0-or-later
"""Which servers may be lowered, and to what weight: pure, and without knowledge of any kind of balancer."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_WEIGHT = re.compile(r"([0-9]{1,5})(%?)")


class BalancerError(Exception):
    """One sentence: what, where, what to do."""


class GoneError(BalancerError):
    """The balancer answers that it has no such server."""


class WeightlessError(BalancerError):
    """The balancer answers that a backend takes no weights; nothing was changed."""


def label_of(socket: str, backend: str, server: str) -> str:
    """Return the name of one server of one backend in answers."""
    return f"{socket}: {backend}/{server}"


@dataclass(frozen=True)
class Server:
    """A server as one balancer sees it.

    initial: its configured weight. sessions: current ones. active: it takes its share of new requests. weightless: why
    its backend takes no weight but 0, empty where it does. agent: it is asked for its weight. lowered_by: the token of
    the change that has lowered it and not given it back yet.
    """

    socket: str
    backend: str
    name: str
    weight: int
    initial: int
    sessions: int
    active: bool
    weightless: str = ""
    agent: bool = False
    lowered_by: str = ""

    @property
    def label(self) -> str:
        return label_of(self.socket, self.backend, self.name)


@dataclass(frozen=True)
class Entry:
    """One weight to change and to give back."""

    socket: str
    backend: str
    server: str
    before: int
    set: int

    @property
    def label(self) -> str:
        return label_of(self.socket, self.backend, self.server)


@dataclass(frozen=True)
class Terms:
    """How far servers may be lowered, and where.

    number, is_share: the weight wanted, or the per cent of the present one. floor_percent: of the configured or the
    present weight, whichever is more; none is set below it. min_active: servers that must stay at full weight in each
    backend beside those that are lowered. backends: only these; all when empty.
    """

    number: int
    is_share: bool
    floor_percent: int
    min_active: int
    backends: tuple[str, ...] = ()

    @property
    def wanted(self) -> str:
        return f"{self.number}%" if self.is_share else str(self.number)

    def covers(self, server: Server) -> bool:
        return not self.backends or server.backend in self.backends


def read_terms(
    weight: str, max_weight: int, *, floor_percent: int, min_active: int, backends: Iterable[str] = ()
) -> Terms:
    """Return the terms for a weight as the operator gives it: `50%` of the present one, or `10`.

    Raises BalancerError where it is neither.
    """
    found = _WEIGHT.fullmatch(weight)
    if not found or int(found[1]) > (100 if found[2] else max_weight):
        raise BalancerError(f"weight {weight!r} is neither 0 to {max_weight} nor 0% to 100%; correct it")
    return Terms(int(found[1]), bool(found[2]), floor_percent, min_active, tuple(backends))


def target(server: Server, terms: Terms) -> int:
    """Return the weight to set, never below the floor or above the present one."""
    weight = math.floor(server.weight * terms.number / 100) if terms.is_share else terms.number
    floor = math.ceil(max(server.initial, server.weight) * terms.floor_percent / 100)
    if terms.is_share and terms.number:
        floor = max(floor, 1)  # a share of a weight is not nothing
    return min(server.weight, max(weight, floor))


def plan(known: Sequence[Server], names: Sequence[str], terms: Terms) -> list[Entry]:
    """Return the entries that lower the servers `names` of `known`; a server whose weight stays has none.

    Raises BalancerError where lowering them is not safe.
    """
    chosen = [server for server in known if server.name in names and terms.covers(server)]
    for name in names:
        if not any(server.name == name for server in chosen):
            where = f"backend {', '.join(terms.backends)}" if terms.backends else "any backend"
            raise BalancerError(f"server {name} is not in {where} of this balancer; correct its name")
    entries = []
    for server in chosen:
        _check_may_be_lowered(server, known, names, terms)
        weight = target(server, terms)
        if weight and weight < server.weight and server.weightless:
            raise WeightlessError(f"{server.label}: {server.weightless}")
        if weight < server.weight:
            entries.append(Entry(server.socket, server.backend, server.name, server.weight, weight))
    return entries


def _check_may_be_lowered(
    server: Server, known: Sequence[Server], names: Sequence[str], terms: Terms
) -> None:
    """Raise BalancerError where another change has lowered it, or too few others would be left."""
    if server.lowered_by:
        raise BalancerError(
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
    if server.active and len(others) < terms.min_active:
        raise BalancerError(
            f"{server.label}: only {len(others)} other active servers would be left at full weight, "
            f"{terms.min_active} are wanted; probe fewer servers at once"
        )


def plan_all(known: Sequence[Server], names: Sequence[str], terms: Terms) -> list[Entry]:
    """Return the entries that lower these servers in all their backends.

    Raises BalancerError where that is not safe, or the floor keeps one that takes requests at its weight.
    """
    entries = plan(known, names, terms)
    lowered = {entry.label for entry in entries}
    for server in known:
        if server.name in names and terms.covers(server) and server.active and server.label not in lowered:
            raise BalancerError(
                f"{server.label}: its weight {server.weight} cannot be lowered to {terms.wanted} above the floor of"
                f" {terms.floor_percent} %; give servers larger weights"
            )
    return entries


class SortedOut(NamedTuple):
    """Names of servers. unfit: why those cannot be lowered. unknown: those that no backend has."""

    fit: list[str]
    unfit: dict[str, str]
    unknown: list[str]


def sort_out(known: Sequence[Server], names: Sequence[str], terms: Terms) -> SortedOut:
    """Return which of `names` can be lowered together.

    They are taken in the order given, so that of two that cannot be lowered at once the first one is.
    """
    found = SortedOut([], {}, [])
    for name in names:
        if not any(server.name == name and terms.covers(server) for server in known):
            found.unknown.append(name)
            continue
        try:
            plan_all(known, [*found.fit, name], terms)
            found.fit.append(name)
        except BalancerError as why:
            found.unfit[name] = str(why)
    return found
