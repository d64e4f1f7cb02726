# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts and sets of hosts against their own past, over the sweeps of one name.

figures.json of a sweep: {format, name, hosts, kernels, peers: [one per host], of: {set: hosts of the pattern}, probes:
[{probe, hash, parameters, sampled_s, marked: [one per host], tables: {table: {measure: {value: [...], rest: [...]}}}}]}

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
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import NormalDist, median
from typing import Any, Literal, NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import figures, robust
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence, MeasureId
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.results import MergedTable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column

FORMAT = 2
LEARN = 8
"""Sweeps that a series must have behind it before anything is said of it."""
PEERS = 4
SUSPECT = 2.75
"""Spreads from which on a figure is suspected; how many and how strong suspicions count is in memory.persistence."""
HOST_RATIO = 1.5
SET_RATIO = 1.25
HOST_FLOOR = 0.1
SET_FLOOR = 0.05
"""No series scatters less than this, on the logarithmic scale, however still it was so far."""
SHRINK = 10.0
"""Sweeps that the spread of the other hosts counts for in the spread of one."""
LEAVE_OUT = 0.2
"""Share of the sweeps that may lie far out to one side without widening it."""
_MAD = 1.4826
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


# --- what a sweep leaves ---


def figures_of(
    evidence: Sequence[Evidence],
    among: Collection[str] | None = None,
    *,
    name: str = "",
    peers: Mapping[str, str] | None = None,
    kernels: Mapping[str, str] | None = None,
    hashes: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return figures.json of a sweep: every measure that may be compared, of every host (among these) with data.

    peers: {host: its set} of all hosts of the sweep. hashes: {probe: what makes it comparable}.
    """
    sampled = {host for probe in evidence for host in probe.sampled_s}
    hosts = sorted(sampled if among is None else sampled.intersection(among))
    sets = peers or {}
    counted: dict[str, int] = {}
    for host in sets if among is None else [host for host in sets if host in among]:
        counted[sets[host]] = counted.get(sets[host], 0) + 1
    return {
        "format": FORMAT,
        "name": name,
        "hosts": hosts,
        "kernels": [(kernels or {}).get(host, "") for host in hosts],
        "peers": [sets.get(host, "") for host in hosts],
        "of": counted,
        "probes": [
            _left(probe, hosts, (hashes or {}).get(probe.name, "")) for probe in evidence if probe.tables
        ],
    }


def _left(probe: Evidence, hosts: Sequence[str], series_hash: str) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for merged in probe.tables:
        for column in comparable(merged):
            found = probe.seen(figures.of_table(merged, column, probe.sampled_s))
            value = [_short(found[host].value) if host in found else None for host in hosts]
            rest = [_short(found[host].rest) if host in found else None for host in hosts]
            tables.setdefault(merged.table.name, {})[column.name] = {"value": value, "rest": rest}
    return {
        "probe": probe.name,
        "hash": series_hash,
        "parameters": dict(probe.parameters),
        "sampled_s": [_short(probe.sampled_s.get(host)) for host in hosts],
        "marked": [1 if probe.marks.get(host) else 0 for host in hosts],
        "tables": tables,
    }


def comparable(merged: MergedTable) -> Iterator[Column]:
    """Yield the measures of a table that hosts are compared by."""
    for column in merged.table.measures:
        if column.compare is not None and figures.is_figure(column):
            yield column


def columns_of(evidence: Sequence[Evidence]) -> dict[MeasureId, Column]:
    """Return the compared measures of a sweep by their names."""
    return {
        (probe.name, merged.table.name, column.name): column
        for probe in evidence
        for merged in probe.tables
        for column in comparable(merged)
    }


def _short(value: float | None) -> float | None:
    """Round to six significant digits, which are enough to compare by."""
    return None if value is None else float(f"{value:.6g}")


# --- reading it ---


class Level(NamedTuple):
    """value: as the report's tables say. rest: without its largest record, else the value. seconds: sampled."""

    value: float
    rest: float
    seconds: float | None
    marked: bool


@dataclass(frozen=True)
class Sweep:
    """One figures.json that was read. peers: {host: set} of hosts with data; of: {set: hosts it should have had}."""

    id: str
    name: str
    peers: Mapping[str, str]
    kernels: Mapping[str, str]
    of: Mapping[str, int]
    hashes: Mapping[str, str]
    sampled: Mapping[str, frozenset[str]]
    measures: Mapping[MeasureId, Mapping[str, Level]]


def read(run_id: str, data: Mapping[str, Any]) -> Sweep:
    """Return what a figures.json holds; what is not as it should be is left out. Older formats hold nothing."""
    hosts = [host if isinstance(host, str) else "" for host in _list(data.get("hosts"))]
    measures: dict[MeasureId, dict[str, Level]] = {}
    hashes: dict[str, str] = {}
    sampled: dict[str, frozenset[str]] = {}
    for entry in _list(data.get("probes")):
        probe, series_hash = _text(entry, "probe"), _text(entry, "hash")
        if not probe or not series_hash:
            continue
        hashes[probe] = series_hash
        seconds, marked = (_per_host(entry.get(key), hosts) for key in ("sampled_s", "marked"))
        for table, columns in _items(entry.get("tables")):
            for measure, lists in _items(columns):
                values, rests = (_per_host(lists.get(key), hosts) for key in ("value", "rest"))
                measures[probe, table, measure] = dict(_levels(values, rests, seconds, marked))
        held = {host for id_, levels in measures.items() if id_[0] == probe for host in levels}
        sampled[probe] = frozenset(held | {host for host, value in seconds.items() if value is not None})
    return Sweep(
        id=run_id,
        name=_text(data, "name"),
        peers={host: str(name) for host, name in _per_host(data.get("peers"), hosts).items()},
        kernels={host: str(name) for host, name in _per_host(data.get("kernels"), hosts).items()},
        of=dict(_counts(data.get("of"))),
        hashes=hashes,
        sampled=sampled,
        measures=measures,
    )


def _levels(
    values: Mapping[str, Any], rests: Mapping[str, Any], seconds: Mapping[str, Any], marked: Mapping[str, Any]
) -> Iterator[tuple[str, Level]]:
    for host, said in values.items():
        value, rest, time = _number(said), _number(rests.get(host)), _number(seconds.get(host))
        if value is not None:
            yield host, Level(value, value if rest is None else rest, time, bool(marked.get(host)))


def _per_host(listed: Any, hosts: Sequence[str]) -> dict[str, Any]:
    items = _list(listed)
    return dict(zip(hosts, items, strict=True)) if len(items) == len(hosts) else {}


def _counts(data: Any) -> Iterator[tuple[str, int]]:
    for name, many in data.items() if isinstance(data, Mapping) else ():
        if isinstance(many, int) and not isinstance(many, bool):
            yield str(name), many


def _text(data: Any, key: str) -> str:
    value = data.get(key) if isinstance(data, Mapping) else None
    return value if isinstance(value, str) else ""


def _items(value: Any) -> list[tuple[str, Mapping[str, Any]]]:
    if not isinstance(value, Mapping):
        return []
    return [(str(name), item) for name, item in value.items() if isinstance(item, Mapping)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    """Return a number that figures can be compared with, else None."""
    known = figures.number(value)
    return known if known is not None and known >= 0 else None


# --- what is usual, and what is suspected ---


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
            host: self._known(SeriesId("host", host, *self.measure), history.get(host, ())) for host in series
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
        found = self._known(name, middles)
        usual = self.memory.frozen.get(name)
        if usual is None and len(found) >= LEARN:
            usual = _usual(found, _sides([position for _unused, position in found]), SET_FLOOR)
        if usual is None:
            result.learning += 1
            return
        middle = median(logs.values())
        self._test(result, name, usual, math.exp(middle) - self.offset, middle, 0.0, SET_RATIO)

    def _known(self, name: SeriesId, found: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
        """Return what counts of a series: not what was suspected, nor what was before it was accepted anew."""
        since, until = self.memory.accepted.get(name, ("", ""))
        excluded = self.memory.excluded
        kept = [
            item
            for item in found
            if item[0] > since and (item[0] <= until or name not in excluded.get(item[0], ()))
        ]
        return kept[-self.most :]

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
    return _Sides(max(both, above / quantile), max(both, below / quantile))


def _shrunk(own: _Sides, common: _Sides, sweeps: int) -> _Sides:
    """Return a host's scatter, drawn towards that of the other hosts, and no smaller than theirs."""
    drawn = (
        math.sqrt((sweeps * mine**2 + SHRINK * theirs**2) / (sweeps + SHRINK))
        for mine, theirs in zip(own, common, strict=True)
    )
    return _Sides(*(max(mine, theirs) for mine, theirs in zip(drawn, common, strict=True)))


def _same_hour(one: str, other: str) -> bool:
    """Return True if two run ids are of the same hour of the day, or of hours beside each other."""
    apart = abs(int(one[9:11]) - int(other[9:11]))
    return min(apart, 24 - apart) <= 1
