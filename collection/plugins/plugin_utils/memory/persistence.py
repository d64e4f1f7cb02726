# SPDX-License-Identifier: GPL-3.0-or-later
"""Suspicions of single sweeps -> series that are suspected again and again.

NEED of the last AMONG covered sweeps must be suspected to the same side, and these by STRONG spreads on average: weak
points that together are strong. One suspicion is chance more often than not; and errors of a short past do not add up
here, as they do in a running sum. docs/sweeps.md has the simulated figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.compare_past import (
    Judgement,
    SeriesId,
    Usual,
)

NEED, AMONG = 3, 4
STRONG = 3.5
STRICT = 1.0
"""Spreads that are asked for in addition where series are very many."""
PER_MILLION = 3.0
"""False alarms per million series-sweeps that this is good for without STRICT."""
MOST = 8.0
"""A single suspicion counts no more than so many spreads, however far out it is."""


@dataclass(frozen=True)
class Watched:
    """A series with a suspicion lately. scores: of its last covered sweeps, signed, in spreads; 0 if not suspected.

    usual: what was usual before the first of them, which it is compared with until all is well again.
    """

    series: SeriesId
    scores: tuple[float, ...]
    usual: Usual

    def confirmed(self, up: bool, more: float = 0.0) -> bool:
        """Return True if enough of the last sweeps, the latest among them, are to this side and strong together."""
        scores = [min(MOST, score if up else -score) for score in self.scores[-AMONG:]]
        largest = sorted(scores)[-NEED:]
        return (
            scores[-1] > 0
            and len(largest) == NEED
            and largest[0] > 0
            and sum(largest) >= NEED * (STRONG + more)
        )


def strictness(tests: int, per_week: float, alarms_per_week: float) -> float:
    """Return the spreads to ask for in addition, so that there are not more false alarms a week."""
    return STRICT if tests * per_week * PER_MILLION / 1e6 > alarms_per_week else 0.0


def step(
    watched: Mapping[SeriesId, Watched], judged: Judgement, kept: Iterable[SeriesId] = ()
) -> dict[SeriesId, Watched]:
    """Return the watched series after a sweep. What was not tested stays as it was. kept: has an open finding."""
    suspected = {item.series: item for item in judged.suspicions}
    after: dict[SeriesId, Watched] = {}
    open_ones = set(kept)
    for series, item in watched.items():
        if series not in judged.tested:
            after[series] = item
            continue
        found = suspected.pop(series, None)
        scores = (*item.scores, found.score if found else 0.0)[-AMONG:]
        if any(scores) or series in open_ones:
            after[series] = Watched(series, scores, item.usual)
    for series, found in suspected.items():
        after[series] = Watched(series, (found.score,), found.usual)
    return after


# --- in news.json ---


def to_json(item: Watched) -> dict[str, Any]:
    """Return the series as news.json has it."""
    usual = item.usual
    return {
        **item.series._asdict(),
        "scores": [round(score, 2) for score in item.scores],
        "middle": float(f"{usual.middle:.9g}"),
        "above": float(f"{usual.above:.9g}"),
        "below": float(f"{usual.below:.9g}"),
        "sweeps": usual.sweeps,
        "last_normal": usual.last_normal,
    }


def from_json(data: Any) -> Watched | None:
    """Return the series, or None if it is damaged."""
    if not isinstance(data, Mapping):
        return None
    series = series_from_json(data)
    scores, last = data.get("scores"), data.get("last_normal")
    if series is None or not isinstance(scores, list) or not isinstance(last, str):
        return None
    numbers = [data.get(key) for key in ("middle", "above", "below", "sweeps")]
    if not all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in (*numbers, *scores)):
        return None
    middle, above, below, sweeps = (float(item) for item in numbers if item is not None)
    if min(above, below) <= 0 or sweeps < 1:
        return None
    return Watched(series, tuple(map(float, scores[-AMONG:])), Usual(middle, above, below, int(sweeps), last))


def series_from_json(data: Mapping[str, Any]) -> SeriesId | None:
    """Return the name of a series, or None if it is damaged."""
    parts = [data.get(key) for key in SeriesId._fields]
    if parts[0] not in ("host", "set") or not all(isinstance(part, str) for part in parts):
        return None
    return SeriesId(*parts)  # type: ignore[arg-type]
