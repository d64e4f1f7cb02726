# SPDX-License-Identifier: GPL-3.0-or-later
"""Suspicions of single sweeps -> series that are suspected again and again: NEED of the last AMONG covered sweeps.

One suspicion is chance more often than not; three of four are not, while errors of a short past do not add up (as they
do in a running sum). docs/sweeps.md has the simulated figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.compare_past import (
    SUSPECT,
    Judgement,
    SeriesId,
    Usual,
)

NEED, AMONG = 3, 4
STRICT = SUSPECT + 1
PER_MILLION = 1.0
"""False alarms per million series-sweeps that SUSPECT is good for."""


@dataclass(frozen=True)
class Watched:
    """A series with a suspicion lately. marks: of its last covered sweeps, `u` or `d` (suspected, up or down) or `0`.

    usual: what was usual before the first of them, which it is compared with until all is well again.
    """

    series: SeriesId
    marks: str
    usual: Usual

    def confirmed(self, mark: str) -> bool:
        """Return True if enough of the last sweeps, the latest among them, are to the same side."""
        return self.marks.endswith(mark) and self.marks[-AMONG:].count(mark) >= NEED


def spreads(tests: int, per_week: float, alarms_per_week: float) -> float:
    """Return how far a figure must lie from what is usual, so that there are not more false alarms a week."""
    expected = tests * per_week * PER_MILLION / 1e6
    return STRICT if expected > alarms_per_week else SUSPECT


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
        mark = "0" if found is None else "u" if found.up else "d"
        marks = (item.marks + mark)[-AMONG:]
        if marks.strip("0") or series in open_ones:
            after[series] = Watched(series, marks, item.usual)
    for series, found in suspected.items():
        after[series] = Watched(series, "u" if found.up else "d", found.usual)
    return after


# --- in news.json ---


def to_json(item: Watched) -> dict[str, Any]:
    """Return the series as news.json has it."""
    usual = item.usual
    return {
        **item.series._asdict(),
        "marks": item.marks,
        "middle": float(f"{usual.middle:.9g}"),
        "spread": float(f"{usual.spread:.9g}"),
        "sweeps": usual.sweeps,
        "last_normal": usual.last_normal,
    }


def from_json(data: Any) -> Watched | None:
    """Return the series, or None if it is damaged."""
    if not isinstance(data, Mapping):
        return None
    series = series_from_json(data)
    marks, last = data.get("marks"), data.get("last_normal")
    numbers = [data.get(key) for key in ("middle", "spread", "sweeps")]
    if series is None or not isinstance(marks, str) or set(marks) - set("ud0") or not isinstance(last, str):
        return None
    if not all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in numbers):
        return None
    middle, spread, sweeps = (float(item) for item in numbers if item is not None)
    if spread <= 0 or sweeps < 1:
        return None
    return Watched(series, marks[-AMONG:], Usual(middle, spread, int(sweeps), last))


def series_from_json(data: Mapping[str, Any]) -> SeriesId | None:
    """Return the name of a series, or None if it is damaged."""
    parts = [data.get(key) for key in SeriesId._fields]
    if parts[0] not in ("host", "set") or not all(isinstance(part, str) for part in parts):
        return None
    return SeriesId(*parts)  # type: ignore[arg-type]
