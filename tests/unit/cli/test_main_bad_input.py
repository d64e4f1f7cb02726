# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: one sentence on stderr (what, where, what to do), exit code 2, nothing made, no host touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SWEEP = ("sweep", "-i", "hosts.yml", "--probe", "slow_open")

CASES = {
    "no command": ((), "required: COMMAND", "--help"),
    "unknown command": (("swep",), "swep", "--help"),
    "escape sequences": (("probes", "\x1b[2J"), "\\x1b[2J", "--help"),
    "a name that is no text": (("probes", "show", "\udcff\n"), "\\udcff\\x0a", "slow_open"),
    "no inventory": (("sweep", "--probe", "slow_open"), "-i/--inventory", "ansible.cfg"),
    "no probe": (("sweep", "-i", "hosts.yml"), "--probe", "--help"),
    "unknown probe": ((*SWEEP, "--probe", "slow_opne"), "slow_opne", "slow_open"),
    "probe that leaves the catalog": ((*SWEEP, "--probe", "../../etc"), "../../etc", ""),
    "unknown parameter": ((*SWEEP, "--param", "slow_open.treshold_ms=5"), "treshold_ms", "threshold_ms"),
    "parameter out of range": ((*SWEEP, "--param", "slow_open.threshold_ms=0"), "threshold_ms", "1"),
    "parameter of a wrong type": ((*SWEEP, "--param", "slow_open.threshold_ms=soon"), "threshold_ms", "soon"),
    "parameter of another probe": ((*SWEEP, "--param", "nettop.interval_s=5"), "nettop", ""),
    "parameter without a value": ((*SWEEP, "--param", "threshold_ms"), "threshold_ms", "PROBE.NAME=VALUE"),
    "window 0": ((*SWEEP, "--window", "0"), "window", ""),
    "negative window": ((*SWEEP, "--window=-5s"), "window", ""),
    "absurd window": ((*SWEEP, "--window", "400d"), "window", ""),
    "window in words": ((*SWEEP, "--window", "soon"), "window", ""),
    "catalog that is missing": ((*SWEEP, "--catalog", "mine"), "mine", "directory"),
    "missing inventory": (
        ("sweep", "-i", "nowhere.yml", "--probe", "slow_open"),
        "nowhere.yml",
        "name a file",
    ),
    "pattern without a host": ((*SWEEP, "-l", "db"), "'db' matches no host", "ansible-inventory"),
    "pattern without a word": ((*SWEEP, "-l", ""), "--limit: is empty", "-l all"),
    "pattern of commas": ((*SWEEP, "-l", ", :"), "--limit: is empty", "-l all"),
    "pattern with braces": ((*SWEEP, "-l", "web{1,2}"), "web{1,2}", "web[1:3]"),
    "pattern from an empty file": ((*SWEEP, "-l", "@/dev/null"), "no host is named in /dev/null", "-l all"),
    "an option that Ansible refuses": ((*SWEEP, "-T", "soon"), "-T/--timeout", "--help"),
    "two options that exclude each other": (
        (*SWEEP, "-k", "--connection-password-file", "pw"),
        "not allowed with argument -k/--ask-pass",
        "Ansible's options",
    ),
    "forks out of range": ((*SWEEP, "--forks", "0"), "--forks 0", "1 to 500"),
    "earlier sweeps below none": ((*SWEEP, "--baseline", "-1"), "--baseline: -1", "0 to compare with none"),
    "no number of canaries": ((*SWEEP, "--canary", "some"), "--canary: 'some'", "1 or 10%"),
    "more than all at a time": ((*SWEEP, "--batch", "101%"), "--batch: '101%'", "1 or 10%"),
    "no weight": ((*SWEEP, "--drain", "50;x"), "--drain: '50;x'", "50% of what it is"),
    "weights and shards": (
        (*SWEEP, "--drain", "50%", "--shards", "2"),
        "--shards: shards know nothing",
        "leave out",
    ),
    "missing run directory": (("report", "nowhere"), "nowhere", ""),
    "not a run directory": (("report", "."), "sweep.json", ""),
    "unknown format": (("report", ".", "--format", "docx"), "docx", "it can be csv, html, json"),
    "several without a place": (("report", "./a", "./b"), "several run directories", "-o OUT"),
    "a file as the place": (("report", ".", "-o", "hosts.yml"), "hosts.yml", "directory"),
    "several formats on standard output": (
        ("report", ".", "--format", "md,json", "-o", "-"),
        "only one format",
        "html, json",
    ),
    "files on standard output": (("report", ".", "--format", "csv", "-o", "-"), "only one format", "txt"),
    "unknown severity": (("report", ".", "--fail-on", "info"), "info", "--help"),
}


def _sentence(result: Any) -> str:
    """The complaint, checked for its form."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("fleetdiag: ")
    return str(lines[0])


@pytest.mark.parametrize("case", CASES)
def test_one_sentence_and_exit_code_2(fleetdiag: Callable[..., Any], home: Path, case: str) -> None:
    arguments, what, remedy = CASES[case]
    before = sorted(home.rglob("*"))
    sentence = _sentence(fleetdiag(*arguments))
    assert what in sentence
    assert remedy in sentence
    made = [path for path in home.rglob("*") if path not in before and ".ansible" not in path.parts]
    assert made == []


def test_inventory_that_cannot_be_read(fleetdiag: Callable[..., Any], home: Path) -> None:
    (home / "bad.yml").write_text("all: [\n", encoding="utf-8")
    sentence = _sentence(fleetdiag("sweep", "-i", "hosts.yml", "-i", "bad.yml", "--probe", "slow_open"))
    assert "bad.yml" in sentence
    assert "cannot be read" in sentence


def test_empty_inventory(fleetdiag: Callable[..., Any], home: Path) -> None:
    (home / "empty.yml").write_text("all: {}\n", encoding="utf-8")
    assert "no host" in _sentence(fleetdiag("sweep", "-i", "empty.yml", "--probe", "slow_open"))


def test_run_directory_of_a_newer_version(fleetdiag: Callable[..., Any], home: Path) -> None:
    (home / "sweep.json").write_text(json.dumps({"format": 999}), encoding="utf-8")
    assert "newer" in _sentence(fleetdiag("report", "."))


def test_runs_dir_that_cannot_be_made(fleetdiag: Callable[..., Any], home: Path) -> None:
    (home / "runs").write_text("in the way", encoding="utf-8")
    result = fleetdiag(*SWEEP, "--runs-dir", "runs")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("fleetdiag: the sweep could not start: ")
    assert "Traceback" not in result.stderr
