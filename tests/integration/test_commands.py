# SPDX-License-Identifier: GPL-3.0-or-later
"""No script has a command run on a probed host: SystemTap's own translator says what would become of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from bypasses import COMMANDS, HARMLESS

from ansible_collections.fleetdiag.systemtap.plugins.modules.stap_compile import forbidden
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import policy

CONTROL = (sources.FILES / "control.stp").read_text()
OURS = "fleetdiag runs no command"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As much of a kernel's headers as the translator wants to see: these scripts ask for nothing of a kernel."""
    folder = tmp_path_factory.mktemp("kernel")
    (folder / "include" / "config").mkdir(parents=True)
    (folder / "include" / "config" / "kernel.release").write_text("6.1.0-test")
    (folder / "include" / "config" / "auto.conf").write_text("CONFIG_MODULES=y\n")
    for name in (".config", "Makefile", "Module.symvers"):
        (folder / name).write_text("")
    return folder


def translated(folder: Path, kernel: Path, script: str, arguments: list[str], control: str) -> str:
    """The C source of a script; it lies where a builder's lies too."""
    work = folder / "stapAbC"
    work.mkdir()
    (folder / "x.stp").write_text(script)
    command = ["stap", "-p3", "-r", str(kernel), "-m", "fd_x", "-I", str(sources.FILES / "tapset")]
    command += ["-E", control] if control else []
    command += ["x.stp", *arguments]
    environment = {"PATH": "/usr/bin:/bin", "SYSTEMTAP_DIR": str(folder / "systemtap"), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    (work / "fd_x_src.c").write_text(done.stdout)
    return done.stdout


@pytest.mark.parametrize("hidden_by", COMMANDS)
def test_the_function_of_control_takes_the_place_of_systemtaps(
    tmp_path: Path, kernel: Path, hidden_by: str
) -> None:
    source = translated(tmp_path, kernel, *COMMANDS[hidden_by], CONTROL)
    assert "STP_SYSTEM" not in source
    assert OURS in source
    assert forbidden(str(tmp_path), "fd_x", "x.stp") == ""


@pytest.mark.parametrize("hidden_by", COMMANDS)
def test_a_module_that_would_run_a_command_is_not_handed_out(
    tmp_path: Path, kernel: Path, hidden_by: str
) -> None:
    translated(tmp_path, kernel, *COMMANDS[hidden_by], "")  # SystemTap alone: the bypass is one
    assert forbidden(str(tmp_path), "fd_x", "x.stp") == (
        "x.stp: its module would run a command on the probed host (_stp_ctl_send); a probe only watches: take it out"
    )


@pytest.mark.parametrize("what", HARMLESS)
def test_what_runs_no_command_is_left_alone(tmp_path: Path, kernel: Path, what: str) -> None:
    script, arguments = HARMLESS[what]
    assert policy.faults(script, "script", arguments=arguments) == []
    source = translated(tmp_path, kernel, script, arguments, CONTROL)
    assert OURS not in source  # it costs nothing where nobody calls it
    assert forbidden(str(tmp_path), "fd_x", "x.stp") == ""
