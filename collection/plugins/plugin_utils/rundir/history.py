# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run directory keeps for the sweeps after it, and what it once took from those before it.

The first report of a run looks for earlier runs beside it and keeps what it took in its own baseline.json; every
later report reads only that. So the same run directory gives the same report, whatever becomes of its neighbours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import compare_past
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.names import is_id

FIGURES = "figures.json"
BASELINE = "baseline.json"
DEFAULT = 20
"""Earlier sweeps of the same probe that a host's figures are compared with."""
MAX_LOOKED_AT = 500
"""Earlier run directories that are opened in search of them."""


def check(most: int, name: str) -> None:
    """Refuse a number of earlier sweeps that makes no sense. name: of the option that asked for it."""
    if not 0 <= most <= MAX_LOOKED_AT:
        raise FleetdiagError(
            f"{name}: {most} is no number of earlier sweeps; say 1 to {MAX_LOOKED_AT}, or 0 to compare with none"
        )


def baseline_of(
    run: read.Run, probes: Mapping[str, Mapping[str, Any]], hosts: Sequence[str]
) -> dict[str, Any]:
    """The run's baseline.json: the one it keeps, else made from the runs beside it. Empty if it is to have none.

    probes: {name: parameters} of the run.
    """
    most = run.sweep.get("baseline", DEFAULT)
    if not isinstance(most, int) or most < 1:
        return {}
    kept = run.read_json(BASELINE)
    if kept is not None:
        return kept
    earlier = list(_earlier(run.path, str(run.sweep.get("id", "")), probes, most))
    return compare_past.baseline_of(earlier[::-1], probes, hosts, most)


def _earlier(
    path: Path, sweep_id: str, probes: Mapping[str, Mapping[str, Any]], most: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Id and figures of the earlier runs, the latest first, until there are `most` of each probe."""
    try:
        names = sorted(item.name for item in path.absolute().parent.iterdir() if is_id(item.name))
    except OSError:
        return
    missing = dict.fromkeys(probes, most)
    for name in [name for name in names if name < sweep_id][: -MAX_LOOKED_AT - 1 : -1]:
        try:
            data = read.read_json(path.absolute().parent / name, FIGURES)
        except FleetdiagError:
            continue
        found = [probe for probe in missing if data and compare_past.has(data, probe, probes[probe])]
        if data is None or not found:
            continue
        yield name, data
        missing = {
            probe: left - (probe in found) for probe, left in missing.items() if left > (probe in found)
        }
        if not missing:
            return


def keep(run_path: Path, figures: Mapping[str, Any], taken: Mapping[str, Any]) -> None:
    """Write figures.json, and baseline.json unless the run has one already or is to have none."""
    write.write_text(run_path, FIGURES, _text(figures))
    if taken and read.read_json(run_path, BASELINE) is None:
        write.write_text(run_path, BASELINE, _text(taken))


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"), allow_nan=False) + "\n"
