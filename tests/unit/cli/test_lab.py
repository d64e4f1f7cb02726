# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from fleetdiag.cli import lab as cli
from fleetdiag.lab.processes import State


@pytest.fixture
def parser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> argparse.ArgumentParser:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    parser = argparse.ArgumentParser()
    cli.add_parser(parser.add_subparsers())
    return parser


def test_nothing_runs(parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(parser.parse_args(["lab", "status"])) == 0
    assert capsys.readouterr().out == "the lab is down\n"
    assert cli.run(parser.parse_args(["lab", "down"])) == 0
    assert capsys.readouterr().out == "the lab was down\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["inventory"], "the lab is down; "),
        (["ssh", "web1", "true"], "no machine web1 "),
        (["up", "--only", "web9"], "no machine web9 in the lab; there are builder, web1,"),
        (["workload", "start"], "no web machine runs; "),
    ],
)
def test_bad_input_is_one_sentence(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert cli.run(parser.parse_args(["lab", *words])) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"fleetdiag: {sentence}")
    assert error.count("\n") == 1


def test_ssh_words_are_left_alone(parser: argparse.ArgumentParser) -> None:
    args = parser.parse_args(["lab", "ssh", "web1", "ls", "-l", "--all"])
    assert args.words == ["ls", "-l", "--all"]


def test_status_tells_the_dead(
    parser: argparse.ArgumentParser, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = State(tmp_path / "state" / "fleetdiag" / "lab")
    lab.folder.mkdir(parents=True)
    process = lab.spawn("web1", {"kind": "qemu", "ports": {"ssh": 9}}, ["true"], lab.folder / "log")
    lab.stop("web1")
    lab.record("web1", process)
    assert cli.run(parser.parse_args(["lab", "status"])) == 0
    assert capsys.readouterr().out.startswith("web1       dead ")
