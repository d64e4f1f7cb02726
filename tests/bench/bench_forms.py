# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it takes to find out the form of a long output that no manifest describes, and to read it, for each host.

The worst there is: an event log of three kinds of lines, of which nearly each could be words above columns, and lines
of words above fields that are no rows of them. One host; and several, which share the lines that are looked at and
get one form. Seconds of the processor, so that a busy machine measures the same. `make bench-forms` writes
build/bench/forms.json.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "tests/support")]

import results
from foreign import alternating, event_log, read_fleet
from results import Ratio

SECONDS = {6_000: 2.0, 20_000: 5.0}
"""At most, for a host that printed so many lines."""
HOSTS = (1, 8)
PRINTED: dict[str, Callable[[int], str]] = {"event log": event_log, "words above fields": alternating}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="default: build/bench/forms.json")
    wanted = parser.parse_args()
    ratios, figures = [], {}
    for what, printed in PRINTED.items():
        for lines, most in SECONDS.items():
            for hosts in HOSTS:
                seconds = _seconds(printed(lines), hosts) / hosts
                name = f"{what}, {lines:,} lines, {hosts} hosts"
                ratios.append(
                    Ratio(f"{name}: time for each host, of {most:g} s", round(seconds / most, 3), 1.0)
                )
                figures[f"{name}: seconds for each host"] = round(seconds, 2)
    return results.write(
        results.Result("forms", "from the output of a script to its form and its rows", ratios, figures),
        wanted.out,
    )


def _seconds(printed: str, hosts: int) -> float:
    begun = time.process_time()
    read_fleet({f"web{number}": printed for number in range(hosts)})
    return time.process_time() - begun


if __name__ == "__main__":
    sys.exit(main())
