# SPDX-License-Identifier: GPL-3.0-or-later
"""Sweeps of one name on real kernels: seven as ever, two with a planted change, two after it was repaired."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sweeps import SWEPT, WEB, coverage, fleetdiag, newest, report_of, sweep

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import references
from fleetdiag.lab.model import Lab

pytestmark = [pytest.mark.lab, pytest.mark.long("eleven sweeps")]
SICK = "web1"
NAME = "nightly"
PROBE = "slow_open"
MEASURE = f"{PROBE}.files.files"
USUAL, PLANTED, REPAIRED = 7, 2, 2
UNIT = "fd-test-planted"
FILES = "/var/tmp/fd-test-planted"
_LOOP = f"""
import time
while True:
    held = [open(f"{FILES}-{{number}}", "w") for number in range(8)]
    time.sleep(1.5)
    for file in held:
        file.close()
"""
PLANT = f"systemd-run -q --collect --unit={UNIT} python3 -c {shlex.quote(_LOOP)}"
REPAIR = f"systemctl stop {UNIT} 2>/dev/null; rm -f {FILES}-*"


@dataclass
class Story:
    """ids: of the runs in their order. said: by command, what it printed after the last sweep with the change."""

    runs: Path
    ids: list[str] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)

    def sweep(self, lab: Lab, times: int) -> None:
        """Sweep all hosts so many times."""
        asked = ("-l", ",".join(WEB), "--name", NAME, "--window", "5s", "--probe", PROBE)
        for _ in range(times):
            done = sweep(lab, self.runs, *asked)
            assert done.returncode == 0, done.stdout + done.stderr
            self.ids.append(newest(self.runs).name)

    def ask(self, *words: str) -> None:
        """Keep what the command says now."""
        done = fleetdiag(*words, "--runs-dir", str(self.runs))
        assert done.stderr == ""
        self.said[words[0]], self.codes[words[0]] = done.stdout, done.returncode

    def news(self, number: int) -> list[tuple[str, str]]:
        """Return what a sweep told, as (transition, host or set)."""
        told = json.loads((self.runs / self.ids[number] / "news.json").read_text())["transitions"]
        return [(item["transition"], item["who"]) for item in told if item["tell"]]


@pytest.fixture(scope="module")
def story(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    made = Story(tmp_path_factory.mktemp("runs"))
    try:
        made.sweep(lab, USUAL)
        planted = lab.ssh(SICK, PLANT)
        assert planted.returncode == 0, planted.stderr
        made.sweep(lab, PLANTED)
        made.ask("findings")
        made.ask("diff", f"{NAME}~{PLANTED}", NAME)
        made.ask("trend", MEASURE, "--host", SICK)
        lab.ssh(SICK, REPAIR)
        made.sweep(lab, REPAIRED)
        yield made
    finally:
        lab.ssh(SICK, REPAIR)


def last_normal(story: Story) -> str:
    return story.ids[USUAL - 1]


def finding(story: Story) -> dict[str, Any]:
    """The finding of the second sweep with the change."""
    (found,) = report_of(story.runs / story.ids[USUAL + 1])["findings"]
    return dict(found)


def test_all_sweeps_saw_all_hosts(story: Story) -> None:
    for run in story.ids:
        assert {row["status"] for row in coverage(report_of(story.runs / run)).values()} <= SWEPT, run


def test_it_is_told_once_and_gone_after_two_sweeps(story: Story) -> None:
    told = [story.news(number) for number in range(len(story.ids))]
    assert told == [*[[]] * USUAL, [("new", SICK)], [], [], [("gone", SICK)]]


def test_findings_name_the_host_since_when(story: Story) -> None:
    (line,) = story.said["findings"].splitlines()[1:]
    first_bad = references.started(story.ids[USUAL]).astimezone()
    assert f"{SICK}: " in line
    assert f"{first_bad:%Y-%m-%d %H:%M}" in line


def test_diff_with_the_last_normal_sweep(story: Story) -> None:
    assert story.codes["diff"] == 4
    lines = story.said["diff"].splitlines()
    assert any(line.startswith("findings  new ") and f"{SICK}: " in line for line in lines), lines
    assert any(line.split()[:2] == [SICK, MEASURE] for line in lines), lines


def test_the_trend_rises_where_it_was_planted(story: Story) -> None:
    who, bars, *words = story.said["trend"].split()
    assert (who, len(bars)) == (SICK, USUAL + PLANTED)
    assert max(bars[:USUAL]) < min(bars[USUAL:])
    first_bad = references.started(story.ids[USUAL]).astimezone()
    assert f"since {first_bad:%Y-%m-%d}" in " ".join(words)


def test_the_page_links_the_last_normal_sweep(story: Story) -> None:
    assert finding(story)["last_normal"] == last_normal(story)
    page = (story.runs / story.ids[USUAL + 1] / "report.html").read_text()
    assert f'<a href="../{last_normal(story)}/report.html">The last normal sweep: ' in page


def test_nothing_is_open_after_it_was_repaired(story: Story) -> None:
    story.ask("findings")
    assert story.said["findings"] == "nothing is open\n"
