# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import reportdata
import rundirs
from rundirs import Builder, record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_sqlite
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports


def ask(folder: Path, query: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(f"file:{folder / as_sqlite.FILE}?mode=ro", uri=True)) as database:
        return database.execute(query).fetchall()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = reportdata.sweep(tmp_path / "runs")
    assert as_sqlite.write(reportdata.found(made), tmp_path) == ["rows.sqlite"]
    return tmp_path


def test_every_record_with_host_time_and_interval(folder: Path) -> None:
    assert ask(folder, "SELECT * FROM nettop_traffic WHERE host = 'web1' ORDER BY t_ms LIMIT 2") == [
        ("web1", 5020, 1, "sshd", "ens3", 10, 3000),
        ("web1", 10020, 2, "sshd", "ens3", 20, 3000),
    ]
    assert ask(folder, "SELECT count(*) FROM nettop_traffic") == [(18,)]
    assert ask(
        folder, "SELECT seconds, typeof(seconds), typeof(opens), interval FROM slow_open_slow_files"
    ) == [(8.471285, "real", "integer", None)]


def test_lines_calls_and_what_is_known_of_the_sweep(folder: Path) -> None:
    assert ask(folder, "SELECT count(*), min(line) FROM notes_lines WHERE host = 'web2'") == [
        (30, "line 0 of web2")
    ]
    assert ask(folder, "SELECT function, depth, total_us FROM calls WHERE host = 'web1'") == [
        ("ext4_readdir", 1, 88),
        ("ext4_get_inode_loc", 2, 21),
    ]
    assert ask(folder, "SELECT host, status, late_s FROM coverage") == [
        ("web1", "probed", 0.0),
        ("web2", "probed", 0.0),
        ("web3", "degraded", 3.2),
    ]
    assert ask(folder, "SELECT losses FROM sessions WHERE probe = 'slow_open' AND host = 'web3'") == [
        ("late 3.2 s",)
    ]
    assert ask(folder, "SELECT * FROM parameters") == [("slow_open", "threshold_ms", 1000)]
    assert ask(folder, "SELECT severity, host, value, losses FROM findings LIMIT 1") == [
        ("critical", "web3", 14.0, "late 3.2 s")
    ]
    assert ask(folder, "SELECT unit FROM columns WHERE column_name = 'seconds'") == [("s",)]


def test_same_run_directory_same_bytes(tmp_path: Path) -> None:
    made = reportdata.sweep(tmp_path / "runs")
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        as_sqlite.write(reports.build(made.path, generated=name), tmp_path / name)
        written.append((tmp_path / name / as_sqlite.FILE).read_bytes())
    moved = shutil.move(made.path, tmp_path / "moved")
    as_sqlite.write(reports.build(moved), tmp_path)
    written.append((tmp_path / as_sqlite.FILE).read_bytes())
    assert written[0] == written[1] == written[2]
    assert (tmp_path / as_sqlite.FILE).stat().st_mode & 0o777 == 0o600


def test_hostile_texts_are_safe_to_show(tmp_path: Path) -> None:
    as_sqlite.write(reportdata.hostile(tmp_path / "runs"), tmp_path)
    shown = {printable(text) for text in rundirs.HOSTILE}
    assert {text for (text,) in ask(tmp_path, "SELECT process FROM slow_open_slow_files")} == shown
    assert {text for (text,) in ask(tmp_path, "SELECT host FROM coverage")} > shown
    for (name,) in ask(tmp_path, "SELECT name FROM sqlite_master WHERE type = 'table'"):
        for row in ask(tmp_path, f'SELECT * FROM "{name}"'):  # noqa: S608
            texts = [cell for cell in row if isinstance(cell, str)]
            assert [text for text in texts if printable(text) != text] == []


def test_names_that_would_clash_are_told_apart(tmp_path: Path) -> None:
    manifest = json.loads(json.dumps(rundirs.SLOW_OPEN))
    columns = manifest["tables"]["slow_files"]["columns"]
    columns["t_ms"] = {**columns["opens"]}
    columns["interval"] = {**columns["opens"]}
    made = Builder(tmp_path / "runs", ["web1"], manifests={"slow_open": manifest})
    made.window()
    rows = [record("slow_files", 9, "p", "/x", 2_000_000, 1, 2, 3)]
    made.whole("web1", {"slow_open": made.out(*rows)})
    as_sqlite.write(reports.build(made.path), tmp_path)
    assert ask(tmp_path, "SELECT t_ms, interval, t_ms_, interval_ FROM slow_open_slow_files") == [
        (9, None, 2, 3)
    ]


def test_memory_does_not_grow_with_the_records(tmp_path: Path) -> None:
    def peak(records: int) -> int:
        made = Builder(tmp_path / f"{records}", ["web1"])
        made.window()
        rows = [record("slow_files", 9, f"p{n % 7}", "/x", 2_000_000 + n, 1) for n in range(records)]
        made.whole("web1", {"slow_open": made.out(*rows)})
        report = reports.build(made.path)
        tracemalloc.start()
        try:
            as_sqlite.write(report, made.path)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(60_000) < 1.5 * peak(12_000)


def test_no_room_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = reports.build(reportdata.sweep(tmp_path / "runs").path)

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(as_sqlite, "_describe", full)
    with pytest.raises(FleetdiagError, match=r"rows\.sqlite: cannot be written \(database or disk is full\)"):
        as_sqlite.write(report, tmp_path)
    assert not list(tmp_path.glob("*.sqlite"))
    assert not list(tmp_path.glob(".*tmp"))


def test_the_documented_query_is_one(tmp_path: Path) -> None:
    database = sqlite3.connect(":memory:")
    database.execute(
        "CREATE TABLE slow_open_files (host, t_ms, interval, process, pid, seconds, path, still_open)"
    )
    database.execute("INSERT INTO slow_open_files VALUES ('web3', 1, NULL, 'httpd', 7, 8.4, '/x', 0)")
    assert database.execute(as_sqlite.EXAMPLE).fetchall() == [("web3", "/x", 8.4)]
    root = Path(reports.__file__).resolve().parents[4]
    for document in ("README.md", "collection/docs/report_formats.md"):
        assert as_sqlite.EXAMPLE in (root / document).read_text(), document
    shipped = Path(reports.__file__).parents[3] / "roles/sweep/files/probes/slow_open/probe.yml"
    assert {"files:", "path:", "seconds:"} <= set(shipped.read_text().split())
