# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag diff`, `trend` and `query`, over runs that were really reported."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from nights import HOSTS, Nights, command_on, run_id

from fleetdiag.cli import main, query

FILES = "slow_open.slow_files.files"


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven usual nights, then two with another kernel and many more files on web3; web6 is not reached in the last."""
    made = Nights(tmp_path_factory.mktemp("diff") / "runs")
    made.usual(7)
    made.sweep({"web3": 900}, kernels={"web3": "6.12.99-amd64"})
    made.sweep({"web3": 900}, kernels={"web3": "6.12.99-amd64"}, unreachable=("web6",))
    return made.runs


@pytest.fixture
def runs(once: Path, tmp_path: Path) -> Path:
    shutil.copytree(once, tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def command(runs: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    return command_on(runs, capsys)


def test_diff(command: Any) -> None:
    code, out, err = command("diff", "nightly~2", "nightly")
    assert (code, err) == (4, "")
    lines = out.splitlines()
    assert lines[0] == "hosts     1 lost: web6"
    assert lines[1] == "kernels   web3 6.12.90-amd64 -> 6.12.99-amd64"
    assert lines[2].startswith("findings  new ")
    assert "web3: 900 files open longer than 1 s" in lines[2]
    assert lines[3] == "measures that moved most (ratio to the median of the peers)"
    assert lines[4].split()[:2] == ["web3", FILES]
    assert lines[-1] == "cannot say for web6"


def test_diff_for_programs(command: Any) -> None:
    code, out, _ = command("diff", "nightly~1", "nightly~2", "--json")
    data = json.loads(out)
    assert (code, data["before"], data["after"]) == (4, run_id(7), run_id(6))
    assert [item["change"] for item in data["findings"]] == ["gone"]


def test_what_was_open_on_a_host_that_is_not_covered_is_not_gone(command: Any, runs: Path) -> None:
    Nights(runs, number=9).sweep(unreachable=("web3",))
    data = json.loads(command("diff", "nightly~1", "nightly", "--json")[1])
    assert data["findings"] == []
    assert data["unknown"] == ["web3", "web6"]


def test_a_probe_that_changed_is_not_compared(command: Any, runs: Path) -> None:
    nights = Nights(runs, number=9)
    probes = json.loads((runs / run_id(8) / "sweep.json").read_text())["probes"]
    nights.sweep(probes=[{**probes[0], "hash": "0" * 12}])
    data = json.loads(command("diff", "nightly~1", "nightly", "--json")[1])
    assert (data["probes"], data["moved"]) == ({"slow_open": "changed"}, [])


def test_what_a_host_has_whose_peers_have_nothing_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Nights(tmp_path / "runs")
    for sick in (0, 24):
        made.sweep({**dict.fromkeys(HOSTS, 0), "web3": sick})
    _, out, _ = command_on(made.runs, capsys)("diff", "nightly~1", "nightly")
    at = out.splitlines().index("measures of hosts whose peers have nothing")
    assert out.splitlines()[at + 1].split() == ["web3", FILES, "0", "->", "24"]


def test_a_run_with_itself(command: Any) -> None:
    assert command("diff", "nightly~3", "nightly~3") == (0, "nothing differs\n", "")


def test_a_run_without_figures_is_a_sentence(command: Any, runs: Path) -> None:
    (runs / run_id(8) / "figures.json").unlink()
    code, _, err = command("diff", "nightly~1", "nightly")
    assert (code, "has no figures to compare; make its report" in err) == (2, True)


# --- trend ---


def test_trend_of_a_host(command: Any) -> None:
    code, out, err = command("trend", FILES, "--host", "web3", "--host", "web1")
    assert (code, err) == (0, "")
    first, second = out.splitlines()
    assert first.split()[0] == "web3"
    assert first.split()[1].endswith("██")
    assert "now 900, usual 10" in first
    assert "since 2026-11-08" in first
    assert "(kernel 6.12.90-amd64 -> 6.12.99-amd64 changed then)" in first
    assert "since" not in second


def test_trend_of_a_set(command: Any) -> None:
    (item,) = json.loads(command("trend", FILES, "--json", "--last", "4")[1])
    assert (item["who"], [point["run"] for point in item["points"]]) == (
        "web",
        [run_id(n) for n in range(5, 9)],
    )
    assert item["since"] == ""


def test_a_host_that_was_not_covered_leaves_a_gap(command: Any) -> None:
    (item,) = json.loads(command("trend", FILES, "--host", "web6", "--json")[1])
    assert [point["value"] is None for point in item["points"]] == [False] * 8 + [True]
    line = command("trend", FILES, "--host", "web6")[1].splitlines()[0]
    assert line.partition("  ")[2][8] == " "  # eight runs have it


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("files",), "files: is no measure; say PROBE.TABLE.MEASURE"),
        (("a.b.c",), "a.b.c: no run has it; there are slow_open.slow_files.files"),
        ((FILES, "--host", "db1"), "db1: no run has this host"),
        ((FILES, "--set", "db"), "db: there are no figures of it; sets: web"),
    ],
)
def test_what_has_no_trend(command: Any, words: tuple[str, ...], why: str) -> None:
    code, _, err = command("trend", *words)
    assert (code, why in err) == (2, True)


# --- query ---


def test_query(command: Any) -> None:
    sql = "SELECT host, max(value) AS most FROM figures WHERE sweep = 'nightly' GROUP BY 1 ORDER BY 2 DESC LIMIT 1"
    assert command("query", sql) == (0, "host  most\nweb3  900.0\n", "")
    assert json.loads(command("query", sql, "--json")[1]) == [{"host": "web3", "most": 900.0}]


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("DELETE FROM run", "only reading is possible"),
        ("ATTACH '/tmp/x.db' AS x", "only reading is possible"),
        ("PRAGMA user_version", "only reading is possible"),
        ("SELECT load_extension('x')", "only reading is possible"),
        ("SELECT * FROM missing", "no such table"),
        ("SELECT 1; SELECT 2", "one statement"),
    ],
)
def test_what_cannot_be_asked(command: Any, sql: str, why: str) -> None:
    code, _, err = command("query", sql)
    assert (code, why in err) == (2, True)


def test_a_query_that_never_ends_is_ended(command: Any) -> None:
    sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    code, _, err = command("query", sql, "--limit", "0.2")
    assert (code, "it took longer than 0.2 s" in err) == (2, True)


def test_too_many_rows_are_refused(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "MAX_ROWS", 3)
    code, _, err = command("query", "SELECT * FROM figures")
    assert (code, "more than 3 rows" in err) == (2, True)


@pytest.mark.parametrize("words", [("query", "SELECT 1"), ("trend", FILES)])
def test_without_runs(capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...]) -> None:
    assert main.main([*words, "--runs-dir", str(tmp_path / "none")]) == 2
    assert "there are no runs" in capsys.readouterr().err
