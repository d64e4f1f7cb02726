# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag probes check ./my.stp`: a bare script, looked over as a sweep does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FleetDiag = Callable[..., Any]


def check(fleetdiag: FleetDiag, home: Path, text: str, beside: str = "") -> tuple[int, list[str]]:
    (home / "my.stp").write_text(text)
    if beside:
        (home / "my.yml").write_text(beside)
    result = fleetdiag("probes", "check", "./my.stp")
    assert result.stderr == ""
    return result.returncode, result.stdout.splitlines()


def test_a_script_without_fault(fleetdiag: FleetDiag, home: Path) -> None:
    text = "#!/usr/bin/stap -DMAXNESTING=20\nprobe syscall.read { if (pid() == target()) n[@1]++ }\n"
    code, lines = check(fleetdiag, home, text, "prints: reset\n")
    assert (code, lines[0]) == (0, "./my.stp: no fault")
    assert lines[1].startswith("  needs arguments: --param stp_my.args='...'")
    assert lines[2:4] == [
        "  asks for a process: give hosts the variable sweep_target, or --param stp_my.target=PID",
        "  is compiled with -DMAXNESTING=20, as its first line says",
    ]
    assert lines[4] == f"  its output is read as {home / 'my.yml'} says: prints"


def test_all_faults_with_their_lines(fleetdiag: FleetDiag, home: Path) -> None:
    text = '#!/usr/bin/stap -g -olog.txt\nprobe syscall.read {\n  system("ls")\n}\n'
    code, lines = check(fleetdiag, home, text, "print: reset\nkeys: 5\n")
    assert code == 2
    assert [line.split(";")[0] for line in lines] == [
        "my.stp:1: asks for guru mode (-g)",
        "my.stp:1: writes into a file on the host (-o)",
        "my.stp:3: system() runs a command on the host",
        "my.yml:1: print: is not known",
        "my.yml:2: keys: is no list of texts",
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("probe begin { println(1) }\n", "./my.stp: has no live probe point: it probes only begin"),
        ("probe syscall.read {\n", "my.stp:1: "),
    ],
)
def test_what_a_sweep_would_refuse(fleetdiag: FleetDiag, home: Path, text: str, what: str) -> None:
    code, (line,) = check(fleetdiag, home, text)
    assert code == 2
    assert line.startswith(what)


def test_scripts_and_names_together(fleetdiag: FleetDiag, home: Path) -> None:
    (home / "my.stp").write_text("probe syscall.read { n++ }\n")
    result = fleetdiag("probes", "check", "./my.stp", "nettop", "./gone.stp")
    assert result.returncode == 2
    assert "./gone.stp: there is no such script; name a file that ends in .stp" in result.stdout
    assert result.stdout.splitlines()[-1] == "3 probes, 2 without fault"
