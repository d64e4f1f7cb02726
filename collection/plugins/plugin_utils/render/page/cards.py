# SPDX-License-Identifier: GPL-3.0-or-later
"""The findings as cards: a sentence, its figures, and the rows that prove it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import phrases
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Table
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import sparkline
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import values as cells
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.grids import Grid
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import packed, values
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page.data import MAX_FINDINGS
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.values import HOST
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import ProbeReport, Report
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import names

OPEN = 12
"""Findings that are open to the eye; further ones are folded away."""
TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass
class Card:
    """One finding. anchor: where its rows are. symptoms: sentences of the same incident.

    last_normal: address of the report of the last sweep without it, and when that was.
    """

    number: int
    severity: str
    kind: str
    sentence: str
    figures: list[tuple[str, str]]
    mark: str
    anchor: str
    where: str
    proof: Grid | None
    symptoms: list[str]
    last_normal: tuple[str, str] | None = None


def cards(report: Report) -> list[Card]:
    """Return the findings, worst first."""
    probes = {probe.name: (number, probe) for number, probe in enumerate(report.probes, 1)}
    return [_card(number, finding, probes) for number, finding in enumerate(report.findings[:MAX_FINDINGS])]


def _card(number: int, finding: Finding, probes: Mapping[str, tuple[int, ProbeReport]]) -> Card:
    at, probe = probes.get(finding.probe, (0, None))
    listed = probe.tables if probe else []
    place = next((n for n, item in enumerate(listed, 1) if item.table.name == finding.table), 0)
    if place:
        anchor = f"p{at}t{place}"
    elif finding.kind == "calls" and probe is not None and (probe.fleet_calls or probe.fleet_stacks):
        anchor = f"p{at}calls"
    else:
        anchor = f"p{at}" if probe else "findings"
    words = [packed.text(probe.title or probe.name) if probe else packed.text(finding.probe)]
    words += [packed.text(finding.table)] if place and len(listed) > 1 else []
    return Card(
        number=number,
        severity=finding.severity,
        kind=finding.kind,
        sentence=printable(finding.sentence),
        figures=_figures(finding),
        mark=packed.text(finding.mark),
        anchor=anchor,
        where=", ".join(words),
        proof=_proof(number, finding, listed[place - 1].table) if place and finding.rows else None,
        symptoms=[printable(under.sentence) for under in finding.symptoms],
        last_normal=_last_normal(finding),
    )


def _last_normal(finding: Finding) -> tuple[str, str] | None:
    """Return where the report of the last normal sweep is, beside this run's directory, and when that was."""
    if not names.is_id(finding.last_normal):
        return None
    return f"../{finding.last_normal}/report.html", phrases.moment(finding.last_normal)


_EXPECTED = {
    "compare": "Others' median",
    "check": "Threshold",
    "changed": "Before",
    "set": "Before",
    "calls": "Others' median",
    "events": "Others' median",
}


def _figures(finding: Finding) -> list[tuple[str, str]]:
    def figure(value: float) -> str:
        return values.shown(finding.type, value, finding.unit)

    shown = [("Here", figure(finding.value))]
    if finding.expected is not None:
        shown.append((_EXPECTED.get(finding.kind, "Expected"), figure(finding.expected)))
    if finding.spread is not None:
        shown.append(("Spread", figure(finding.spread)))
    if finding.ratio is not None:
        shown.append(("Factor", f"{TIMES} {values.amount(finding.ratio)}"))
    if finding.peers and finding.kind in ("changed", "set"):
        shown.append(("Compared with", plural(finding.peers, "normal sweep")))
    elif finding.peers:
        peers = plural(finding.peers, "host")
        shown.append(
            ("Compared with", f"{peers} of {packed.text(finding.peer_set)}" if finding.peer_set else peers)
        )
    if finding.score is not None:
        shown.append(("Deviation", f"{values.amount(abs(finding.score))} robust deviations"))
    if finding.chance is not None:
        shown.append(("By chance", chance(finding.chance)))
    if finding.since:
        shown.append(("Since", f"{phrases.moment(finding.since)} ({plural(finding.sweeps, 'sweep')})"))
    if len(finding.course) > 1:
        top = max(value for value in finding.course if value is not None)
        shown.append(("Last sweeps", sparkline.line(finding.course, top)))
    elif len(finding.history) > 1:
        shown.append(("Last sweeps", phrases.strip(finding.history)))
    return shown


def chance(probability: float) -> str:
    """Return how often hosts that are alike would show this: `1 in 2,000 reports`."""
    if probability >= 0.1:
        return f"{100 * probability:.0f} %"
    if probability < 1e-6:
        return "less than 1 in a million reports"
    return f"1 in {values.amount(float(f'{1 / probability:.2g}'))} reports"


def _proof(number: int, finding: Finding, table: Table) -> Grid:
    columns = (*table.keys, *table.measures)
    return Grid(
        f"The rows that prove finding {number + 1}",
        [values.titled(HOST), *map(cells.head_of, columns)],
        [
            [cells.text(host), *map(cells.value_cell, columns, values.packed_all((*key, *measures)))]
            for host, key, measures in finding.rows
        ],
    )
