# SPDX-License-Identifier: GPL-3.0-or-later
"""The one end of a sweep: what it writes for one run and for shards; its steps are taken whatever happens."""

from __future__ import annotations

from pathlib import Path

import pytest
import reportdata
from nights import Nights, run_id

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.finish.sweep_end import (
    Written,
    sweep_finished,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import index
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import Report


class Caller:
    """What a caller hands in, and what comes back to it."""

    def __init__(self) -> None:
        self.shown: list[Written] = []
        self.told: list[str] = []
        self.ended: list[tuple[Path, Report]] = []

    def step(self, run_dir: Path, report: Report) -> str:
        self.ended.append((run_dir, report))
        return "no receiver answered"

    def end(self, run_dir: Path, report: Report) -> bool:
        return sweep_finished(run_dir, report, self.shown.append, self.told.append, [self.step])


def indexed(runs: Path) -> int:
    with index.reader(runs) as database:
        (found,) = database.execute("SELECT count(*) FROM runs").fetchone()
    return int(found)


def test_a_run_is_written_shown_indexed_and_told(tmp_path: Path) -> None:
    run_dir = reportdata.sweep(tmp_path).path
    report = reports.build(run_dir)
    caller = Caller()
    assert caller.end(run_dir, report)
    assert caller.shown[0]["txt"] == ["report.txt"]
    assert (run_dir / "report.txt").is_file()
    assert (run_dir / "figures.json").is_file()
    assert indexed(tmp_path) == 1
    assert caller.ended == [(run_dir, report)]
    assert caller.told == ["no receiver answered"]


def test_a_sweep_in_shards_ends_as_one(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    report = nights.sweep(shards=2, write=False)
    run_dir = tmp_path / run_id(0)
    caller = Caller()
    assert caller.end(run_dir, report)
    assert all((run_dir / name).is_file() for name in ("report.txt", "figures.json", "news.json"))
    assert [Path(run.path).parent for run in report.runs] == [run_dir / "shards"] * 2
    assert indexed(tmp_path) == 1
    assert [run_dir for run_dir, _ in caller.ended] == [run_dir]


def test_a_report_that_cannot_be_written_is_told_and_the_steps_are_taken(tmp_path: Path) -> None:
    run_dir = reportdata.sweep(tmp_path).path
    report = reports.build(run_dir)
    (run_dir / "report.html").mkdir()
    caller = Caller()
    assert not caller.end(run_dir, report)
    assert caller.shown == []
    assert "no report was written" in caller.told[0]
    assert caller.told[1:] == ["no receiver answered"]
    assert len(caller.ended) == 1


def test_a_reader_that_went_away_does_not_keep_the_steps_from_being_taken(tmp_path: Path) -> None:
    run_dir = reportdata.sweep(tmp_path).path
    caller = Caller()

    def show(_: Written) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        sweep_finished(run_dir, reports.build(run_dir), show, caller.told.append, [caller.step])
    assert len(caller.ended) == 1
    assert indexed(tmp_path) == 1


def test_a_damaged_index_is_one_sentence(tmp_path: Path) -> None:
    run_dir = reportdata.sweep(tmp_path).path
    (tmp_path / index.FILE).mkdir()
    caller = Caller()
    assert caller.end(run_dir, reports.build(run_dir))
    assert index.FILE in caller.told[0]
    assert len(caller.shown) == len(caller.ended) == 1
