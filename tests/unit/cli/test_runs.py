# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag runs` and `fleetdiag findings`, over runs that were really reported."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nights import Nights, command_on, run_id

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import decisions, slots


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Nights(tmp_path_factory.mktemp("runs") / "runs")
    made.usual(2)
    made.sweep({"web3": 900})
    made.sweep({"web3": 900}, unreachable=("web6",))
    return made.runs


@pytest.fixture
def runs(once: Path, tmp_path: Path) -> Path:
    shutil.copytree(once, tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def command(runs: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    return command_on(runs, capsys)


def test_list(command: Any, runs: Path) -> None:
    slots.record(
        runs,
        "nightly",
        "2026-11-03T02:00:00+00:00",
        "skipped",
        "the sweep before was running",
        datetime.now(UTC),
    )
    code, out, err = command("runs")
    lines = out.splitlines()
    assert (code, err, len(lines)) == (0, "", 6)
    assert lines[0].split() == ["RUN", "SWEEP", "WHEN", "HOSTS", "FINDINGS", "NEWS", "KEPT"]
    assert [line.split()[0] for line in lines[1:]] == [run_id(0), run_id(1), run_id(2), "-", run_id(3)]
    assert "1 new" in lines[3]
    assert "skipped: the sweep before was running" in lines[4]
    assert "5/6" in lines[5]


def test_list_for_programs(command: Any) -> None:
    _, out, _ = command("runs", "list", "--json", "--last", "2")
    assert [(item["id"], item["covered"]) for item in json.loads(out)] == [(run_id(2), 6), (run_id(3), 5)]
    assert command("runs", "--sweep", "other")[1].startswith("no runs in")


def test_show_keep_delete(command: Any, runs: Path) -> None:
    assert command("runs", "keep", "nightly~3", "--why", "the good one") == (0, f"{run_id(0)}: is kept\n", "")
    assert json.loads(command("runs", "show", run_id(0), "--json")[1])["kept"] == 1
    code, _, err = command("runs", "delete", run_id(0))
    assert (code, "it is kept by hand" in err) == (3, True)
    command("runs", "keep", run_id(0), "--release")
    assert command("runs", "delete", run_id(0))[:2] == (0, f"{run_id(0)}: deleted\n")
    code, _, err = command("runs", "delete", run_id(2))
    assert (code, "it is the first run of finding" in err) == (3, True)
    assert command("runs", "delete", "--force", run_id(2))[0] == 0
    assert len(json.loads(command("runs", "--json")[1])) == 2
    assert not (runs / run_id(0)).exists()


def test_what_is_no_run_is_never_deleted(command: Any, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    code, _, err = command("runs", "delete", "--force", str(tmp_path / "precious"))
    assert (code, "is not the run directory of a sweep" in err) == (2, True)
    assert (tmp_path / "precious").is_dir()


def test_reindex_and_prune(command: Any, runs: Path) -> None:
    assert command("runs", "reindex")[1] == f"{runs}/history.db: made of 4 runs\n"
    code, out, _ = command(
        "runs", "prune", "--last", "1", "--daily", "0", "--weekly", "0", "--raw", "0", "--dry-run"
    )
    assert (code, out) == (0, f"{run_id(0)}: removed\n")
    assert (runs / run_id(0)).exists()


def test_a_newer_index_is_a_sentence(command: Any, runs: Path) -> None:
    import sqlite3

    command("runs", "reindex")
    with sqlite3.connect(runs / "history.db") as database:
        database.execute("PRAGMA user_version = 99")
    code, _, err = command("runs")
    assert (code, "newer fleetdiag" in err) == (2, True)


# --- findings ---


def test_what_is_open_now(command: Any) -> None:
    code, out, _ = command("findings")
    lines = out.splitlines()
    assert (code, len(lines)) == (0, 2)
    assert lines[0].split() == ["ID", "SEV", "SINCE", "SWEEPS", "FINDING"]
    assert "web3: 900 files open longer than 1 s" in lines[1]
    (item,) = json.loads(command("findings", "--json")[1])
    assert (item["since"], item["last_normal"], item["sweeps"]) == (run_id(2), run_id(1), 2)
    assert item["fingerprint"].startswith(lines[1].split()[0])
    assert command("findings", "--sweep", "other")[1] == "nothing is open\n"


def test_a_host_that_is_not_reached_is_named_apart(command: Any, runs: Path) -> None:
    Nights(runs, number=4).sweep(unreachable=("web3",))
    assert command("findings")[1].splitlines()[-1].startswith("unknown: web3 (not seen since 2026-11-04")


def test_acknowledge_and_accept(command: Any, runs: Path) -> None:
    (item,) = json.loads(command("findings", "--json")[1])
    code, out, _ = command(
        "findings", "ack", item["fingerprint"][:6], "--until", "7d", "--why", "disk ordered"
    )
    assert (code, "quiet until" in out) == (0, True)
    assert "disk ordered]" in command("findings")[1]
    assert command("findings", "accept", item["fingerprint"])[0] == 0
    assert [one.what for one in decisions.read(runs)] == ["ack", "accept"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("ack", "ffffff", "--until", "7d", "--why", "x"), "ffffff: is no finding that is open"),
        (("accept", "ffffff"), "ffffff: is no finding that is open"),
        (("ack", "", "--until", "7d", "--why", "x"), "is the beginning of 1 findings"),
    ],
)
def test_decisions_about_what_is_not_there(
    command: Any, runs: Path, words: tuple[str, ...], why: str
) -> None:
    code, _, err = command("findings", *words)
    assert (code, why in err) == (2, True)
    assert decisions.read(runs) == []


@pytest.mark.parametrize(("until", "why"), [("soon", "'soon' is no time"), ("2020-01-01", "has passed")])
def test_an_end_that_is_none(command: Any, until: str, why: str) -> None:
    (item,) = json.loads(command("findings", "--json")[1])
    code, _, err = command("findings", "ack", item["fingerprint"], "--until", until, "--why", "x")
    assert (code, why in err) == (2, True)
