# SPDX-License-Identifier: GPL-3.0-or-later
"""What a comparison or a check has to say of one figure, before it is put into a sentence with its likes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import limits
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.limits import Family
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.keys import Cells, Key
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.results import MergedTable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Check, Column, Severity

Kind = Literal["compare", "check", "calls", "events"]

RANK: dict[Severity, int] = {"critical": 0, "warning": 1, "info": 2}

EvidenceRow = tuple[str, Key, Cells]


@dataclass
class Signal:
    """One figure that stands out.

    up: it is above what was expected. others: the figures of the hosts it was compared with. chance: see
    `corrected`. records: behind the figure. elsewhere: most other hosts do not have the key. counts_events: the
    figure is a number of events past a threshold of the probe, one at least.
    """

    kind: Kind
    severity: Severity
    host: str
    evidence: Evidence
    merged: MergedTable | None
    column: Column
    value: float
    up: bool
    key: Key = ()
    peers: int = 0
    peer_set: str = ""
    several_sets: bool = False
    others: Sequence[float] = ()
    other_host: str = ""
    expected: float | None = None
    spread: float | None = None
    score: float | None = None
    chance: float | None = None
    seconds: float | None = None
    elsewhere: bool = False
    counts_events: bool = False
    check: Check | None = None
    records: int = 0
    rows: list[EvidenceRow] = field(default_factory=list)

    @property
    def table(self) -> str:
        return self.merged.table.name if self.merged else ""

    @property
    def ratio(self) -> float | None:
        return self.value / self.expected if self.expected else None

    @property
    def strength(self) -> float:
        """Return how much it stands out: in spreads; for a threshold the log of the factor, for events of the count."""
        if self.score is not None:
            return abs(self.score)
        if self.kind == "events":
            return math.log1p(self.value)
        ratio = self.ratio
        return abs(math.log(ratio)) if ratio else abs(self.value)

    @property
    def certain(self) -> bool:
        """Return whether it is a fact, or a difference that is no chance."""
        return self.chance is None or self.chance <= limits.CHANCE

    @property
    def symptom(self) -> int:
        """Return what kind of trouble it is, the worst first: 0 for errors, events and waiting, 1 for more of something
        else that is bad, 2 for what is merely more, or less."""
        if self.counts_events or self.kind == "check":
            return 0
        if self.up != (self.column.more_is == "worse") or self.column.more_is == "neutral":
            return 2
        return 0 if self.column.type == "duration" else 1

    @property
    def cause(self) -> tuple[str, str, str]:
        """Return the host, probe and table: what stands out in the same table (or process) of a host is of one cause."""
        return self.host, self.evidence.name, self.table

    @property
    def order(self) -> tuple[float, str, str, str, str]:
        """Return a sort key of equally bad ones: strongest first; names decide the rest, so the order never varies."""
        return (
            -self.strength,
            self.host,
            self.evidence.name,
            self.table,
            self.column.name,
        )


def severity(column: Column, up: bool, factor: float, hosts: int) -> Severity:
    """Return how bad it is that a host lies on this side of the others. factor: by how much, 1 or more."""
    bad = {"worse": up, "better": not up}.get(column.more_is)
    if not bad:
        return "info"
    return "critical" if factor >= limits.CRITICAL_FACTOR and hosts > 2 else "warning"


def corrected(unlikely: float, family: Family, tests: int, most: float = limits.CHANCE) -> float | None:
    """Return the probability that anything of the kind turns up in a report of alike hosts, in so many comparisons.

    None if that is more likely than `most`, too likely to be spoken of.
    """
    chance = min(1.0, unlikely * tests / limits.FAMILIES[family])
    return chance if chance <= most else None
