# SPDX-License-Identifier: GPL-3.0-or-later
"""How a sweep is to be compared with its own past: the `memory` of its sweep.json."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError

SEASONS = ("", "hour")
CONFIRM = ("auto", "once", "always")
RARE = 13.0
"""Sweeps a week up to which a finding of the hosts against each other is told at once."""
_DAY_S = 86_400
_UNITS = {"h": 3_600, "d": _DAY_S, "w": 7 * _DAY_S}
_AGE = re.compile(r"(\d{1,5})\s*([hdw])")


@dataclass(frozen=True)
class Settings:
    """season: compare a set's level with the same hour only. confirm: `auto`, `once` or `always`.

    per_week: how often the sweep runs, 0 if that is not known. accept_after_s: seconds until a lasting change is
    the new normal, 0 for never. alarms_per_week: false alarms that are acceptable.
    """

    season: str = ""
    confirm: str = "auto"
    per_week: float = 0.0
    accept_after_s: float = 14.0 * _DAY_S
    alarms_per_week: float = 0.1

    @property
    def at_once(self) -> bool:
        """Return whether a finding of the hosts against each other is told without a second sweep."""
        if self.confirm == "auto":
            return self.per_week <= RARE
        return self.confirm == "once"


def parse(data: Mapping[str, Any], where: str = "sweep_memory") -> Settings:
    """Return the settings, with defaults. FleetdiagError for what is not known or makes no sense."""
    known = {"season", "confirm", "per_week", "accept_after", "alarms"}
    unknown = sorted(set(map(str, data)) - known)
    if unknown:
        raise FleetdiagError(f"{where}: {unknown[0]!r} is not known; there are {', '.join(sorted(known))}")
    season, confirm = str(data.get("season", "")), str(data.get("confirm", "auto"))
    if season not in SEASONS:
        raise FleetdiagError(f"{where}: season {season!r} is not known; say 'hour' or leave it out")
    if confirm not in CONFIRM:
        raise FleetdiagError(f"{where}: confirm {confirm!r} is not known; say one of {', '.join(CONFIRM)}")
    per_week = data.get("per_week", 0)
    if isinstance(per_week, bool) or not isinstance(per_week, (int, float)) or not 0 <= per_week <= 10_080:
        raise FleetdiagError(f"{where}: per_week {per_week!r} is no number of sweeps a week; say 0 to 10080")
    return Settings(
        season=season,
        confirm=confirm,
        per_week=float(per_week),
        accept_after_s=age_s(data.get("accept_after", "14d"), f"{where}: accept_after"),
        alarms_per_week=_alarms(data.get("alarms", "0.1/week"), f"{where}: alarms"),
    )


def tolerant(data: Any) -> Settings:
    """Return the settings of a sweep.json; what is damaged there is as if it had not been said."""
    try:
        return parse(data if isinstance(data, Mapping) else {})
    except FleetdiagError:
        return Settings()


def age_s(value: Any, where: str) -> float:
    """Return the seconds of `12h`, `14d` or `2w`; 0 for 0. FleetdiagError for anything else."""
    if value in (0, "0", ""):
        return 0.0
    found = _AGE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise FleetdiagError(f"{where}: {value!r} is no time; say 12h, 14d or 2w, or 0 for never")
    return float(int(found[1]) * _UNITS[found[2]])


def _alarms(value: Any, where: str) -> float:
    found = re.fullmatch(r"(\d{1,3}(?:\.\d{1,4})?)\s*/\s*week", value) if isinstance(value, str) else None
    if found is None:
        raise FleetdiagError(f"{where}: {value!r} is no rate; say for instance 0.1/week")
    return float(found[1])
