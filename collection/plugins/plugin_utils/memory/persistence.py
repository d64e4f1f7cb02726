# SPDX-License-Identifier: GPL-3.0-or-later
"""Suspicions of single sweeps -> series that are suspected again and again.

All but one of the last covered sweeps must be suspected to the same side, and these by STRONG spreads on average: weak
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

NEED, NEED_OFTEN = 3, 4
"""Suspicions that are asked for; more where series are very many or sweeps frequent, whose time is short."""
KEPT = NEED_OFTEN + 1
STRONG = 3.5
PER_MILLION = 3.0
"""False alarms per million series-sweeps that NEED is good for."""
MOST = 8.0
"""A single suspicion counts no more than so many spreads, however far out it is."""


@dataclass(frozen=True)
class Watched:
    """A series with a suspicion lately. scores: of its last KEPT covered sweeps, signed, in spreads; 0: not suspected.

    usual: what was usual before the first of them, which it is compared with until all is well again.
    """

    series: SeriesId
    scores: tuple[float, ...]
    usual: Usual

    def confirmed(self, up: bool, need: int = NEED) -> bool:
        """Return True if `need` of the last need + 1, the latest among them, are to this side and strong together."""
        scores = [min(MOST, score if up else -score) for score in self.scores[-need - 1 :]]
        largest = sorted(scores)[-need:]
        return scores[-1] > 0 and len(largest) == need and largest[0] > 0 and sum(largest) >= need * STRONG


def needed(tests: int, per_week: float, alarms_per_week: float) -> int:
    """Return how many suspicions to ask for, so that there are not more false alarms a week."""
    return NEED_OFTEN if tests * per_week * PER_MILLION / 1e6 > alarms_per_week else NEED


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
        scores = (*item.scores, found.score if found else 0.0)[-KEPT:]
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
    return Watched(series, tuple(map(float, scores[-KEPT:])), Usual(middle, above, below, int(sweeps), last))


def series_from_json(data: Mapping[str, Any]) -> SeriesId | None:
    """Return the name of a series, or None if it is damaged."""
    parts = [data.get(key) for key in SeriesId._fields]
    if parts[0] not in ("host", "set") or not all(isinstance(part, str) for part in parts):
        return None
    return SeriesId(*parts)  # type: ignore[arg-type]
