# SPDX-License-Identifier: GPL-3.0-or-later
"""How load balancers shared requests before, while and after weights were lowered: from balancers.json to plain data.

Nothing of it is trusted: balancers are hosts. Its moments: see rundir.balancers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.balancers import (
    Answer,
    BalancersRecord,
    Moment,
    MomentRecord,
    Owed,
    ServerCount,
)

FEW = 10
"""Fewer requests than this, and the share before lowering is taken from all since the balancer started."""
_FAILED = ("no_connection", "bad_response", "http_5xx")

Place = tuple[str, str, str]
"""(balancer, socket, backend)"""
Counts = Mapping[tuple[Place, str], ServerCount]
"""By place and server what one moment's answers say; the server is empty for the backend as a whole."""


@dataclass(frozen=True)
class Weight:
    """The weight of one server on one balancer; None where it was not told."""

    balancer: str
    socket: str
    before: float | None
    during: float | None
    after: float | None


@dataclass(frozen=True)
class Served:
    """One server of one backend, on all balancers together.

    host: the host of the sweep that it is, empty if its weight was not lowered. sessions, shares: of requests before,
    during and after, None where nothing is known. failed: requests that it failed since the weights were lowered, None
    where the balancer does not count them.
    """

    backend: str
    server: str
    host: str
    weights: tuple[Weight, ...]
    sessions: tuple[int | None, int | None, int | None]
    shares: tuple[float | None, float | None, float | None]
    failed: int | None


@dataclass(frozen=True)
class Traffic:
    """sentences: what became of each host's traffic. alarms: weights that may still be lowered, with what to do."""

    weight: str
    balancers: tuple[str, ...]
    servers: tuple[Served, ...]
    sentences: tuple[str, ...]
    alarms: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())


def read(record: BalancersRecord | None) -> Traffic | None:
    """Return what balancers.json says about traffic; None if no weight was to be lowered."""
    if record is None:
        return None
    story = _Story(record)
    served = tuple(story.served())
    return Traffic(
        weight=record.weight,
        balancers=tuple(story.balancers()),
        servers=served,
        sentences=tuple(story.sentences(served)),
        alarms=tuple(story.alarms()),
        notes=tuple(story.notes()),
    )


