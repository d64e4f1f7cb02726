# SPDX-License-Identifier: GPL-3.0-or-later
"""The one end of a sweep: what it writes for one run and for shards; its steps are taken whatever happens."""

from __future__ import annotations

from pathlib import Path

import pytest
import reportdata
from rundirs import Builder

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


def test_shards_have_their_report_beside_them_and_each_its_figures(tmp_path: Path) -> None:
    made = [
        Builder(tmp_path, [host], ["nettop"], f"20261123_080000_ab{host[3:]}0") for host in ("web1", "web2")
    ]
    for shard in made:
        shard.window()
        shard.build()
        shard.whole(shard.hosts[0], {"nettop": shard.out()})
    folder = tmp_path / "of_shards"
    caller = Caller()
    assert caller.end(folder, reports.build([shard.path for shard in made]))
    assert (folder / "report.txt").is_file()
    assert not (folder / "figures.json").exists()
    assert all((shard.path / "figures.json").is_file() for shard in made)
    assert indexed(tmp_path) == 2
    assert [run_dir for run_dir, _ in caller.ended] == [folder]


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
