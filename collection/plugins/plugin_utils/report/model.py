# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as a value: what every output form prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence, HostStacks
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import calltrees, results
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.forms import FORMS, Form
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    CallTree,
    Comparison,
    Finding,
    Layout,
    Output,
    Value,
    View,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import coverage
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.traffic import Traffic

SCHEMA = "fleetdiag.report/3"


@dataclass(frozen=True)
class RunInfo:
    """One run directory. start, end: the window by the controller's clock (epoch seconds), None if it never came.

    batches: how many windows there were one after the other, from `start` to `end`; 0 if one for all. name: of the
    sweep. hashes: of its probes, see rundir.series.
    """

    id: str
    path: str
    created: str
    fleetdiag: str
    window_s: float
    start: float | None
    end: float | None
    hosts: int
    builders: tuple[str, ...]
    conditions: Mapping[str, Any]
    batches: int = 0
    name: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Built:
    """One module of one kernel: status built, cached or failed; error holds SystemTap's message with its
    line."""

    kernel: str
    builder: str
    stap: str
    probe: str
    status: str
    seconds: float | None
    error: str
    hosts: tuple[str, ...]


@dataclass
class HostCalls:
    """The call trees of one host. more: nodes left out. lines: the first lines of the trace as it was printed.

    uncounted: of counted stacks, how often those were seen that were left out.
    """

    host: str
    trees: list[CallTree]
    more: int
    lines: list[str]
    uncounted: int = 0

    @property
    def total(self) -> int:
        """Return how many stacks were counted."""
        return self.uncounted + sum(
            node.count for tree in self.trees for node in tree.nodes if len(node.path) == 1
        )


@dataclass
class HostText:
    """The first lines one host printed, of `total`.

    times: of each line, milliseconds since the window's start; it was printed then or later, before the next one.
    timed: how that is known: `own` (the lines say it), `session` (told between them), or empty: only the order is.
    """

    host: str
    lines: list[str]
    total: int
    times: list[int | None] = field(default_factory=list)
    timed: str = ""


@dataclass
class ProbeReport:
    """One probe on all hosts. sessions: its coverage, by host (the same objects as in the coverage rows).

    heads: by host, the first lines of the output as it was printed, without the nonce. layouts, origin: of a
    script that was not written for fleetdiag, how its tables stand in the output, and where it is from. stacks: those
    that it counted, as trees; they are in its tables, too.
    """

    name: str
    description: str
    question: str
    output: Output
    cost: str
    parameters: dict[str, Value]
    sessions: dict[str, coverage.SessionCoverage] = field(default_factory=dict)
    tables: list[results.MergedTable] = field(default_factory=list)
    calls: list[HostCalls] = field(default_factory=list)
    fleet_calls: list[calltrees.FleetTree] = field(default_factory=list)
    stacks: list[HostCalls] = field(default_factory=list)
    fleet_stacks: list[calltrees.FleetTree] = field(default_factory=list)
    texts: list[HostText] = field(default_factory=list)
    heads: dict[str, list[str]] = field(default_factory=dict)
    not_built: list[Built] = field(default_factory=list)
    title: str = ""
    topic: str = "other"
    overhead: Mapping[str, Any] = field(default_factory=dict)
    views: tuple[View, ...] = ()
    layouts: tuple[Layout, ...] = ()
    origin: str = ""

    @property
    def form(self) -> Form:
        return FORMS[self.output]

    @property
    def sampled(self) -> list[str]:
        """Return hosts that gave data, sorted."""
        return sorted(host for host, session in self.sessions.items() if session.has_data)

    def mark(self, host: str) -> str:
        """Return the losses that touch this host's figures; empty when none do."""
        session = self.sessions.get(host)
        return session.mark if session else ""

    @property
    def evidence(self) -> Evidence:
        """Return what findings are made of."""
        return Evidence(
            name=self.name,
            parameters=self.parameters,
            tables=self.tables,
            sampled_s={host: self.sessions[host].sampled_s for host in self.sampled},
            marks={host: mark for host in self.sampled if (mark := self.mark(host))},
            calls=[(calls.host, calls.trees) for calls in self.calls],
            stacks=[HostStacks(each.host, each.trees, each.total) for each in self.stacks],
            topic=self.topic,
        )


@dataclass
class Report:
    """Everything a renderer needs. generated: the moment this report was made, the only thing that differs.

    findings: worst first. worth_a_look: a few differences that may be chance. comparisons: what was compared, found
    or not. peers: host -> name of the set of hosts it should be like. homes: host -> id of the run it is of. figures:
    what later sweeps take from this run. news: what became of findings since the sweep before, see memory.news; empty
    for several runs. traffic: of each run that was to lower weights on load balancers, what became of the requests.
    """

    generated: str
    verdict: str
    counts: dict[str, int]
    runs: list[RunInfo]
    coverage: list[coverage.HostCoverage]
    probes: list[ProbeReport]
    builds: list[Built]
    notes: list[str]
    findings: list[Finding] = field(default_factory=list)
    worth_a_look: list[Finding] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    peers: dict[str, str] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    news: Mapping[str, Any] = field(default_factory=dict)
    traffic: list[Traffic] = field(default_factory=list)
    schema: str = SCHEMA

    @property
    def all_findings(self) -> list[Finding]:
        """Return the findings, each followed by its symptoms."""
        return [one for finding in self.findings for one in finding.told]
