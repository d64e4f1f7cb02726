# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of hosts that should be alike -> for each, how far it lies from the others and how unlikely that is.

A total that one record can make large says little: of heavy-tailed sizes and times the largest alone often
exceeds all others together, on hosts that are alike. So a total is looked at in two parts, the largest record
and the rest. The rest is a figure of many records and is judged as such; the largest record counts only if it is far
from the largest records of the others, which on such data scatter widely. (With whole totals instead, 100 reports of
50 alike hosts yielded 61 false findings; in this way 400 of them yielded none.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import figures, robust
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.figures import Figure
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Compare

_ENOUGH = 0.8
_SAME_TIME = 1.02


@dataclass(frozen=True)
class Opinion:
    """Of one host: its figure in the time that the others were watched, and what is thought of it.

    score: signed, in spreads. unlikely: probability by itself, None where the difference is not worth a word.
    """

    value: float
    score: float
    unlikely: float | None = None


@dataclass(frozen=True)
class _Part:
    """One way to look at the figures. upwards: it can only say that a host has more than the others."""

    values: Mapping[str, float]
    rule: robust.Rule
    upwards: bool = False
    scatter: float = 0.0


@dataclass
class Judge:
    """Judges one series: one measure (of one key) on the hosts of one set.

    seconds: what each host really sampled; figures that grow with time are compared as if all had been watched
    equally long, where that differs. single: one record may decide each figure, whatever the measure says.
    tests: how many comparisons it was, among which a difference could have turned up by chance.
    """

    column: Column
    compare: Compare
    found: Mapping[str, Figure]
    seconds: Mapping[str, float | None]
    single: bool = False
    tests: int = field(default=0, init=False)
    _looks: int = field(default=1, init=False)

    @cached_property
    def times(self) -> dict[str, float]:
        """Return the seconds of each host, the median where they are not known; all 1 where they need no attention."""
        known = [s for host in self.found if (s := self.seconds.get(host)) is not None and s > 0]
        if not figures.adds(self.column) or not known or max(known) <= _SAME_TIME * min(known):
            return dict.fromkeys(self.found, 1.0)
        usual = median(known)
        return {host: (self.seconds.get(host) or usual) for host in self.found}

    @cached_property
    def usual_time(self) -> float:
        return median(self.times.values())

    @cached_property
    def values(self) -> dict[str, float]:
        """Return each host's figure, scaled to the usual time."""
        return self._series(lambda figure: figure.value)

    @cached_property
    def offset(self) -> float:
        """Return what is added to all figures: differences of half the least difference shall count little."""
        values = self.values.values()
        least = 1.0 if figures.is_count(self.column) else 0.0
        return max(
            least,
            self.compare.min_difference / 2,
            0.02 * median(values),
            1e-6 * max(values, default=0),
            1e-12,
        )

    def opinions(self) -> dict[str, Opinion]:
        """Return the opinion of every host; nothing where there are fewer than two."""
        if len(self.found) < 2:
            return {}
        if len(self.found) == 2:
            return self._of_two()
        parts = [
            (part, robust.scale(list(part.values.values()), self.offset, part.rule, part.scatter))
            for part in self._parts()
        ]
        self._looks = len(parts)
        self.tests = len(self.found) if self._may_differ else 0
        middle = median(self.values.values())
        opinions = {}
        for host, value in self.values.items():
            worth = self._worth(value, middle)
            said = [self._of_part(host, part, usual, worth) for part, usual in parts]
            opinions[host] = min(
                said, key=lambda opinion: 2 if opinion.unlikely is None else opinion.unlikely
            )
        return opinions

    def worth(self, host: str) -> bool:
        """Return whether the host's figure differs enough from the middle to be worth a finding, likely or not."""
        return self._worth(self.values[host], median(self.values.values())) != 0

    def _of_part(self, host: str, part: _Part, usual: robust.Scale, worth: int) -> Opinion:
        own = part.values[host]
        more = self.found[host].scatter ** 2 - part.scatter**2 if part.scatter else 0.0
        if more > 0:
            usual = usual.wider(math.sqrt(more))
        score = usual.score(own)
        up = score > 0
        if not worth or up != (worth > 0) or (part.upwards and not up):
            return Opinion(self.values[host], score)
        unlikely = min(1.0, self._looks * robust.chance(usual, own, part.rule))
        return Opinion(self.values[host], score, max(unlikely, self._by_count(host)))

    def _of_two(self) -> dict[str, Opinion]:
        self.tests = 2 if self._may_differ else 0
        part = self._parts()[0]
        opinions = {}
        for host, value in self.values.items():
            (other,) = (name for name in self.found if name != host)
            usual = robust.of_one(part.values[other], self.offset, part.rule, part.scatter)
            opinions[host] = self._of_part(host, part, usual, self._worth(value, self.values[other]))
        return opinions

    def _parts(self) -> list[_Part]:
        if self.single:
            return [_Part(self.values, robust.SINGLE)]
        if figures.adds(self.column):
            top = self._series(lambda figure: figure.top or 0.0)
            return [self._rest(), _Part(top, robust.LARGEST, upwards=True)]
        settled = sum(figures.is_settled(self.column, figure) for figure in self.found.values())
        rests = sum(figure.rest is not None for figure in self.found.values())
        if max(settled, rests) < _ENOUGH * len(self.found):
            return [_Part(self.values, robust.SINGLE)]
        return [self._rest()]

    def _rest(self) -> _Part:
        """Return the figures without what one record made of them, where that can be told."""
        values = self._series(lambda figure: figure.value if figure.rest is None else figure.rest)
        return _Part(values, robust.AGGREGATE, scatter=median(item.scatter for item in self.found.values()))

    def _series(self, what: Callable[[Figure], float]) -> dict[str, float]:
        times, usual = self.times, self.usual_time
        return {host: what(figure) * usual / times[host] for host, figure in self.found.items()}

    def _worth(self, value: float, middle: float) -> int:
        """Return 1 (above) or -1 (below) if the difference from the middle is large enough for a finding, else 0."""
        if abs(value - middle) < self.compare.min_difference or value == middle:
            return 0
        more, less = max(value, middle), max(0.0, min(value, middle))
        if more < self.compare.min_ratio * less:
            return 0
        return 1 if value > middle else -1

    def _by_count(self, host: str) -> float:
        """Return the probability that chance alone makes the host's number of events; 0 for all other measures."""
        if not figures.is_count(self.column):
            return 0.0
        count, time = self.found[host].value, self.times[host]
        others = self._rate.without(min(count, self._cap * time), time)
        return robust.count_chance(count, time, others, self._clump)

    @property
    def _may_differ(self) -> bool:
        """Return False for so few events that no host could have had enough more than another to be told of."""
        if not figures.is_count(self.column):
            return True
        return sum(self.values.values()) >= max(1.0, self.compare.min_difference)

    @cached_property
    def _clump(self) -> float:
        """Return how many events come at a time, as far as the hosts' own records tell."""
        having = [figure for figure in self.found.values() if figure.value > 0]
        known = [(figure.clump, figure.value) for figure in having if figure.clump is not None]
        if not known or len(known) < len(having):
            return robust.CLUMP
        mean = sum(clump * value for clump, value in known) / sum(value for _unused, value in known)
        least = robust.LEAST_CLUMP if len(self.found) >= robust.MANY_HOSTS else 1.0
        return min(robust.CLUMP, max(least, mean))

    @cached_property
    def _cap(self) -> float:
        """Return the most events a second that a host contributes to the common rate."""
        return robust.cap([self.values[host] for host in self.found]) / self.usual_time

    @cached_property
    def _rate(self) -> robust.Rate:
        counts = (min(figure.value, self._cap * self.times[host]) for host, figure in self.found.items())
        return robust.Rate(sum(counts), sum(self.times.values()))
