# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings of one incident -> one finding: the cause, with its symptoms under it.

A client waits for an answer, the disk of its server is busy, and the slow file is named on the client: three probes
tell the same story. What belongs together is told by hosts and paths that are equal, never by what happens at the
same time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.candidates import RANK
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Table

_DISK_TOPICS = ("io", "filesystem", "nfs")


class Told(NamedTuple):
    """A finding and the same in short, for the verdict."""

    finding: Finding
    short: str


@dataclass(frozen=True)
class SlowAnswer:
    """A slow answer of a server. probes: those that saw it from either side. paths: the files asked for. below: the
    server's file system or disk took most of it."""

    told: Told
    server: str
    clients: frozenset[str]
    probes: tuple[str, str]
    paths: frozenset[str]
    below: bool


def join(told: Sequence[Told], slow: Sequence[SlowAnswer], evidence: Sequence[Evidence]) -> list[Told]:
    """Put each finding that is a symptom of another one under it; the worst first, else in the order given.

    slow: causes, which come before findings that are equally bad.
    """
    known = _Known(evidence)
    left, causes = list(told), []
    for one in slow:
        mine = [item for item in left if known.is_symptom(item.finding, one)]
        left = [item for item in left if item not in mine]
        causes.append(_with(one.told, mine))
    return sorted([*causes, *_of_one_file(left, known)], key=lambda item: RANK[item.finding.severity])


def _of_one_file(told: Sequence[Told], known: _Known) -> list[Told]:
    """Join what several probes saw of the same file on the same host: it is one finding, the first of them."""
    stories: dict[tuple[str, ...], list[Told]] = {}
    for number, item in enumerate(told):
        path = known.path(item.finding)
        story = (item.finding.host, path) if path else (str(number),)
        stories.setdefault(story, []).append(item)
    return [_with(first, more) for first, *more in stories.values()]


def _with(cause: Told, symptoms: Sequence[Told]) -> Told:
    """Return the cause with its symptoms under it, as severe as the worst of them and itself."""
    under = tuple(one for item in symptoms for one in item.finding.told)
    severity = min((one.severity for one in (cause.finding, *under)), key=RANK.__getitem__)
    return Told(replace(cause.finding, severity=severity, symptoms=under), cause.short)


class _Known:
    """What the tables say of findings."""

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        self._topics: Mapping[str, str] = {probe.name: probe.topic for probe in evidence}
        self._tables: Mapping[tuple[str, str], Table] = {
            (probe.name, merged.table.name): merged.table for probe in evidence for merged in probe.tables
        }

    def is_symptom(self, finding: Finding, cause: SlowAnswer) -> bool:
        """Return True if the finding is about waiting for this answer, on either side."""
        if not self._is_waiting(finding):
            return False
        if finding.host in cause.clients:
            return finding.probe in cause.probes or not cause.paths.isdisjoint(self._paths(finding))
        if finding.host != cause.server:
            return False
        return finding.probe in cause.probes or (
            cause.below and self._topics.get(finding.probe) in _DISK_TOPICS
        )

    def path(self, finding: Finding) -> str:
        """Return the file that a finding about waiting names first; empty if there is none."""
        paths = self._paths(finding)
        return paths[0] if paths and self._is_waiting(finding) else ""

    def _paths(self, finding: Finding) -> list[str]:
        table = self._tables.get((finding.probe, finding.table))
        places = [at for at, column in enumerate(table.keys) if column.type == "path"] if table else []
        paths = [str(key[at]) for _unused, key, _unused2 in finding.rows for at in places]
        return [path for path in paths if path and not path.startswith("(")]

    def _is_waiting(self, finding: Finding) -> bool:
        """Return True for more time than usual, and for events past a threshold."""
        table = self._tables.get((finding.probe, finding.table))
        if table is not None and table.events is not None and finding.measure == table.events.count:
            return finding.value > 0
        more = finding.expected is None or finding.value >= finding.expected
        return finding.type == "duration" and more and finding.kind != "sides"
