# SPDX-License-Identifier: GPL-3.0-or-later
"""The plain data that findings are: one sentence for an engineer, and one line of the map of hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    ColumnType,
    MoreIs,
    Severity,
    Value,
)


@dataclass(frozen=True)
class Finding:
    """One sentence that an on-call engineer can act on, with the figures and the rows that prove it.

    key: empty for a figure of the whole host. value, expected, spread: in the measure's shown unit; expected is
    the median of the others, of the host's own past, or the threshold; spread is how far alike hosts lie apart.
    score: robust deviations from `expected`. chance: probability that hosts which are alike would show this
    anywhere in the report. mark: the losses that touch the figure. rows: (host, key, values) of at most 5 rows.
    symptoms: findings of the same incident, whose cause this one is; they are not in the report's own list.
    hosts: all that it speaks for, empty if that is the one. What is known of it from sweep to sweep, empty where
    nothing is: fingerprint, state, the sweep since which it is there and the last one without it, how many sweeps had
    it, and history: of the last covered ones `1` with it and `0` without. course: the measure in the last sweeps, the
    oldest first, None where it was not covered.
    """

    severity: Severity
    kind: Literal["compare", "check", "changed", "set", "calls", "sides", "events"]
    host: str
    probe: str
    table: str
    measure: str
    sentence: str
    value: float
    key: tuple[Value, ...] = ()
    unit: str = ""
    type: ColumnType = "float"
    peers: int = 0
    peer_set: str = ""
    expected: float | None = None
    spread: float | None = None
    ratio: float | None = None
    score: float | None = None
    chance: float | None = None
    mark: str = ""
    rows: tuple[tuple[str, tuple[Value, ...], tuple[Value | None, ...]], ...] = ()
    symptoms: tuple[Finding, ...] = ()
    hosts: tuple[str, ...] = ()
    fingerprint: str = ""
    state: str = ""
    since: str = ""
    last_normal: str = ""
    sweeps: int = 0
    history: str = ""
    course: tuple[float | None, ...] = ()

    @property
    def told(self) -> tuple[Finding, ...]:
        """Return the finding itself, and its symptoms."""
        return (self, *self.symptoms)


@dataclass(frozen=True)
class Comparison:
    """One measure on the hosts of one peer set, for a line of the hosts x measures map.

    values: by host, hosts without data left out. scores: signed robust deviations from the median, 0 when
    alike, at most 99 either way. found: the hosts of which a finding speaks.
    """

    probe: str
    table: str
    measure: str
    label: str
    peer_set: str
    values: Mapping[str, float]
    scores: Mapping[str, float]
    unit: str = ""
    type: ColumnType = "float"
    more_is: MoreIs = "neutral"
    key: tuple[Value, ...] = ()
    median: float | None = None
    spread: float | None = None
    found: tuple[str, ...] = ()
