# SPDX-License-Identifier: GPL-3.0-or-later
"""How large the page of a large fleet is, how long it takes to make, and how soon Chromium shows it.

A run directory of 1,000 hosts and 6 probes is made up, read and rendered; then the page is opened from disk,
several times in a fresh tab of a real Chromium, until it is loaded and its script has finished. Goals: it opens in
under 3 s and stays under 6 MB; from the last file that was collected to the page takes hardly longer than to merge them
all, and less than 1 GiB. `make bench-page` writes build/bench/page.json.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "tests/support")]

import chromium
import pagedirs
import results

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_html
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports

OPENED = 5
MAX_SECONDS = 3.0
MAX_BYTES = 6_000_000
MAX_OVER_MERGE = 1.2
MAX_MIB = 1024

# Until the script is through and what it made is laid out and painted.
DRAWN = """
const done = arguments[0];
const painted = () => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())));
if (document.readyState === 'complete') painted(); else addEventListener('load', painted);
"""
TURNED = """
const done = arguments[0], begun = performance.now();
document.querySelector('a[data-finding]').click();
requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun)));
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=30, help="processes per interval, host and probe")
    parser.add_argument("--out", type=Path, help="default: build/bench/page.json")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fleetdiag-bench-") as folder:
        figures = made_figures(Path(folder), wanted.hosts, wanted.rows)
        page = Path(folder) / "report.html"
        versions, opened = open_it(page)
    result = results.Result(
        "page",
        f"the page of {wanted.hosts:,} hosts x {len(pagedirs.PROBES)} probes",
        [
            results.Ratio("opens in Chromium, seconds (median)", opened["seconds"], MAX_SECONDS),
            results.Ratio("size, bytes", figures["bytes"], MAX_BYTES),
            results.Ratio(
                "time from the files to the page, of the merge's", over_merge(figures), MAX_OVER_MERGE
            ),
            results.Ratio("memory, MiB", figures["peak memory, MiB"], MAX_MIB),
        ],
        {**figures, **opened},
        versions,
    )
    status = results.write(result, wanted.out)
    for name, value in result.figures.items():
        print(f"        {name}: {value:,}" if isinstance(value, (int, float)) else f"        {name}: {value}")
    return status


def over_merge(figures: dict[str, Any]) -> float:
    merge = figures["seconds to read and merge the run directory"]
    return round((merge + figures["seconds to render the page"]) / merge, 2)


def made_figures(folder: Path, hosts: int, rows: int) -> dict[str, Any]:
    """Make the page; what it took."""
    os.fsync = lambda _fd: None  # thousands of small files that nobody will miss
    made = pagedirs.fleet(folder / "runs", hosts, hosts // 2, rows)
    begun = time.perf_counter()
    report = reports.build(made.path, generated="2026-11-23T08:01:00+00:00")
    read = time.perf_counter()
    pagedirs.tell(report, made.hosts[hosts // 2])
    page = as_html.render(report).encode()
    rendered = time.perf_counter()
    (folder / "report.html").write_bytes(page)
    return {
        "bytes": len(page),
        "seconds to read and merge the run directory": round(read - begun, 2),
        "seconds to render the page": round(rendered - read, 2),
        "rows in the run directory": sum(
            len(host.rows) for probe in report.probes for table in probe.tables for host in table.hosts
        ),
        "peak memory, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def open_it(page: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Versions of the browser, and how soon it shows the page."""
    with chromium.opened() as browser:
        browser.set_script_timeout(120)
        times, paints, turns = [], [], []
        for _ in range(OPENED):
            browser.switch_to.new_window("tab")
            browser.get(f"file://{page}")
            times.append(browser.execute_async_script(DRAWN) / 1000)
            paint = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
            paints.append(browser.execute_script(paint) / 1000)
            turns.append(browser.execute_async_script(TURNED) / 1000)
            browser.close()
            browser.switch_to.window(browser.window_handles[0])
        name, version = browser.capabilities["browserName"], browser.capabilities["browserVersion"]
    return {name: version}, {
        "seconds": round(median(times), 2),
        "seconds, each time": [round(value, 2) for value in times],
        "first paint, seconds": round(median(paints), 2),
        "seconds from a finding to its rows": round(median(turns), 2),
    }


if __name__ == "__main__":
    sys.exit(main())
