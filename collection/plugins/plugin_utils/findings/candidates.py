# SPDX-License-Identifier: GPL-3.0-or-later
"""What a comparison or a check has to say of one figure, before it is put into a sentence with its likes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.fleet import Cells, Key, MergedTable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Check, Column, Severity

Kind = Literal["compare", "check", "calls"]
Family = Literal["host", "key", "calls"]

RANK: dict[Severity, int] = {"critical": 0, "warning": 1, "info": 2}
FAMILIES: dict[Family, float] = {"host": 0.6, "key": 0.2, "calls": 0.1}
"""How the one chance of a false finding that a report has is divided among what is looked at: a call trace with
thousands of functions must not hide what the totals of hosts say."""
LIMIT = 0.01
"""Of a hundred reports of hosts that are all alike, one may have a finding."""
STRONG = 10.0
"""A figure on its bad side by this factor is critical."""

EvidenceRow = tuple[str, Key, Cells]


@dataclass
class Signal:
    """One figure that stands out.

    up: it is above what was expected. others: the figures of the hosts it was compared with. chance: see
    `corrected`. records: behind the figure. elsewhere: most other hosts do not have the key.
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
        """How much it stands out: spreads, or of a threshold the logarithm of the factor."""
        if self.score is not None:
            return abs(self.score)
        ratio = self.ratio
        return abs(math.log(ratio)) if ratio else abs(self.value)

    @property
    def cause(self) -> tuple[str, str, str]:
        """What stands out on the same host in the same table (or process) is of one cause."""
        return self.host, self.evidence.name, self.table

    @property
    def order(self) -> tuple[int, float, str, str, str, str]:
        """Worst first, then strongest; names decide the rest, so that the order never varies."""
        return (
            RANK[self.severity],
            -self.strength,
            self.host,
            self.evidence.name,
            self.table,
            self.column.name,
        )


def severity(column: Column, up: bool, factor: float, hosts: int) -> Severity:
    """How bad it is that a host lies on this side of the others. factor: by how much, 1 or more."""
    bad = {"worse": up, "better": not up}.get(column.more_is)
    if not bad:
        return "info"
    return "critical" if factor >= STRONG and hosts > 2 else "warning"


def corrected(unlikely: float, family: Family, tests: int) -> float | None:
    """The probability that anything of the kind turns up in a report of alike hosts, among so many comparisons.

    None if that is too likely to be spoken of.
    """
    chance = min(1.0, unlikely * tests / FAMILIES[family])
    return chance if chance <= LIMIT else None
