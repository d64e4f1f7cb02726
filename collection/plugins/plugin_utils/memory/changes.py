# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not as it was: suspicions that stand long enough become findings (series B and C)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import compare_past, past_sentences
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.compare_past import (
    SeriesId,
    Suspicion,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.limits import MANY_HOSTS
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import fingerprint, persistence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.news_file import State, excluded
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.past import Past
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.this_run import Run


@dataclass(frozen=True)
class Change:
    """A finding that something is not as it was. doubled: the hosts compared with each other say the same."""

    finding: Finding
    suspicion: Suspicion
    since: str
    doubled: bool = False


def of_sweep(
    run: Run,
    past: Past,
    state: State,
    judged: compare_past.Judgement,
    watched: Mapping[SeriesId, persistence.Watched],
) -> list[Change]:
    """Return what was suspected often enough, or is open; of each table of a host the strongest measure."""
    is_open = {
        (record.of, record.who, record.probe, record.table)
        for record in state.open
        if record.told and fingerprint.FAMILIES.get(record.kind, record.kind) in ("differs", "set")
    }
    wanted = run.settings
    need = persistence.needed(len(judged.tested), wanted.per_week, wanted.alarms_per_week)
    strongest: dict[tuple[str, str, str, str], Suspicion] = {}
    for item in judged.suspicions:
        series = item.series
        cause = (series.of, series.who, series.probe, series.table)
        if not (watched[series].confirmed(item.up, need) or cause in is_open):
            continue
        if cause not in strongest or abs(item.score) > abs(strongest[cause].score):
            strongest[cause] = item
    compared = {
        (host, finding.probe, finding.table)
        for finding in run.findings
        if finding.kind == "compare"
        for host in (finding.hosts or (finding.host,))
    }
    made: list[Change] = []
    for group in _alike(strongest.values(), state):
        item, series = group[0], group[0].series
        column = run.columns[series.probe, series.table, series.measure]
        hosts = [other.series.who for other in group[1:]]
        if series.of == "set":
            finding = past_sentences.of_set(item, column, (), _kernels(run, past, item, None))
        else:
            finding = past_sentences.of_host(item, column, _kernels(run, past, item, series.who), hosts)
        doubled = all((other.series.who, series.probe, series.table) in compared for other in group)
        made.append(Change(finding, item, _first_bad(past, series, item, run.figures.id), doubled))
    return made


def _alike(items: Iterable[Suspicion], state: State) -> list[list[Suspicion]]:
    """Return the suspicions in groups: one speaks for many hosts of a set that moved alike, the strongest first."""
    together = {
        (record.who, record.probe, record.table, record.measure, record.direction)
        for record in state.open
        if record.kind == "changed" and record.of == "set"
    }
    groups: dict[tuple[str, ...], list[Suspicion]] = {}
    for item in sorted(items, key=lambda item: (-abs(item.score), item.series)):
        series = item.series
        side = "up" if item.up else "down"
        groups.setdefault((series.of, item.peer_set, *series[2:], side), []).append(item)
    result: list[list[Suspicion]] = []
    for name, group in groups.items():
        if len(group) > MANY_HOSTS or name[1:] in together:
            result.append(group)
        else:
            result += [[item] for item in group]
    return result


def _kernels(run: Run, past: Past, item: Suspicion, host: str | None) -> tuple[str, str]:
    """Return the kernels of the last normal sweep and of now; of a set that of its hosts, if they have one alone."""
    then = next((sweep for sweep in past.sweeps if sweep.id == item.usual.last_normal), None)
    if then is None:
        return "", ""
    if host is not None:
        return then.kernels.get(host, ""), run.figures.kernels.get(host, "")
    hosts = [name for name, peer_set in run.figures.peers.items() if peer_set == item.series.who]
    kernels = [{sweep.kernels.get(name, "") for name in hosts} - {""} for sweep in (then, run.figures)]
    one = [next(iter(found)) if len(found) == 1 else "" for found in kernels]
    return (one[0], one[1]) if all(one) else ("", "")


def _first_bad(past: Past, series: SeriesId, item: Suspicion, now: str) -> str:
    later = (sweep.id for sweep in past.sweeps if sweep.id > item.usual.last_normal)
    return next((found for found in later if series in excluded(past.news.get(found, {}))), now)
