# SPDX-License-Identifier: GPL-3.0-or-later
"""One series of figures, of hosts that should be alike, that has been judged: the signals and the line of the map
of hosts and measures that come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import figures, limits
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.candidates import (
    EvidenceRow,
    Kind,
    Signal,
    corrected,
    severity,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.figures import Figure
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.limits import Family
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.outliers import Judge, Opinion
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.keys import Key
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.results import MergedTable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Comparison

MAX_SCORE = 99.0


@dataclass(frozen=True)
class Place:
    """A measure on the hosts of one set. merged: the table it is of; None for call trees."""

    evidence: Evidence
    merged: MergedTable | None
    column: Column
    hosts: Sequence[str]
    peer_set: str = ""
    several_sets: bool = False


@dataclass
class Series:
    """A measure of one key, or of whole hosts, with what was thought of each host.

    elsewhere: every host's key is its own, and in `keys`. shown: it is kept for the map of hosts and measures
    although nothing was found. proof: the rows that prove what is said of a host. counts_events: the figures are
    numbers of events past a threshold of the probe, so that every host with any has a signal.
    """

    place: Place
    judge: Judge
    opinions: Mapping[str, Opinion]
    key: Key = ()
    keys: Mapping[str, Key] = field(default_factory=dict)
    elsewhere: bool = False
    shown: bool = True
    proof: Callable[[str], list[EvidenceRow]] | None = None
    counts_events: bool = False

    def signals(self, family: Family, tests: int) -> Iterable[Signal]:
        """Yield one for each host that differs more than chance explains, in a family of so many comparisons.

        Those that are not certain are only worth a look.
        """
        for host, opinion in self.opinions.items():
            up = opinion.score > 0
            events = self.counts_events and self.judge.found[host].value > 0
            most = limits.CHANCE if events else limits.LOOK_CHANCE
            chance = None if opinion.unlikely is None else corrected(opinion.unlikely, family, tests, most)
            if chance is not None and self._is_told(host, up):
                signal = self._signal("calls" if family == "calls" else "compare", host, opinion, up)
                signal.chance = chance
                if not signal.certain:
                    signal.severity = "info"
            elif events:
                signal = self._signal("events", host, opinion, up)
                signal.severity, signal.score, signal.spread = "info", None, None
            else:
                continue
            signal.counts_events = events
            signal.rows = self._rows(host)
            yield signal

    def _is_told(self, host: str, up: bool) -> bool:
        """Return False where something else explains the difference, or says it."""
        place = self.place
        if not up and place.evidence.marks.get(host) and figures.adds(place.column):
            return False  # what was lost explains it
        # Of two hosts one is told of: the one that is worse off, or has more.
        return len(self.opinions) != 2 or up == (place.column.more_is != "better")

    def _rows(self, host: str) -> list[EvidenceRow]:
        if self.proof is not None:
            return self.proof(host)
        if self.place.merged is None:
            raise AssertionError
        return top_rows(self.place.merged, self.place.column, host, self.keys.get(host, self.key))

    def _signal(self, kind: Kind, host: str, opinion: Opinion, up: bool) -> Signal:
        place, judge = self.place, self.judge
        scaled = judge.times[host] / judge.usual_time
        others = [value * scaled for name, value in judge.values.items() if name != host]
        value = judge.found[host].value
        expected = median(others) if others else value
        more, less = max(value, expected) + judge.offset, min(value, expected) + judge.offset
        return Signal(
            kind=kind,
            severity=severity(place.column, up, more / less, len(judge.found)),
            host=host,
            evidence=place.evidence,
            merged=place.merged,
            column=place.column,
            value=value,
            up=up,
            key=self.keys.get(host, self.key),
            peers=len(others),
            peer_set=place.peer_set,
            several_sets=place.several_sets,
            others=others,
            other_host=next(name for name in judge.found if name != host) if len(others) == 1 else "",
            expected=expected if others else None,
            spread=spread(others) if others else None,
            score=clipped(opinion.score),
            seconds=place.evidence.sampled_s.get(host) if len(set(judge.times.values())) > 1 else None,
            elsewhere=self.elsewhere,
            records=judge.found[host].records,
        )

    def comparison(self, found: Sequence[str]) -> Comparison:
        """Return the line of the map. found: the hosts that a finding will speak of."""
        place, column = self.place, self.place.column
        values = {host: self.judge.found[host].value for host in sorted(self.judge.found)}
        return Comparison(
            probe=place.evidence.name,
            table=place.merged.table.name if place.merged else "",
            measure=column.name,
            label=column.words,
            peer_set=place.peer_set,
            values=values,
            scores={host: clipped(self.opinions[host].score) for host in values},
            unit=column.shown_unit,
            type=column.type,
            more_is=column.more_is,
            key=self.keys[found[0]] if self.elsewhere and found else self.key,
            median=median(values.values()),
            spread=spread(list(values.values())),
            found=tuple(sorted(found)),
        )


def judged(place: Place, found: Mapping[str, Figure], single: bool = False) -> Series | None:
    """Return the series of these figures, by host; None where there are too few to compare."""
    found = place.evidence.seen(found)
    if len(found) < 2 or place.column.compare is None:
        return None
    judge = Judge(place.column, place.column.compare, found, place.evidence.sampled_s, single)
    return Series(place, judge, judge.opinions())


def top_rows(merged: MergedTable, column: Column, host: str, key: Key = ()) -> list[EvidenceRow]:
    """Return the rows of a host that have most of a measure, or the one with this key."""
    position = figures.place_of(merged.table, column.name)
    rows = next((item.rows for item in merged.hosts if item.host == host), [])
    if key:
        return [(row.host, row.key, row.values) for row in rows if row.key == key]
    ordered = sorted(rows, key=lambda row: -(figures.number(row.values[position]) or 0.0))
    return [(row.host, row.key, row.values) for row in ordered[: limits.ROWS]]


def spread(values: Sequence[float]) -> float:
    """Return the median absolute deviation, as wide as the standard deviation of normally distributed figures."""
    middle = median(values)
    return 1.4826 * median([abs(value - middle) for value in values])


def clipped(score: float) -> float:
    return round(max(-MAX_SCORE, min(MAX_SCORE, score)), 2)
