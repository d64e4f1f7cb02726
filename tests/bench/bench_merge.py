# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it takes from the collected files of 1,000 hosts with 10,000 rows each to the merged report, and how
much memory.

Measured against the bare engine: plain Python with nothing but the loop. It reads the same gz files line by line,
splits, and makes the same sums (of each host by key, by interval, and by both; of the fleet by key; of each measure
of a host the largest record and the sum of squares, which findings stand on), and sorts them. It checks nothing:
neither that a line is a record of the session, nor what is a number, nor what was lost, and keeps no host apart
from another's damage. `make bench-merge` writes build/bench/merge.json.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "tests/support")]

import manyrows
import results

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports

MAX_RATIO = 1.5
MAX_MIB = 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=10_000, help="of each host")
    parser.add_argument(
        "--turns", type=int, default=1, help="each of a quarter of an hour at the default size"
    )
    parser.add_argument("--out", type=Path, help="default: build/bench/merge.json")
    parser.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.engine:
        print(json.dumps(_alone(ENGINES[wanted.engine], wanted.run)))
        return 0
    rows = wanted.hosts * wanted.rows
    figures: dict[str, Any] = {"rows": rows}
    with tempfile.TemporaryDirectory(prefix="fleetdiag-bench-") as folder:
        made = manyrows.fleet(Path(folder), wanted.hosts, wanted.rows)
        files = made.path.glob("hosts/*/*.out.gz")
        figures["MiB of gz files"] = sum(file.stat().st_size for file in files) >> 20
        # In turns, so that what else the machine does meets all of them.
        turns = [{name: _measured(name, made.path) for name in ENGINES} for _ in range(wanted.turns)]
    with tempfile.TemporaryDirectory(prefix="fleetdiag-bench-") as folder:
        made = manyrows.fleet(Path(folder), wanted.hosts, wanted.rows, new_keys=True)
        keys = _measured("fleetdiag", made.path)
    for name in ENGINES:
        for what in ("seconds", "CPU seconds"):
            figures[f"{name}: {what}"] = round(median(turn[name][what] for turn in turns), 1)
        figures[f"{name}: rows/s"] = round(rows / median(turn[name]["seconds"] for turn in turns))
        figures[f"{name}: MiB"] = max(turn[name]["MiB"] for turn in turns)
    figures["every row a key of its own: seconds"] = round(keys["seconds"], 1)
    result = results.Result(
        "merge",
        f"from the files of {wanted.hosts:,} hosts with {wanted.rows:,} rows each to the merged report",
        [
            results.Ratio("time, of the bare engine's", _ratio(turns, "seconds"), MAX_RATIO),
            results.Ratio("CPU time, of the bare engine's", _ratio(turns, "CPU seconds"), MAX_RATIO),
            results.Ratio("memory, MiB", figures["fleetdiag: MiB"], MAX_MIB),
            results.Ratio("memory, MiB, every row a key of its own", keys["MiB"], MAX_MIB),
        ],
        figures,
    )
    status = results.write(result, wanted.out)
    for name, value in figures.items():
        print(f"        {name}: {value:,}")
    return status


def _ratio(turns: list[dict[str, Any]], what: str) -> float:
    return round(median(turn["fleetdiag"][what] / turn["plain Python"][what] for turn in turns), 2)


def _measured(engine: str, run: Path) -> dict[str, Any]:
    """What one engine takes in a process of its own."""
    command = [sys.executable, str(Path(__file__)), "--engine", engine, "--run", str(run)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    data: dict[str, Any] = json.loads(said)
    return data


def _alone(engine: Callable[[Path], Any], run: Path) -> dict[str, Any]:
    begun, used = time.perf_counter(), time.process_time()
    kept = engine(run)
    took = time.perf_counter() - begun
    cpu = time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    del kept
    return {"seconds": took, "CPU seconds": cpu, "MiB": peak // 1024}


# --- the bare engine ---


def bare(run: Path) -> Any:
    """All that the report says of the rows, without a check."""
    hosts, fleet = [], {}
    for file in sorted(run.glob("hosts/*/*.out.gz")):
        host = _bare_host(file)
        hosts.append((file.parent.name, *host[1:]))
        for key, found in host[0].items():
            known = fleet.get(key)
            if known is None:
                fleet[key] = [*found, 1]
            else:
                for place in range(5):
                    known[place] += found[place]
                known[5] += 1
    return hosts, sorted(fleet.items(), key=lambda item: (-item[1][2], item[0]))


def _bare_host(file: Path) -> tuple[Any, ...]:
    keys: dict[Any, list[int]] = {}
    intervals: dict[int, list[int]] = {}
    both: dict[Any, list[int]] = {}
    whole = [[0, 0, 0.0] for _ in range(4)]
    with gzip.open(file) as lines:
        for line in lines:
            fields = line.split(b"\t")
            if len(fields) != 11:
                continue
            key = (int(fields[4]), fields[5].decode(), fields[6].decode())
            values = (int(fields[7]), int(fields[8]), int(fields[9]), int(fields[10]))
            interval = int(fields[3]) // 5000
            for into, name in ((keys, key), (intervals, interval), (both, (interval, key))):
                known = into.get(name)
                if known is None:
                    into[name] = [*values, 1]
                else:
                    known[0] += values[0]
                    known[1] += values[1]
                    known[2] += values[2]
                    known[3] += values[3]
                    known[4] += 1
            for total, value in zip(whole, values, strict=True):
                total[0] += value
                if value > total[1]:
                    total[1] = value
                total[2] += float(value) * value
    top = sorted(keys.items(), key=lambda item: (-item[1][2], item[0]))
    numbers = sorted(intervals)
    series = {
        key: [found[:4] for n in numbers if (found := both.get((n, key))) is not None] for key, _ in top[:50]
    }
    return keys, top, [intervals[number] for number in numbers], series, whole


ENGINES: dict[str, Callable[[Path], Any]] = {"plain Python": bare, "fleetdiag": reports.build}


if __name__ == "__main__":
    sys.exit(main())
