# SPDX-License-Identifier: GPL-3.0-or-later
"""Is one host's figure unlike those of the others? Pure numbers; what they are figures of is said elsewhere.

How it is decided, and why so (measured by tests/bench/bench_findings.py, which holds this against its likes):

- Figures are compared on a logarithmic scale around the median of all hosts. Most of what is measured is a time,
  a size or a count, and differs by factors; and a tail that falls with a power of the value falls on this scale
  no slower than exp(-x), so that one rule serves for disks that are a little noisy and for those that are much.
- How far alike hosts lie apart is the larger of the median absolute deviation and a quantile of the same side
  that leaves one fifth of the hosts out of account. The first alone calls a skewed distribution narrow; the second
  alone is nothing on three hosts. Hosts that differ do not widen it while they are fewer than that fifth.
- Few hosts cannot tell how far alike hosts lie apart: a few (`prior`) are added in thought, which lie `spread` apart
  and besides as far as chance alone would have it, with records such as theirs. On 50 hosts that hardly counts, on
  three it decides, and of two it is all there is.
- How unlikely a deviation is, is read from Student's distribution and not from the normal one, because extremes of
  real figures are far more common than that. AGGREGATE is for figures in which many records have a part: upwards it
  takes the excess ratio (5 times is an excess of 4), which tells 5 times from noise of 20 % among 50 hosts where
  the logarithm cannot; there is no such thing downwards. SINGLE is for figures that one record can decide (the
  longest, the 99th percentile), which scatter by large factors among hosts that are alike: the logarithm. LARGEST is
  for the one largest record of a total, which must lie further out still to make a host different by itself.
- Counts must also be more than chance makes of a rate that all hosts share. Events come in clumps: as large as the
  hosts' own records say, and two at a time (CLUMP) where these are larger or do not tell; what lies beyond shows in
  how far the hosts lie apart. Six events of their own are then no chance where two hosts have none, six at once are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, median

LEAVE_OUT = 0.2
"""Share of the hosts that may differ without hiding each other."""
CLUMP = 2.0
LEAST_CLUMP = 1.25
"""Alike hosts are never equally busy: among MANY_HOSTS and more, some have more events than chance alone makes of them.
Fewer could not tell six against none from it."""
MANY_HOSTS = 5
MANY = 10_000
"""Numbers of events beyond this do not scatter by chance as far as hosts do anyhow."""
_MAD = 1.4826
_MAD_WEIGHT = 0.4
"""What a host says about the spread through a median of absolute deviations, against an exact estimate."""


@dataclass(frozen=True)
class Rule:
    """How a deviation is weighed. up, down: degrees of freedom of Student's distribution; excess: see above.

    spread, prior: so far apart lie the hosts that are added in thought, and so many they are.
    """

    up: float
    down: float
    excess: bool
    spread: float
    prior: float


AGGREGATE = Rule(up=6, down=20, excess=True, spread=0.2, prior=4)
SINGLE = Rule(up=6, down=10, excess=False, spread=0.3, prior=3)
LARGEST = Rule(up=4, down=10, excess=False, spread=0.3, prior=3)


@dataclass(frozen=True)
class Scale:
    """What is usual among some hosts: on the logarithmic scale, the middle and the spread to either side."""

    middle: float
    above: float
    below: float
    offset: float

    def wider(self, scatter: float) -> Scale:
        """Return the same for a host whose own figure lies so far apart besides, by chance."""
        return Scale(
            self.middle, math.hypot(self.above, scatter), math.hypot(self.below, scatter), self.offset
        )

    def deviation(self, value: float) -> float:
        """Return how far a figure lies from the middle, on the logarithmic scale; its sign says to which side."""
        return math.log(value + self.offset) - self.middle

    def score(self, value: float) -> float:
        """Return the deviation of a figure in spreads of its side."""
        away = self.deviation(value)
        return away / (self.above if away > 0 else self.below)


def scale(values: Sequence[float], offset: float, rule: Rule, scatter: float = 0.0) -> Scale:
    """Return what is usual among hosts with these figures (two at least, none below zero).

    offset: added to each, so that differences of this size count little beside it and zero has a logarithm.
    scatter: how far apart, relatively, they lie by chance, as far as each of them tells by itself.
    """
    logs = sorted(math.log(value + offset) for value in values)
    middle = _median(logs)
    hosts = len(logs)
    above, below = _sides(logs, middle)
    thought = _thought(rule, scatter)
    return Scale(middle, _mixed(above, hosts, rule, thought), _mixed(below, hosts, rule, thought), offset)


def _sides(logs: Sequence[float], middle: float) -> tuple[float, float]:
    """Return how far alike hosts lie apart above and below the middle, by these figures alone."""
    spread = _MAD * median([abs(log - middle) for log in logs])
    hosts = len(logs)
    if hosts < 4:
        return spread, spread
    left_out = max(1, int(LEAVE_OUT * hosts))
    quantile = NormalDist().inv_cdf((hosts - left_out - 0.5) / hosts)
    above, below = logs[hosts - left_out - 1] - middle, middle - logs[left_out]
    return max(spread, above / quantile), max(spread, below / quantile)


def of_one(other: float, offset: float, rule: Rule, scatter: float = 0.0) -> Scale:
    """Return what is usual for one of two hosts: the other's figure, with a spread that is assumed and not measured."""
    spread = _thought(rule, scatter) * math.sqrt(2)
    return Scale(math.log(other + offset), spread, spread, offset)


