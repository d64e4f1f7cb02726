# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts and sets of hosts against their own past, over the sweeps of one name.

Two series, on a logarithmic scale (sweeps.md and docs/sweeps.md have the figures behind each number):
host  the host's figure against the median of its peers in the same sweep, so that common load cancels; with fewer
      than PEERS peers, the figure itself
set   the median of a set of hosts, which finds what all hosts have in common
What is usual is the median of the last sweeps in which the series was covered and not suspected; how far it scatters is
the median absolute deviation there. One suspicion says nothing yet: see memory.persistence.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from statistics import NormalDist, median
from typing import Literal, NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import figures, robust
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.figures_file import Sweep
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import MeasureId
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.limits import (
    HOST_RATIO,
    LEARN,
    PEERS,
    SET_RATIO,
    SUSPECT,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column

HOST_FLOOR = 0.1
SET_FLOOR = 0.05
"""No series scatters less than this, on the logarithmic scale, however still it was so far."""
SHRINK = 10.0
"""Sweeps that the spread of the other hosts counts for in the spread of one."""
LEAVE_OUT = 0.2
"""Share of the sweeps that may lie far out to one side without widening it."""
_MAD = 1.4826
_LARGER = 1.09
"""What the larger of two estimates of one spread is on average, of 8 to 20 normal values whose spread is 1."""
_BEGAN = "%Y%m%d_%H%M%S"
_OF_MEDIAN = 1.25
"""Standard error of a median against that of a mean."""

Of = Literal["host", "set"]


class SeriesId(NamedTuple):
    """Names one series: a measure of a host, or of a set of hosts."""

    of: Of
    who: str
    probe: str
    table: str
    measure: str


@dataclass(frozen=True)
class Usual:
    """The past of a series on the logarithmic scale, over `sweeps` sweeps. last_normal: the latest of them.

    above, below: how far it scatters to either side of its middle.
    """

    middle: float
    above: float
    below: float
    sweeps: int
    last_normal: str


@dataclass(frozen=True)
class Suspicion:
    """A series that is not as usual. value, expected: in the measure's unit. score: signed, in spreads.

    relative: it was compared beside its peers.
    """

    series: SeriesId
    up: bool
    value: float
    expected: float
    score: float
    usual: Usual
    peer_set: str
    hosts: int
    relative: bool

    @property
    def ratio(self) -> float:
        """Return value / expected; 0 if nothing was expected."""
        return self.value / self.expected if self.expected else 0.0


@dataclass
class Judgement:
    """tested: every series of which something can be said now. learning: series that know too few sweeps."""

    suspicions: list[Suspicion] = field(default_factory=list)
    tested: set[SeriesId] = field(default_factory=set)
    learning: int = 0


@dataclass(frozen=True)
class Memory:
    """What is known of the series beside their figures.

    excluded: by sweep, the series that were suspected then. frozen: what was usual before a suspicion that still
    stands. accepted: by series, the sweep after which the new normal begins, and the last one before it was
    accepted as such.
    """

    excluded: Mapping[str, frozenset[SeriesId]] = field(default_factory=dict)
    frozen: Mapping[SeriesId, Usual] = field(default_factory=dict)
    accepted: Mapping[SeriesId, tuple[str, str]] = field(default_factory=dict)


def judge(
    now: Sweep,
    columns: Mapping[MeasureId, Column],
    past: Sequence[Sweep],
    memory: Memory,
    *,
    most: int = 20,
    suspect: float = SUSPECT,
    season: str = "",
) -> Judgement:
    """Compare each host, and each set of hosts, with its own past. past: the oldest first.

    most: earlier figures of a series that count. suspect: spreads. season: `hour` for sets, see memory.settings.
    """
    result = Judgement()
    for measure, column in columns.items():
        levels = now.measures.get(measure)
        if not levels:
            continue
        earlier = [sweep for sweep in past if sweep.hashes.get(measure[0]) == now.hashes.get(measure[0])]
        sets: dict[str, list[str]] = {}
        for host in levels:
            sets.setdefault(now.peers.get(host, ""), []).append(host)
        for name, hosts in sets.items():
            if 2 * len(hosts) < now.of.get(name, len(hosts)):
                continue
            _Set(measure, column, name, hosts, now, earlier, memory, most, suspect, season).judge(result)
    return result


@dataclass
class _Set:
    """One measure on the hosts of one set, now and in the sweeps before."""

    measure: MeasureId
    column: Column
    name: str
    hosts: Sequence[str]
    now: Sweep
    earlier: Sequence[Sweep]
    memory: Memory
    most: int
    suspect: float
    season: str
    offset: float = 0.0
    relative: bool = False

    def judge(self, result: Judgement) -> None:
        """Add what is to be said of the set and its hosts."""
        current = self._values(self.now)
        before = [(sweep.id, self._values(sweep)) for sweep in self.earlier]
        self.offset = self._offset([current, *(values for _unused, values in before)])
        self.relative = len(current) > PEERS
        logs = self._logs(current)
        series = self._positions(logs)
        history: dict[str, list[tuple[str, float]]] = {}
        middles: list[tuple[str, float]] = []
        for run, values in before:
            if self.relative and len(values) <= PEERS:
                continue
            known = self._logs(values)
            for host, position in self._positions(known).items():
                history.setdefault(host, []).append((run, position))
            if 2 * len(values) >= len(self.hosts):
                middles.append((run, median(known.values())))
        self._hosts(result, current, logs, series, history)
        if self.relative:
            self._whole(result, logs, middles)

    def _values(self, sweep: Sweep) -> dict[str, float]:
        """Return the figures of this set's hosts, as if all had been sampled for the usual time."""
        levels = sweep.measures.get(self.measure, {})
        adds = figures.adds(self.column)
        values: dict[str, float] = {}
        for host in self.hosts:
            level = levels.get(host)
            if level is None or (adds and level.marked and sweep is not self.now):
                continue
            scale = self._usual_s / level.seconds if adds and level.seconds and self._usual_s else 1.0
            values[host] = level.rest * scale
        return values

    @cached_property
    def _usual_s(self) -> float:
        """Return the seconds that the hosts sampled now; 0 if that is not known."""
        levels = self.now.measures[self.measure]
        known = [seconds for host in self.hosts if (seconds := levels[host].seconds)]
        return median(known) if known else 0.0

    def _offset(self, sweeps: Sequence[Mapping[str, float]]) -> float:
        """Return what is added to all figures: differences of half the least one that counts shall count little."""
        if self.column.compare is None:
            raise AssertionError
        least = 1.0 if figures.is_count(self.column) else 0.0
        middle = median(median(values.values()) for values in sweeps if values)
        return max(least, self.column.compare.min_difference / 2, 0.02 * middle, 1e-12)

    def _logs(self, values: Mapping[str, float]) -> dict[str, float]:
        return {host: math.log(value + self.offset) for host, value in values.items()}

    def _positions(self, logs: Mapping[str, float]) -> dict[str, float]:
        """Return each host's figure beside the median of the others, or by itself where there are too few."""
        if not self.relative:
            return dict(logs)
        ordered = sorted(logs.values())
        return {host: log - _median_without(ordered, log) for host, log in logs.items()}

    def _hosts(
        self,
        result: Judgement,
        current: Mapping[str, float],
        logs: Mapping[str, float],
        series: Mapping[str, float],
        history: Mapping[str, Sequence[tuple[str, float]]],
    ) -> None:
        known = {
            host: self._known(SeriesId("host", host, *self.measure), history.get(host, ()), self.most)
            for host in series
        }
        enough = {host: found for host, found in known.items() if len(found) >= LEARN}
        sides = {host: _sides([position for _unused, position in found]) for host, found in enough.items()}
        common = (
            _Sides(*(median(side) for side in zip(*sides.values(), strict=True)))
            if sides
            else _Sides(0.0, 0.0)
        )
        for host, position in series.items():
            name = SeriesId("host", host, *self.measure)
            usual = self.memory.frozen.get(name)
            if usual is None and host in enough:
                usual = _usual(enough[host], _shrunk(sides[host], common, len(enough[host])), HOST_FLOOR)
            if usual is None:
                result.learning += 1
                continue
            self._test(result, name, usual, current[host], position, logs[host] - position, HOST_RATIO)

    def _whole(
        self, result: Judgement, logs: Mapping[str, float], middles: Sequence[tuple[str, float]]
    ) -> None:
        name = SeriesId("set", self.name, *self.measure)
        if self.season == "hour":
            middles = [item for item in middles if _same_hour(item[0], self.now.id)]
        day = _day_before(self.now.id)
        of_a_day = sum(run > day for run, _unused in middles)
        found = self._known(name, middles, max(self.most, of_a_day))
        usual = self.memory.frozen.get(name)
        # All that all hosts have in common follows the day: before one is over, its other half would be news.
        knows_a_day = of_a_day < len(middles) or len(middles) >= 2 * self.most
        if usual is None and len(found) >= LEARN and knows_a_day:
            usual = _usual(found, _sides([position for _unused, position in found]), SET_FLOOR)
        if usual is None:
            result.learning += 1
            return
        middle = median(logs.values())
        self._test(result, name, usual, math.exp(middle) - self.offset, middle, 0.0, SET_RATIO)

    def _known(
        self, name: SeriesId, found: Sequence[tuple[str, float]], most: int
    ) -> list[tuple[str, float]]:
        """Return what counts of a series: not what was suspected, nor what was before it was accepted anew."""
        since, until = self.memory.accepted.get(name, ("", ""))
        excluded = self.memory.excluded
        kept = [
            item
            for item in found
            if item[0] > since and (item[0] <= until or name not in excluded.get(item[0], ()))
        ]
        return kept[-most:]

    def _test(
        self,
        result: Judgement,
        name: SeriesId,
        usual: Usual,
        value: float,
        position: float,
        beside: float,
        least_ratio: float,
    ) -> None:
        """Suspect the series if it lies far from what is usual, by chance and by what is worth a word."""
        if self.column.compare is None:
            raise AssertionError
        adds = figures.adds(self.column)
        expected = max(0.0, math.exp(min(usual.middle + beside, 300.0)) - self.offset)
        up = position > usual.middle
        level = self.now.measures[self.measure].get(name.who) if name.of == "host" else None
        if adds and not up and level is not None and level.marked:
            return  # what was lost explains it, so nothing is known
        result.tested.add(name)
        side = usual.above if up else usual.below
        spread = max(side, self._chance(expected, name.of)) * math.sqrt(1 + 1.5 / usual.sweeps)
        score = (position - usual.middle) / spread
        more, less = max(value, expected), min(value, expected)
        worth = more - less >= self.column.compare.min_difference and more >= least_ratio * less
        if abs(score) <= self.suspect or not worth:
            return
        shown = level.value if level is not None else value
        if value > 0:  # what is shown has its largest record, and its own time
            expected *= shown / value
        hosts = len(self.hosts)
        result.suspicions.append(
            Suspicion(
                name, up, shown, expected, score, usual, self.name, hosts, self.relative and name.of == "host"
            )
        )

    def _chance(self, expected: float, of: Of) -> float:
        """Return how far, relatively, a number of events scatters by chance alone; the median of many does less."""
        if not figures.is_count(self.column) or expected > robust.MANY:
            return 0.0
        alone = math.sqrt(expected + 1) / (expected + self.offset)
        return alone * _OF_MEDIAN / math.sqrt(len(self.hosts)) if of == "set" else alone


def _median_without(ordered: Sequence[float], value: float) -> float:
    """Return the median of a sorted list without one of its values."""
    place = bisect_left(ordered, value)
    half, odd = divmod(len(ordered) - 1, 2)

    def at(index: int) -> float:
        return ordered[index if index < place else index + 1]

    return at(half) if odd else (at(half - 1) + at(half)) / 2


class _Sides(NamedTuple):
    """How far a series scatters above and below its middle."""

    above: float
    below: float


def _usual(found: Sequence[tuple[str, float]], sides: _Sides, floor: float) -> Usual:
    middle = median(position for _unused, position in found)
    return Usual(middle, max(sides.above, floor), max(sides.below, floor), len(found), found[-1][0])


def _sides(values: Sequence[float]) -> _Sides:
    """Return the larger of the median absolute deviation and a quantile of the side: some noise is all to one side."""
    ordered = sorted(values)
    middle = median(ordered)
    both = _MAD * median([abs(value - middle) for value in ordered])
    left_out = max(1, int(LEAVE_OUT * len(ordered)))
    quantile = NormalDist().inv_cdf((len(ordered) - left_out - 0.5) / len(ordered))
    above, below = ordered[-left_out - 1] - middle, middle - ordered[left_out]
    return _Sides(max(both, above / quantile) / _LARGER, max(both, below / quantile) / _LARGER)


def _shrunk(own: _Sides, common: _Sides, sweeps: int) -> _Sides:
    """Return a host's scatter, drawn towards that of the other hosts, and no smaller than theirs."""
    drawn = (
        math.sqrt((sweeps * mine**2 + SHRINK * theirs**2) / (sweeps + SHRINK))
        for mine, theirs in zip(own, common, strict=True)
    )
    return _Sides(*(max(mine, theirs) for mine, theirs in zip(drawn, common, strict=True)))


def _day_before(run: str) -> str:
    """Return an id between the runs that began more than a day before this one, and those that began later."""
    return (datetime.strptime(run[:15], _BEGAN) - timedelta(days=1)).strftime(_BEGAN)


def _same_hour(one: str, other: str) -> bool:
    """Return True if two run ids are of the same hour of the day, or of hours beside each other."""
    apart = abs(int(one[9:11]) - int(other[9:11]))
    return min(apart, 24 - apart) <= 1
