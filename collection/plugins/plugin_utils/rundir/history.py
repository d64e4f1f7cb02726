# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run directory keeps for the sweeps after it, and what it once took from those before it.

The first report of a run compares it with earlier runs beside it and keeps what came of that in its own news.json;
every later report reads only that. So the same run directory gives the same report, whatever becomes of its neighbours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import BASELINE

FIGURES = "figures.json"
NEWS = "news.json"
DEFAULT = BASELINE
MAX_LOOKED_AT = 500
"""Earlier run directories that are opened in search of them."""


def check(most: int, name: str) -> None:
    """Refuse a number of earlier sweeps that makes no sense. name: of the option that asked for it."""
    if not 0 <= most <= MAX_LOOKED_AT:
        raise FleetdiagError(
            f"{name}: {most} is no number of earlier sweeps; say 1 to {MAX_LOOKED_AT}, or 0 to compare with none"
        )


def keep(run_path: Path, figures: Mapping[str, Any], news: Mapping[str, Any]) -> None:
    """Write figures.json, and news.json unless the run has one already or is to have none."""
    if not read.has_raw(run_path):
        return  # what the hosts sent is not kept any more: there is nothing to make them of
    write.write_text(run_path, FIGURES, _text(figures))
    if news and read.read_json(run_path, NEWS) is None:
        write.write_text(run_path, NEWS, _text(news))


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"), allow_nan=False) + "\n"