def chance(usual: Scale, value: float, rule: Rule) -> float:
    """Return the probability that a host which is like the others lies so far out, to either side."""
    away = usual.deviation(value)
    if away > 0:
        return student(_excess(away, rule) / usual.above, rule.up)
    return student(-away / usual.below, rule.down)


def _excess(away: float, rule: Rule) -> float:
    return math.expm1(min(away, 500.0)) if rule.excess else away


def _thought(rule: Rule, scatter: float) -> float:
    """Return how far apart alike hosts are assumed to lie as long as none has been seen."""
    return math.hypot(rule.spread, scatter)


def _mixed(spread: float, hosts: int, rule: Rule, thought: float) -> float:
    seen = _MAD_WEIGHT * (hosts - 1)
    return math.sqrt((rule.prior * thought**2 + seen * spread**2) / (rule.prior + seen))


def _median(ordered: Sequence[float]) -> float:
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


# --- counts ---


@dataclass(frozen=True)
class Rate:
    """How often something happened on some hosts, in how much time together."""

    count: float
    time: float

    def without(self, count: float, time: float) -> Rate:
        """Return the rate without one host."""
        return Rate(max(0.0, self.count - count), max(0.0, self.time - time))


def cap(counts: Sequence[float]) -> float:
    """Return the largest usual count; a host beyond it says no more about the rate than one that has just this."""
    middle = median(counts)
    return middle + 3 * math.sqrt(middle + 1)


def count_chance(count: float, time: float, others: Rate, clump: float = CLUMP) -> float:
    """Return the probability of so many, or so few, in `time` on a host with the rate of the others.

    That rate is known from their count only, so the answer is wider than Poisson's (a negative binomial
    distribution). clump: events that come at a time. 0 for many events on both sides.
    """
    if others.time <= 0 or time <= 0:
        return 1.0
    if min(count, others.count * time / others.time) > MANY:
        return 0.0
    own, theirs = count / clump, others.count / clump + 0.5
    share = time / (time + others.time)
    if own * others.time >= theirs * time:
        return 1.0 if own <= 0 else incomplete_beta(own, theirs, share)
    return incomplete_beta(theirs, own + 1, 1 - share)


# --- distributions ---


def student(deviation: float, degrees: float) -> float:
    """Return the probability that a value of Student's distribution lies further from zero than this, on either side."""
    return incomplete_beta(degrees / 2, 0.5, degrees / (degrees + deviation * deviation))


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the value of the regularised incomplete beta function I_x(a, b)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    # The fraction converges fast below the mean of the distribution only.
    if x < (a + 1) / (a + b + 2):
        return min(1.0, front * _fraction(a, b, x) / a)
    return max(0.0, 1 - front * _fraction(b, a, 1 - x) / b)


def _fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function, from its first term on."""
    tiny = 1e-300
    upper, lower = 1.0, 1 - (a + b) * x / (a + 1)
    lower = 1 / (lower if abs(lower) > tiny else tiny)
    value = lower
    for m in range(1, 500):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        step = 1.0
        for term in (even, odd):
            lower = 1 + term * lower
            lower = 1 / (lower if abs(lower) > tiny else tiny)
            upper = 1 + term / (upper if abs(upper) > tiny else tiny)
            step = lower * upper
            value *= step
        if abs(step - 1) < 1e-12:
            break
    return value
