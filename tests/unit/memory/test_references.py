# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import references

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
FIRST, SECOND, THIRD, LAST = (
    "20261126_010000_aaaa",
    "20261127_010000_bbbb",
    "20261128_010000_cccc",
    "20261129_010000_dddd",
)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    place = tmp_path / "runs"
    for run, name in ((FIRST, "nightly"), (SECOND, "nightly"), (THIRD, ""), (LAST, "nightly")):
        (place / run).mkdir(parents=True)
        (place / run / "sweep.json").write_text(json.dumps({"format": 1, "id": run, "name": name}))
    return place


def resolved(word: str, runs: Path) -> str:
    return references.resolve(word, runs, NOW).name


@pytest.mark.parametrize(
    ("word", "run"),
    [
        (FIRST, FIRST),
        ("20261127", SECOND),
        ("20261128_01", THIRD),
        ("latest", LAST),
        ("latest~1", THIRD),
        ("nightly", LAST),
        ("nightly~1", SECOND),
        ("nightly~2", FIRST),
    ],
)
def test_what_names_a_run(runs: Path, word: str, run: str) -> None:
    assert resolved(word, runs) == run


def test_a_path_is_a_path(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "copied").mkdir()
    monkeypatch.chdir(tmp_path)
    assert references.resolve(f"{runs}/{FIRST}", Path("/nowhere"), NOW) == runs / FIRST
    assert references.resolve("./nightly", runs, NOW) == Path("nightly")
    assert references.resolve("copied", runs, NOW) == Path("copied")


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("nightly~3", "nightly~3: no such run in .* [(]there are only 3 of it[)]"),
        ("weekly", "weekly: no such run in .* [(]there is none[)]; 'fleetdiag runs' lists them"),
        ("2026112", "2026112: is the beginning of 4 runs .*; say more of it"),
        ("2025", "2025: no run in .* begins so"),
        ("", ": no such run in"),
    ],
)
def test_what_names_none(runs: Path, word: str, why: str) -> None:
    with pytest.raises(FleetdiagError, match=why):
        resolved(word, runs)


def test_a_run_of_a_clock_that_was_ahead_is_not_the_latest(runs: Path) -> None:
    ahead = "20270301_010000_eeee"
    (runs / ahead).mkdir()
    (runs / ahead / "sweep.json").write_text(json.dumps({"format": 1, "name": "nightly"}))
    (runs / "99999999_999999_ffff").mkdir()
    assert (resolved("latest", runs), resolved("nightly", runs)) == (LAST, LAST)
    assert resolved(ahead, runs) == ahead


def test_a_damaged_run_among_others_is_passed_over(runs: Path) -> None:
    (runs / LAST / "sweep.json").write_text('{"format": 1, "na')
    assert resolved("nightly", runs) == SECOND


@pytest.mark.parametrize("name", ["Nightly", "latest", "20261129", "a/b", "a~1", "-a", "a" * 64, "a\n"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(FleetdiagError, match="sweep name"):
        references.check_name(name)


@pytest.mark.parametrize("name", ["", "nightly-web", "a", "7up", "x" * 63])
def test_names(name: str) -> None:
    references.check_name(name)
