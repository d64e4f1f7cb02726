# SPDX-License-Identifier: GPL-3.0-or-later
"""How often hosts that are alike yield a finding, and how many hosts that are not are found.

Reports of 50 hosts are made up: eight probes, each with heavy-tailed noise of another family (see noise.py), as
records that go through the merger like a sweep's. In half of them one host has five times as much of something in
one probe, or six events where the others have none, or ten connects that take 40 times as long. Goals: at most one
false finding in 100 reports of alike hosts (to name an event is a fact and none), and at least 95 % of the planted
hosts found, by a finding of that host and that probe, also among 3 hosts. The same reports are then judged in other
ways, which shows what each part of the way that was chosen is good for. `make bench-findings` writes
build/bench/findings.json.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "tests/support")]

import noise
import results
from results import Ratio

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import (
    compare_past,
    figures,
    figures_file,
    find,
    outliers,
    robust,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import (
    Evidence,
)

HOSTS = 50
MAX_FALSE = 1.0
"""In 100 reports."""
MIN_FOUND = 0.95
FLEET = 1000
MAX_SECONDS = 5.0
FEW = 3
"""Hosts of the small fleets that all ways are tried on, too."""
SIZES = {5: 1.0, 10: 1.0, 200: 0.1, 1000: 0.03}
"""Hosts of other fleets, and for how large a part of the reports that are judged in other ways."""
FEW_SAMPLES = {"rare": "6/0/0 events named", "connects": "40 times as long, n = 10, found"}
AS_IS = "as it is"
PLANTED = 1_000_000
"""Seeds of reports with a planted host begin here."""

Way = Callable[[], contextlib.AbstractContextManager[Any]]


def _rules(
    aggregate: robust.Rule, single: robust.Rule, largest: robust.Rule = robust.LARGEST
) -> contextlib.AbstractContextManager[Any]:
    return mock.patch.multiple(robust, AGGREGATE=aggregate, SINGLE=single, LARGEST=largest)


def _all(change: Callable[[robust.Rule], robust.Rule]) -> Way:
    return lambda: _rules(*map(change, (robust.AGGREGATE, robust.SINGLE, robust.LARGEST)))


def _normal(rule: robust.Rule) -> robust.Rule:
    return robust.Rule(1e6, 1e6, rule.excess, rule.spread, rule.prior)


def _without_prior(rule: robust.Rule) -> robust.Rule:
    return robust.Rule(rule.up, rule.down, rule.excess, rule.spread, 1e-3)


def _whole(self: outliers.Judge) -> list[outliers._Part]:
    return [outliers._Part(self.values, robust.AGGREGATE, scatter=0.0)]


def _deviation(logs: Sequence[float], middle: float) -> tuple[float, float]:
    spread = 1.4826 * median([abs(log - middle) for log in logs])
    return spread, spread


WAYS: dict[str, Way] = {
    AS_IS: contextlib.nullcontext,
    "totals with their largest record": lambda: mock.patch.object(outliers.Judge, "_parts", _whole),
    "logarithm for all figures": lambda: _rules(robust.SINGLE, robust.SINGLE),
    "no scatter of their own records": lambda: mock.patch.object(figures, "_scatter", return_value=0.0),
    "excess ratio for all figures": _all(lambda _rule: robust.AGGREGATE),
    "normal instead of Student's distribution": _all(_normal),
    "median absolute deviation only": lambda: mock.patch.object(robust, "_sides", _deviation),
    "no hosts added in thought": _all(_without_prior),
}


@dataclass
class Score:
    """What became of some reports."""

    alike: int = 0
    false: Counter[str] = field(default_factory=Counter)
    planted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    certain: Counter[str] = field(default_factory=Counter)
    false_beside: int = 0
    looks: int = 0

    def judge(self, evidence: list[Evidence], plant: noise.Plant | None) -> None:
        """Count what is found in one report."""
        result = find.find(evidence, {})
        claims = [finding for finding in result.findings if finding.kind != "events"]
        if plant is None:
            self.alike += 1
            self.false.update(finding.probe for finding in claims)
            self.looks += bool(result.worth_a_look)
            return
        kind, place = f"{plant.probe}, {plant.what}", (plant.host, plant.probe)
        self.planted[kind] += 1
        mine = [finding for finding in claims if (finding.host, finding.probe) == place]
        self.found[kind] += any((finding.host, finding.probe) == place for finding in result.findings)
        self.certain[kind] += bool(mine)
        self.false_beside += len(claims) - len(mine)

    @property
    def false_in_100(self) -> float:
        return 100 * self.false.total() / self.alike if self.alike else 0.0

    @property
    def share_found(self) -> float:
        return self.found.total() / self.planted.total() if self.planted else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=400, help="of either kind")
    parser.add_argument(
        "--others", type=int, default=100, help="reports of either kind that are judged in other ways"
    )
    parser.add_argument("--out", type=Path, help="default: build/bench/findings.json")
    wanted = parser.parse_args()
    scores = _judged(HOSTS, wanted.reports, wanted.others)
    few = _judged(FEW, wanted.others, wanted.others)
    sizes = {
        hosts: _judged(hosts, max(2, round(part * wanted.others)), 0)[AS_IS] for hosts, part in SIZES.items()
    }
    samples = {probe: _planted(probe, wanted.others) for probe in FEW_SAMPLES}
    seconds = _seconds()
    result = _result(scores, few, sizes, samples, seconds)
    status = results.write(result, wanted.out)
    _say(result.figures)
    return status


def _judged(hosts: int, reports: int, others: int) -> dict[str, Score]:
    """Reports of either kind, as many of them in all ways as `others` says."""
    scores = {name: Score() for name in WAYS}
    for number in range(reports):
        for seed, planted in ((number, False), (PLANTED + number, True)):
            evidence, plant = noise.report(seed, hosts, planted)
            for name, way in WAYS.items():
                if number < others or name == AS_IS:
                    with way():
                        scores[name].judge(evidence, plant)
    return scores


def _planted(probe: str, reports: int) -> Score:
    """Reports of few hosts of which one has few samples that are far off."""
    score = Score()
    for number in range(reports):
        score.judge(*noise.report(2 * PLANTED + number, FEW, True, (probe,)))
    return score


def _seconds() -> float:
    """How long it takes to find what there is on 1,000 hosts, also against 20 earlier sweeps."""
    evidence, _ = noise.report(1, FLEET)
    hashes = dict.fromkeys((probe.name for probe in evidence), "0")
    left = figures_file.figures_of(evidence, hashes=hashes)
    begun = time.process_time()
    find.find(evidence, {})
    earlier = [figures_file.read(f"20261101_{number:06}_abcd", left) for number in range(20)]
    now = figures_file.read("20261102_000000_abcd", left)
    compare_past.judge(now, figures_file.columns_of(evidence), earlier, compare_past.Memory())
    return time.process_time() - begun


def _result(
    scores: dict[str, Score],
    few: dict[str, Score],
    sizes: dict[int, Score],
    samples: dict[str, Score],
    seconds: float,
) -> results.Result:
    own = scores[AS_IS]
    return results.Result(
        "findings",
        f"{own.alike} reports of {HOSTS} alike hosts, {own.planted.total()} with one that is not",
        [
            Ratio("false findings in 100 reports of alike hosts", round(own.false_in_100, 2), MAX_FALSE),
            Ratio("share of planted hosts found", round(own.share_found, 4), MIN_FOUND, at_most=False),
            *(
                Ratio(f"{what}, {FEW} hosts", round(samples[probe].share_found, 4), MIN_FOUND, at_most=False)
                for probe, what in FEW_SAMPLES.items()
            ),
            Ratio(
                f"seconds for {FLEET:,} hosts x {len(noise.TABLES)} probes with 20 earlier sweeps",
                round(seconds, 2),
                MAX_SECONDS,
            ),
        ],
        {
            "planted": {
                kind: {"found": own.found[kind], "certain": own.certain[kind], "of": many}
                for kind, many in sorted(own.planted.items())
            },
            "false": dict(sorted(own.false.items())),
            "ways": {name: _figures(score) for name, score in scores.items()},
            f"ways_of_{FEW}_hosts": {name: _figures(score) for name, score in few.items()},
            "few_samples": {
                probe: {
                    "found": score.found.total(),
                    "certain": score.certain.total(),
                    "of": score.planted.total(),
                }
                for probe, score in samples.items()
            },
            "fleets": {f"{hosts} hosts": _figures(score) for hosts, score in sizes.items()},
        },
    )


def _figures(score: Score) -> dict[str, Any]:
    return {
        "reports": score.alike,
        "false_in_100": round(score.false_in_100, 2),
        "false_beside_a_planted_host": score.false_beside,
        "found": round(score.share_found, 4),
        "with_something_worth_a_look": score.looks,
    }


def _say(result: Mapping[str, Any]) -> None:
    for kind, many in result["planted"].items():
        print(f"       {kind}: {many['found']} of {many['of']} found, {many['certain']} with certainty")
    for probe, many in result["few_samples"].items():
        print(
            f"       {probe}, {FEW} hosts: {many['found']} of {many['of']} found, {many['certain']} with certainty"
        )
    print(f"\n| way | false in 100, {HOSTS} hosts | found | false in 100, {FEW} hosts | found |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, many in result["ways"].items():
        print(f"| {name} | {_cells(many)} | {_cells(result[f'ways_of_{FEW}_hosts'][name])} |")
    for name, measured in result["fleets"].items():
        looks = f"{measured['with_something_worth_a_look']} of {measured['reports']}"
        print(f"       {name}: {_cells(measured)}; worth a look: {looks} reports of alike hosts")


def _cells(measured: dict[str, Any]) -> str:
    return f"{measured['false_in_100']:g} | {100 * measured['found']:.0f} %"


if __name__ == "__main__":
    sys.exit(main())