class _Story:
    """The moments of one sweep."""

    def __init__(self, record: BalancersRecord) -> None:
        self._moments = record.moments
        self._names = record.servers
        self._hosts = {name: host for host, name in self._names.items()}
        self._full_weight = record.full_weight
        self._lowered = self._lowered_weights()

    # --- what happened ---

    def balancers(self) -> list[str]:
        return sorted({name for moment in self._moments for name in moment.balancers})

    def _at(self, moment: Moment, batch: int | None = None) -> Iterator[MomentRecord]:
        for item in self._moments:
            if item.moment == moment and batch in (None, item.batch):
                yield item

    def _batches(self) -> list[int]:
        """Return the batches in which weights were lowered."""
        return sorted({batch for batch, _unused, _unused2, _unused3 in self._lowered})

    def _lowered_weights(self) -> dict[tuple[int, str, str, str], tuple[float | None, float | None]]:
        """Return {(batch, balancer, label, server): (weight before, weight set)}."""
        found = {}
        for moment in self._at("lowered"):
            for balancer, said in moment.answers():
                for label, change in said.changes.items():
                    server = label.rpartition("/")[2]
                    found[moment.batch, balancer, label, server] = (change.before, change.after)
        return found

    def _batch_of(self, server: str) -> int | None:
        return next((batch for batch, _unused, _unused2, name in self._lowered if name == server), None)

    # --- counts ---

    def _counts(self, moment: Moment, batch: int | None = None, *, last: bool = False) -> Counts | None:
        """Return what was counted at the first such moment, or the last; None if nothing was."""
        found = [_counts(item) for item in self._at(moment, batch)]
        found = [counts for counts in found if counts]
        return found[-1 if last else 0] if found else None

    def _spans(self, server: str) -> tuple[list[_Span], list[_Span], list[_Span]]:
        """Return before, during and after, each as spans between two counts."""
        first, lowering = self._counts("sweep"), self._counts("before")
        own = self._batch_of(server)
        during = [
            (self._counts("start", batch), self._counts("end", batch))
            for batch in ([own] if own is not None else self._batches())
        ]
        after = (self._counts("restored", last=True), self._counts("after", last=True))
        return [(first, lowering)], during, [after]

    def served(self) -> Iterator[Served]:
        """Yield every server of the backends in which a weight was lowered."""
        before = self._counts("before") or self._counts("start") or {}
        backends = {
            label.rpartition("/")[0].rpartition(": ")[2]
            for _unused, _unused2, label, _unused3 in self._lowered
        }
        known = sorted({(place[2], server) for place, server in before if server and place[2] in backends})
        for backend, server in known:
            shares = [self._share(backend, server, spans) for spans in self._spans(server)]
            if (shares[0][0] or 0) < FEW and self._total(backend, self._spans(server)[0]) < FEW:
                shares[0] = self._share(backend, server, [({}, before)])
            own = self._batch_of(server)
            yield Served(
                backend=backend,
                server=server,
                host=self._hosts.get(server, server) if own is not None else "",
                weights=tuple(self._weights(backend, server, own)),
                sessions=(shares[0][0], shares[1][0], shares[2][0]),
                shares=(shares[0][1], shares[1][1], shares[2][1]),
                failed=self._failed(backend, server),
            )

    def _share(self, backend: str, server: str, spans: Sequence[_Span]) -> tuple[int | None, float | None]:
        """Return the requests of a server and its share of the backend's; None where nothing is known."""
        mine = _sum(_difference(span, backend, "total", lambda name: name == server) for span in spans)
        total = _sum(_difference(span, backend, "total", bool) for span in spans)
        return mine, (mine / total if mine is not None and total else None)

    def _total(self, backend: str, spans: Sequence[_Span]) -> int:
        return _sum(_difference(span, backend, "total", bool) for span in spans) or 0

    def _weights(self, backend: str, server: str, batch: int | None) -> Iterator[Weight]:
        before = self._counts("before") or {}
        during = self._counts("start", batch) if batch is not None else self._counts("start")
        after = self._counts("after", last=True) or self._counts("restored", batch, last=True) or {}
        for place, name in sorted(before):
            if (place[2], name) != (backend, server):
                continue
            told = [
                counts.get((place, name), ServerCount()).weight for counts in (before, during or {}, after)
            ]
            lowered, given = self._changed(place, name, batch)
            yield Weight(
                balancer=place[0],
                socket=place[1],
                before=told[0],
                during=lowered if told[1] is None else told[1],
                after=given if told[2] is None else told[2],
            )

    def _changed(self, place: Place, server: str, batch: int | None) -> tuple[float | None, float | None]:
        """Return the weights that were set: when it was lowered, and when it was given back."""
        if batch is None:
            return None, None
        label = f"{place[1]}: {place[2]}/{server}"
        _unused, lowered = self._lowered.get((batch, place[0], label, server), (None, None))
        for moment in self._at("restored", batch):
            changes = moment.balancers.get(place[0], Answer()).changes
            if label in changes:
                return lowered, changes[label].after
        return lowered, None

    def _failed(self, backend: str, server: str) -> int | None:
        """Return how many requests failed from the first lowering to the last count; None if that was not counted."""
        end = (
            self._counts("after", last=True)
            or self._counts("restored", last=True)
            or self._counts("end", last=True)
        )
        span = (self._counts("before"), end)
        counted = [_difference(span, backend, kind, lambda name: name == server) for kind in _FAILED]
        return _sum(counted) if any(value is not None for value in counted) else None

    # --- words ---

    def sentences(self, served: Sequence[Served]) -> Iterator[str]:
        lowered = [item for item in served if item.host]
        several = len({item.backend for item in lowered}) > 1
        for item in lowered:
            yield f"{item.host} {_got(item, several)}; {self._as_before(item)}; {self._fault(item)}"

    def _as_before(self, item: Served) -> str:
        known = [weight for weight in item.weights if weight.after is not None]
        if not known or len(known) < len(item.weights):
            return "what its weights are now is not known"
        other = [weight for weight in known if weight.after != weight.before]
        if not other:
            return "weights are as before"
        said = ", ".join(f"{_plain(w.after)} instead of {_plain(w.before)} on {w.balancer}" for w in other)
        return f"its weight is {said}"

    def _fault(self, item: Served) -> str:
        if item.failed is None:
            return "of failed requests nothing is known"
        backend = self._failed(item.backend, "") or 0
        if not item.failed and not backend:
            return "no request failed"
        if item.failed:
            return f"{plural(item.failed, 'request')} to it failed"
        return f"{plural(backend, 'request')} to other servers of {item.backend} failed"

    def alarms(self) -> Iterator[str]:
        """Yield a sentence for weights that are still lowered, or of which nobody knows that they were given back."""
        owing = self._owing()
        for (_unused, balancer), listed in owing.items():
            yield from (self._still_lowered(balancer, one) for one in listed)
        for batch in self._batches():
            for balancer, said in self._lowered_in(batch):
                answers = [given.balancers.get(balancer, Answer()) for given in self._at("restored", batch)]
                if (batch, balancer) in owing or any(answer.gave_back for answer in answers):
                    continue
                trouble = next((answer.trouble for answer in answers), "")
                servers = sorted(
                    {name for b, lb, _unused2, name in self._lowered if (b, lb) == (batch, balancer)}
                )
                why = f" ({trouble})" if trouble else ""
                timer = f"; the balancer's own timer does at {_clock(said.until)}" if said.until else ""
                yield (
                    f"the weights of {', '.join(servers)} were lowered on {balancer} and are not known to be given"
                    f" back{why}{timer}; at once: fleetdiag abort -i INVENTORY -l {balancer}"
                )

    def _owing(self) -> dict[tuple[int, str], list[Owed]]:
        """Return by batch and balancer what the balancer still owes according to its last answer."""
        found: dict[tuple[int, str], list[Owed]] = {}
        for moment in self._moments:
            if moment.moment not in ("lowered", "restored"):
                continue
            for balancer, said in moment.answers():
                if said.owing:
                    found[moment.batch, balancer] = said.owing
                elif said.gave_back:
                    found.pop((moment.batch, balancer), None)
        return found

    def _still_lowered(self, balancer: str, one: Owed) -> str:
        before = (
            b
            for (_unused, lb, label, _unused2), (b, _unused3) in self._lowered.items()
            if (lb, label) == (balancer, one.label)
        )
        weight = next(before, None) if one.weight is None else one.weight
        return (
            f"the weight of {one.label.rpartition('/')[2]} ({one.label}) is still lowered on {balancer}: {one.why};"
            " the balancer tries again by itself; at once: set its weight to"
            f" {_plain(weight)}, or fleetdiag abort -i INVENTORY -l {balancer}"
        )

    def left_lowered(self) -> list[int]:
        """Return the batches whose weights nobody has asked back."""
        owing = {batch for batch, _unused in self._owing()}
        return [batch for batch in sorted({*self._batches(), *owing}) if not any(self._at("restored", batch))]

    def _lowered_in(self, batch: int) -> Iterator[tuple[str, Answer]]:
        for moment in self._at("lowered", batch):
            for balancer, said in moment.answers():
                if said.weights:
                    yield balancer, said

    def notes(self) -> Iterator[str]:
        """Yield what else a reader should know of the balancers' figures."""
        for host, why in sorted(self._full_weight.items()):
            yield f"{host} was probed at its full weight: {why}"
        for balancer, label in dict.fromkeys(self._with_agents()):
            yield f"{balancer}: {label} says its weight itself (agent-check), so it may not have stayed lowered"
        for moment in self._at("restored"):
            for balancer, said in moment.answers():
                for label, why in said.left_alone.items():
                    yield f"{balancer}: {label.rpartition(': ')[2]} was left alone: {why}"
                for sentence in said.sentences_left:
                    yield f"{balancer}: was left alone: {sentence}"
        yield from self._silent()
        unknown = self._unknown()
        if unknown:
            yield f"no balancer knows {', '.join(unknown)}: there was no weight to lower"
        for moment in self._at("lowered"):
            for balancer, said in moment.answers():
                if said.settled is False:
                    yield f"{balancer}: the sessions had not fallen to their new share when the wait for that was over"
        seen = [_counts(item) for item in self._moments]
        if any(_fell(one, two) for one, two in itertools.pairwise(counts for counts in seen if counts)):
            yield "a balancer was reloaded meanwhile: it counts from zero since then, and has its configured weights"

    def _silent(self) -> Iterator[str]:
        """Yield a sentence for each balancer that did not say what it counts, with the moments."""
        found: dict[tuple[str, str], list[str]] = {}
        for moment in self._moments:
            if moment.moment == "lowered":
                continue
            for balancer, said in moment.answers():
                # Of weights that were to be given back the alarms tell.
                if said.trouble and not (moment.moment == "restored" and self._lowered):
                    found.setdefault((balancer, said.trouble), []).append(moment.moment)
        for (balancer, why), names in found.items():
            when = ", ".join(dict.fromkeys(names))
            yield f"{balancer} did not say what it counts ({when}): {why.removeprefix(f'{balancer}: ')}"

    def _with_agents(self) -> Iterator[tuple[str, str]]:
        """Yield (balancer, server) of those that were lowered and are asked for their weight all the same."""
        for moment in self._at("lowered"):
            for balancer, said in moment.answers():
                for label in said.agents or []:
                    yield balancer, str(label).rpartition(": ")[2]

    def _unknown(self) -> list[str]:
        lowered = {name for _unused, _unused2, _unused3, name in self._lowered}
        asked = list(self._at("lowered"))
        known = {name for counts in map(_counts, self._moments) for _unused4, name in counts}
        named = {
            host
            for moment in asked
            for host in moment.hosts or ()
            if self._names.get(host, host) not in lowered | known
        }
        return sorted(named)


