# SPDX-License-Identifier: GPL-3.0-or-later
"""The index of 1,000 runs of 100 hosts x 17 measures: how it grows, and how long listing and trends take.

The run directories have what the index takes from them: sweep.json and figures.json, by the code that writes them.
Times are of the processor, because a busy machine does not make the index slower. `make bench-history` writes
build/bench/history.json.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / ".collections"), str(ROOT / "tests/support")]

import results
from results import Ratio

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import compare_past
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import index
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import history, write
from fleetdiag.cli import runs, trend

MEASURES = 17
FIRST = datetime(2026, 1, 1, 1, 30, tzinfo=UTC)
MAX_LISTING_S, MAX_TREND_S = 1.0, 2.0


def figures(number: int, hosts: int) -> dict[str, Any]:
    """Return figures.json of a sweep."""
    rng = random.Random(number)  # noqa: S311 - the same every time
    names = [f"web{host:03}" for host in range(hosts)]
    tables: dict[str, Any] = {}
    for measure in range(MEASURES):
        values = [float(f"{1000 * math.exp(rng.gauss(0, 0.2)):.6g}") for _ in names]
        tables[f"measure{measure}"] = {"value": values, "rest": values}
    probe = {
        "probe": "disks",
        "hash": "a" * 12,
        "parameters": {},
        "sampled_s": [30.0] * hosts,
        "marked": [0] * hosts,
        "tables": {"disks": tables},
    }
    return {
        "format": compare_past.FORMAT,
        "name": "nightly",
        "hosts": names,
        "kernels": ["6.12.48+deb13-amd64"] * hosts,
        "peers": ["web"] * hosts,
        "of": {"web": hosts},
        "probes": [probe],
    }


def fill(place: Path, numbers: range, hosts: int) -> None:
    """Make the run directories of these numbers."""
    for number in numbers:
        run_id = f"{FIRST + timedelta(hours=6 * number):%Y%m%d_%H%M%S}_ab12"
        made = figures(number, hosts)
        path = write.create(place, {"id": run_id, "name": "nightly", "hosts": made["hosts"]})
        history.keep(path, made, {})


def took(what: Callable[[], Any]) -> float:
    """Return the processor seconds of a call."""
    begun = time.process_time()
    what()
    return round(time.process_time() - begun, 3)


def main() -> int:
    """Run the benchmark; returns 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--out", type=Path, help="default: build/bench/history.json")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fleetdiag-history-") as name:
        place = Path(name)
        fill(place, range(wanted.runs), wanted.hosts)
        made_s = took(lambda: index.rebuild(place))
        size = (place / index.FILE).stat().st_size
        one = next(place.glob(f"*/{history.FIGURES}")).stat().st_size
        measure = "disks.disks.measure3"
        listing_s = took(lambda: runs.listed(place))
        of_set_s = took(lambda: trend.trends(place, measure, last=0))
        of_host_s = took(lambda: trend.trends(place, measure, ["web003"], last=0))
        fill(place, range(wanted.runs, wanted.runs + 1), wanted.hosts)
        next_s = took(lambda: index.refresh(place))
    return results.write(
        results.Result(
            "history",
            f"{wanted.runs} runs of {wanted.hosts} hosts x {MEASURES} measures",
            [
                Ratio("seconds to list all runs", listing_s, MAX_LISTING_S),
                Ratio("seconds for the trend of a set over all runs", of_set_s, MAX_TREND_S),
                Ratio("seconds for the trend of a host over all runs", of_host_s, MAX_TREND_S),
            ],
            {
                "bytes of the index a run": round(size / wanted.runs),
                "bytes of figures.json": one,
                "seconds to make the index anew": made_s,
                "seconds to take in one run more": next_s,
            },
        ),
        wanted.out,
    )


if __name__ == "__main__":
    sys.exit(main())
