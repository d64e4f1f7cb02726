# SPDX-License-Identifier: GPL-3.0-or-later
"""The index page's table of hosts and measures, of runs that the real report has judged."""

from __future__ import annotations

from pathlib import Path

from nights import FIRST, Nights

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import publish
from fleetdiag.config import NamedSweep
from fleetdiag.notify import digest, summary
from fleetdiag.pages import hosts, index

FILES = "slow_open.slow_files.files"


def swept(nights: Nights, files: dict[str, int]) -> summary.Summary:
    """Sweep once more, with the files of a report, and return what there is to say of the sweep."""
    path = nights.runs / nights.sweep(files).runs[0].id
    publish.write(path, nights.reported(path))
    return summary.of(NamedSweep("nightly", {"runs_dir": str(nights.runs)}), FIRST.timestamp())


def cells(found: summary.Summary) -> dict[str, list[tuple[str, str]]]:
    made = hosts.grid([found])
    assert list(made.heads) == ["nightly", *[FILES] * (len(made.heads) - 1)]
    return {host: [(cell["words"], cell["kind"]) for cell in row] for host, row in made.rows}


def test_a_host_that_differs_has_its_score_and_the_others_none(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.usual(2)
    found = swept(nights, {"web3": 900})
    table = cells(found)
    (status, (score, kind)) = table["web3"]
    assert status == ("probed, 1 finding", "bad")
    assert (score.partition(" ")[2], kind) == ("times", "bad")
    assert 8 < float(score.split()[0]) < 10
    assert table["web1"] == [("probed", ""), ("", "")]
    assert FILES in index.render([found], FIRST.timestamp())


def test_a_suspicion_is_hatched_with_its_spreads(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.usual(9)
    found = swept(nights, {"web3": 220})
    ((words, kind), (score, suspect)) = cells(found)["web3"]
    assert (words, kind, suspect) == ("probed", "suspect", "suspect")
    assert (score[0], score.split()[1]) == ("+", "spreads")
    (line,) = [line for line in digest.lines([found], FIRST.timestamp()) if line.startswith("watch")]
    assert line.startswith(f"watch    nightly: web3 {FILES}, 2")


def test_without_findings_there_are_only_the_hosts(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    assert set(map(tuple, cells(swept(nights, {})).values())) == {(("probed", ""),)}