_Span = tuple[Counts | None, Counts | None]


def _counts(moment: MomentRecord) -> Counts:
    found: dict[tuple[Place, str], ServerCount] = {}
    for balancer, said in moment.answers():
        for one in said.counts:
            found[(balancer, one.socket, one.backend), one.server] = one
    return found


def _difference(span: _Span, backend: str, kind: str, wanted: Any) -> int | None:
    """Return how many more were counted at the end; of a counter that began anew, what it says then."""
    first, last = span
    if first is None or last is None:
        return None
    total, known = 0, False
    for (place, server), entry in last.items():
        end = getattr(entry, kind)
        if place[2] != backend or not wanted(server) or end is None:
            continue
        begin = getattr(first.get((place, server), ServerCount()), kind) or 0
        total += int(end - begin if end >= begin else end)
        known = True
    return total if known else None


def _fell(one: Counts, two: Counts) -> bool:
    return any((two[key].total or 0) < (entry.total or 0) for key, entry in one.items() if key in two)


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _got(item: Served, named: bool) -> str:
    where = f" of {item.backend}" if named else ""
    before, during, _unused = item.shares
    if item.sessions[1] is None:
        return f"got less{where}, but was not probed to the end"
    if during is None:
        return f"was to get less{where}, but no request came while it was probed"
    instead = f" instead of {_percent(before)}" if before is not None else ""
    return f"got {_percent(during)}{instead} of the requests{where} while it was probed"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _plain(value: float | None) -> str:
    return "?" if value is None else f"{value:g}"


def _clock(epoch_s: float) -> str:
    try:
        return f"{datetime.fromtimestamp(epoch_s, UTC):%H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{epoch_s:g}"


def left_lowered(record: BalancersRecord | None) -> list[int]:
    """Return the batches whose weights were lowered and of which nobody has said that they were given back."""
    return _Story(record).left_lowered() if record else []
