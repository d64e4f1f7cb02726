# SPDX-License-Identifier: GPL-3.0-or-later
"""The index of runs: derived, made anew at will, never in the way of a report."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest
from nights import HOSTS, Nights, run_id

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import index, retention


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Nights(tmp_path_factory.mktemp("index") / "runs")
    made.sweep()
    made.sweep({"web3": 900}, unreachable=("web6",))
    made.sweep()
    return made.runs


@pytest.fixture
def runs(once: Path, tmp_path: Path) -> Path:
    shutil.copytree(once, tmp_path / "runs")
    return tmp_path / "runs"


def rows(runs: Path, sql: str) -> list[tuple[object, ...]]:
    with index.reader(runs) as database:
        return list(database.execute(sql))


def test_what_it_holds(runs: Path) -> None:
    assert index.refresh(runs) == ""
    assert rows(runs, "SELECT sweep, hosts, covered, critical, news, raw, kept FROM runs ORDER BY id") == [
        ("nightly", 6, 6, 0, "", 1, 0),
        ("nightly", 6, 5, 0, "1 new", 1, 0),
        ("nightly", 6, 6, 0, "", 1, 0),
    ]
    figures = "SELECT max(value) FROM figures WHERE host = 'web3' AND measure = 'files'"
    assert rows(runs, figures) == [(900.0,)]
    unknown = "SELECT run, host FROM coverage_of_hosts WHERE NOT covered"
    assert rows(runs, unknown) == [(run_id(1), "web6")]
    assert rows(runs, "SELECT who, state, transition FROM findings ORDER BY run") == [
        ("web3", "new", "new"),
        ("web3", "same", ""),
    ]
    assert (runs / index.FILE).stat().st_mode & 0o077 == 0


def test_it_is_the_same_made_anew(runs: Path) -> None:
    index.refresh(runs)
    before = index.content(runs)
    assert index.rebuild(runs) == ""
    assert index.content(runs) == before


def test_what_is_deleted_pinned_or_reported_again_is_taken_in(runs: Path) -> None:
    index.refresh(runs)
    retention.pin(runs / run_id(0))
    shutil.rmtree(runs / run_id(2))
    index.refresh(runs)
    assert rows(runs, "SELECT id, kept FROM runs ORDER BY id") == [(run_id(0), 1), (run_id(1), 0)]
    assert rows(runs, "SELECT count(*) FROM figures WHERE run NOT IN (SELECT id FROM runs)") == [(0,)]


def test_a_writer_that_is_killed_at_any_statement_leaves_nothing_half_done(
    runs: Path, tmp_path: Path
) -> None:
    shutil.copytree(runs, tmp_path / "whole")
    index.refresh(tmp_path / "whole")
    whole = index.content(tmp_path / "whole")
    killed = 0
    for count in range(1, 1000, 7):
        for name in (index.FILE, f"{index.FILE}-journal"):
            (runs / name).unlink(missing_ok=True)
        if not _killed_at(runs, count):
            break
        killed += 1
        assert index.refresh(runs) == ""
        assert index.content(runs) == whole
    assert killed > 5


def _killed_at(runs: Path, count: int) -> bool:
    """Return True if a process that indexes was killed at its statement of this number."""
    child = os.fork()
    if not child:
        left = count
        connect = index._connect

        def watched(path: Path) -> sqlite3.Connection:
            database = connect(path)

            def statement(_: str) -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            database.set_trace_callback(statement)
            return database

        index._connect = watched
        index.refresh(runs)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_two_that_finish_at_once_take_in_everything_once(runs: Path) -> None:
    children = []
    for _ in range(3):
        child = os.fork()
        if not child:
            os._exit(1 if index.refresh(runs) else 0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert rows(runs, "SELECT count(*), count(DISTINCT id) FROM runs") == [(3, 3)]


# --- trouble is one sentence, and no exception ---


def test_another_writer_is_waited_for_and_then_named(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "LOCK_S", 0.0)
    with (runs / index.LOCK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "so the index is behind" in index.refresh(runs)
    assert index.refresh(runs) == ""


def test_another_program_that_writes_it(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index.refresh(runs)
    monkeypatch.setattr(index, "LOCK_S", 0.0)
    retention.pin(runs / run_id(0))
    other = sqlite3.connect(runs / index.FILE, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert "another program has it open" in index.refresh(runs)
    other.close()
    assert index.refresh(runs) == ""


@pytest.mark.parametrize("how", ["noise", "middle"])
def test_a_damaged_one_is_set_aside_and_made_anew(runs: Path, how: str) -> None:
    index.refresh(runs)
    whole = index.content(runs)
    path = runs / index.FILE
    data = bytearray(path.read_bytes())
    if how == "noise":
        data[:] = os.urandom(len(data))
    else:
        data[100:] = os.urandom(len(data) - 100)
    path.write_bytes(data)
    assert index.trouble(runs)
    assert "was damaged and is made anew; the old one is kept as history.db.corrupt-" in index.refresh(runs)
    assert index.content(runs) == whole
    assert len(list(runs.glob("history.db.corrupt-*"))) == 1


def test_a_newer_one_is_left_alone(runs: Path) -> None:
    index.refresh(runs)
    with sqlite3.connect(runs / index.FILE) as database:
        database.execute("PRAGMA user_version = 99")
    before = (runs / index.FILE).read_bytes()
    for said in (index.refresh(runs), index.trouble(runs)):
        assert "was written by a newer fleetdiag (schema 99" in said
    assert (runs / index.FILE).read_bytes() == before


def test_a_full_disk_is_one_sentence_and_the_next_run_takes_it_in(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.refresh(runs)
    retention.pin(runs / run_id(0))
    connect = index._connect

    def full(path: Path) -> sqlite3.Connection:
        database = connect(path)
        (pages,) = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {pages}")
        database.execute("CREATE TABLE IF NOT EXISTS filler (x)")
        return database

    monkeypatch.setattr(index, "_connect", full)
    said = index.refresh(runs)
    monkeypatch.undo()
    assert "full" in said
    assert index.refresh(runs) == ""
    assert rows(runs, "SELECT id FROM runs WHERE kept") == [(run_id(0),)]


def test_a_link_is_refused(runs: Path, tmp_path: Path) -> None:
    (runs / index.FILE).symlink_to(tmp_path / "elsewhere")
    assert "is a symbolic link" in index.refresh(runs)
    assert not (tmp_path / "elsewhere").exists()


def test_a_reader_cannot_write(runs: Path) -> None:
    index.refresh(runs)
    with index.reader(runs) as database, pytest.raises(sqlite3.OperationalError, match="readonly"):
        database.execute("DELETE FROM run")


def test_without_an_index_what_to_do_is_said(runs: Path) -> None:
    with (
        pytest.raises(FleetdiagError, match="there is no index; make it anew: fleetdiag runs reindex"),
        index.reader(runs),
    ):
        pass
    assert index.trouble(runs) == ""


@pytest.mark.parametrize("name", ["sweep.json", "figures.json", "news.json"])
def test_a_damaged_run_among_many_is_a_line(runs: Path, name: str) -> None:
    (runs / run_id(1) / name).write_text('{"format": 1, "hosts": [')
    assert index.refresh(runs) == ""
    assert rows(runs, "SELECT count(*) FROM runs") == [(3,)]


def test_a_run_copied_from_elsewhere_is_one_more_by_the_name_of_its_folder(runs: Path) -> None:
    """Its sweep.json has the id that it had there; two folders are two runs."""
    index.refresh(runs)
    shutil.copytree(runs / run_id(1), runs / run_id(5))
    assert index.refresh(runs) == ""
    assert rows(runs, "SELECT id, sweep, covered FROM runs ORDER BY id")[-1] == (run_id(5), "nightly", 5)
    before = index.content(runs)
    index.rebuild(runs)
    assert index.content(runs) == before


def test_an_index_of_schema_1_is_brought_up_to_date(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.refresh(runs)
    before = index.content(runs)
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "002.sql").write_text("ALTER TABLE run ADD COLUMN later TEXT NOT NULL DEFAULT 'x';")
    monkeypatch.setattr(index, "_HERE", scripts)
    monkeypatch.setattr(index, "VERSION", 2)
    (scripts / "003.sql").write_text("ALTER TABLE run ADD COLUMN last TEXT; SELECT nonsense;")
    assert index.refresh(runs) == ""
    with index.reader(runs) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (2,)
        assert database.execute("SELECT DISTINCT later FROM run").fetchall() == [("x",)]
    assert index.content(runs) == before  # what the views show is as it was
    monkeypatch.setattr(index, "VERSION", 3)
    assert "no such column: nonsense" in index.refresh(runs)  # half a step is none
    monkeypatch.setattr(index, "VERSION", 2)
    assert index.content(runs) == before


def test_a_network_file_system_is_named(runs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    index.refresh(runs)
    mounts = tmp_path / "mounts"
    monkeypatch.setattr(index, "MOUNTS", mounts)
    mounts.write_text(f"disk / ext4 rw 0 0\nnas:/x {tmp_path} nfs4 rw 0 0\n")
    assert "is on a network file system, where locks do not hold" in index.trouble(runs)
    mounts.write_text(f"nas:/ / nfs4 rw 0 0\ndisk {tmp_path} ext4 rw 0 0\n")
    assert index.trouble(runs) == ""


def test_names_of_hosts_are_data(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    evil = "web'; DROP TABLE run; --"
    nights.sweep(hosts=[*HOSTS, evil])
    assert index.refresh(tmp_path) == ""
    assert rows(tmp_path, "SELECT count(*) FROM coverage_of_hosts") == [(7,)]
