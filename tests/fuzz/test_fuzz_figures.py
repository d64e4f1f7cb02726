# SPDX-License-Identifier: GPL-3.0-or-later
"""Outputs in many styles made from known data: a report shows that data, or text; never other figures.

FLEETDIAG_FUZZ_OUTPUTS: how many outputs (`make test-all`, `make fuzz`: 10,000).
"""

from __future__ import annotations

import math
import os
from collections import Counter

from foreign import Fleet, read_fleet
from printers import Printed, Section, printed

OUTPUTS = int(os.environ.get("FLEETDIAG_FUZZ_OUTPUTS", "1000"))
GOAL = 0.95
"""Share of all outputs of which every figure is in a table."""


def wrong_figures(made: Printed, fleet: Fleet) -> list[str]:
    """Return a sentence for each figure of the report that is none of the data."""
    wrong = []
    for name, table in fleet.probe.tables.items():
        merges = [column.merge for column in table.columns if not column.is_key]
        fits: Counter[int] = Counter()
        shown = 0
        first = ""
        for host, result in fleet.results.items():
            if any(f"rows of table {name} but" in note for note in result.notes):
                continue  # it says that rows are missing
            for key, values in fleet.sums(host, name).items():
                shown += 1
                for at, section in enumerate(made.sections):
                    if _is_true(section, host, tuple(map(_key, key)), values, merges):
                        fits[at] += 1
                first = first or f"{host} {name} {key}: {values} {merges}"
        if shown and max(fits.values(), default=0) < shown:
            wrong.append(first)
    return wrong


def _key(value: object) -> str:
    return str(int(value)) if isinstance(value, float) else str(value)


def _is_true(
    section: Section, host: str, key: tuple[str, ...], values: list[float], merges: list[str]
) -> bool:
    if section.style == "linear" and key[-1:] == ("91",):
        key = (*key[:-1], ">90")
    if len(values) != len(section.kinds):
        return False
    for place, (value, merge) in enumerate(zip(values, merges, strict=True)):
        expected = section.expected(host, key, place, merge)
        if expected is None or not math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-12):
            return False
    return True


def is_recognised(made: Printed, fleet: Fleet) -> bool:
    """Return True if every name of every section is in a table of each host that printed it, or in its call trees."""
    if made.sections[0].style == "trace":
        return fleet.probe.output == "calltrace"
    if made.sections[0].style in ("log", "twin lists", "twins"):
        # Who did what when is best as text; of the same list twice in a print nobody can tell what is what.
        return fleet.probe.output == "text"
    if made.sections[0].style == "between" and fleet.probe.output == "text":
        return True  # below a message among its rows a table may go on, or not
    for host in fleet.rows:
        shown = {tuple(map(_key, key)) for name in fleet.probe.tables for key in fleet.sums(host, name)}
        for section in made.sections:
            for each in section.prints.get(host, ()):
                for key, values in each.items():
                    if section.style in ("histogram", "linear") and values == (0.0,):
                        continue
                    key = (*key[:-1], "91") if key[-1:] == (">90",) else key
                    if key not in shown:
                        return False
    return True


def test_no_figure_is_wrong_and_most_are_recognised() -> None:
    recognised = 0
    wrong = {}
    for seed in range(OUTPUTS):
        made = printed(seed)
        fleet = read_fleet(made.outputs, made.script)
        if found := wrong_figures(made, fleet):
            wrong[seed] = found
        recognised += is_recognised(made, fleet)
    assert wrong == {}, "figures that are none of the data, by seed"
    if OUTPUTS < 1000:
        return  # too few to tell a share by: by chance they hold more of the hard styles
    assert recognised >= GOAL * OUTPUTS, f"{recognised} of {OUTPUTS} outputs are recognised"
