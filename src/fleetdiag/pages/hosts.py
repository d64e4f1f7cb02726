# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of hosts and measures: how far each lay from what is usual in the last run, where that is known.

Only measures of which a finding is open or a suspicion stands have a column: all others are as usual on every host.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from fleetdiag.notify import summary
from fleetdiag.notify.message import clean
from fleetdiag.notify.summary import Summary

MAX_HOSTS = 500
MAX_MEASURES = 12
_NAME = ("probe", "table", "measure")
Measure = tuple[str, str, str]


@dataclass(frozen=True)
class Grid:
    """heads: of the columns after that of the host. rows: (host, cells as {words, kind}). more: hosts left out."""

    heads: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Mapping[str, str]]]]
    more: int


def grid(sweeps: Sequence[Summary]) -> Grid:
    """Return the table of all hosts that were swept last, the measures of each sweep beside its status."""
    names = sorted({host for sweep in sweeps for host in summary.coverage(sweep.last)})
    columns = [(sweep, measure) for sweep in sweeps for measure in (None, *_measures(sweep))]
    heads = [sweep.name if measure is None else clean(".".join(measure), 120) for sweep, measure in columns]
    rows = [
        (
            clean(host, 120),
            [
                _status(sweep, host) if measure is None else _score(sweep, measure, host)
                for sweep, measure in columns
            ],
        )
        for host in names[:MAX_HOSTS]
    ]
    return Grid(heads, rows, max(0, len(names) - MAX_HOSTS))


def _measures(sweep: Summary) -> list[Measure]:
    """Return the measures with a finding or a suspicion, those of findings first."""
    items = [*sweep.open(), *summary.listed(sweep.news, "suspects")]
    return list(dict.fromkeys(map(_measure, items)))[:MAX_MEASURES]


def _measure(item: Mapping[str, Any]) -> Measure:
    probe, table, measure = (str(item.get(key, "")) for key in _NAME)
    return probe, table, measure


def _of(items: Sequence[Mapping[str, Any]], host: str) -> Iterator[Mapping[str, Any]]:
    """Yield the items about a host, by itself or among those that a finding names."""
    for item in items:
        members = item.get("hosts")
        if (item.get("of") == "host" and item.get("who") == host) or (
            isinstance(members, list) and host in members
        ):
            yield item


def _status(sweep: Summary, host: str) -> dict[str, str]:
    status = summary.coverage(sweep.last).get(host, "")
    found = sum(1 for _ in _of(sweep.open(), host))
    suspect = any(_of(summary.listed(sweep.news, "suspects"), host))
    words = f"{clean(status, 20)}, {plural(found, 'finding')}" if found else clean(status, 20)
    bad = found or (status and status not in summary.PROBED)
    return {"words": words or "-", "kind": "bad" if bad else "suspect" if suspect else ""}


def _score(sweep: Summary, measure: Measure, host: str) -> dict[str, str]:
    """Return a cell: spreads from what is usual by the own past, else times what the peers have."""

    def mine(key: str) -> list[Mapping[str, Any]]:
        return [item for item in _of(summary.listed(sweep.news, key), host) if _measure(item) == measure]

    found = [item for item in _of(sweep.open(), host) if _measure(item) == measure]
    suspects = mine("suspects")
    scores = [item["scores"][-1] for item in mine("watched") if _is_numbers(item.get("scores"))]
    ratios = [item.get("ratio") for item in (*found, *suspects) if _is_numbers([item.get("ratio")])]
    words = ""
    if scores and scores[0]:
        words = f"{scores[0]:+.1f} spreads"
    elif ratios and ratios[0]:
        words = f"{ratios[0]:.2g} times"
    elif found:
        words = "open"
    return {"words": words, "kind": "bad" if found else "suspect" if suspects else ""}


def _is_numbers(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(type(item) in (int, float) for item in value)
