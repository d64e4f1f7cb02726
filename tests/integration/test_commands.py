# SPDX-License-Identifier: GPL-3.0-or-later
"""No script has a command run on a probed host: SystemTap's own translator says what would become of it."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from bypasses import COMMANDS, HARMLESS

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.probe_points import forbidden
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import policy
from fleetdiag.lab.model import Lab

CONTROL = (sources.FILES / "control.stp").read_text()
OURS = "fleetdiag runs no command"


#: As much of a kernel's headers as the translator wants to see: these scripts ask for nothing of a kernel.
KERNEL = """\
mkdir -p kernel/include/config && cd kernel && echo 6.1.0-test >include/config/kernel.release
echo CONFIG_MODULES=y >include/config/auto.conf; touch .config Makefile Module.symvers
"""
Shell = Callable[[str, str], subprocess.CompletedProcess[str]]
"""(script, standard input) -> what came of it."""


def _here(script: str, data: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        ["/bin/sh", "-c", script],
        input=data,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@dataclass(frozen=True)
class Translator:
    """A SystemTap, reached by a shell, with a directory of its own there."""

    shell: Shell
    folder: str

    def source(self, script: str, arguments: list[str], control: str) -> str:
        """Return the C source of a script."""
        words = [*("stap", "-p3", "-r", "$PWD/kernel", "-m", "fd_x", "-I", "tapset")]
        words += [*(["-E", shlex.quote(control)] if control else []), "x.stp", *map(shlex.quote, arguments)]
        given = f"cd {self.folder} && cat >x.stp && SYSTEMTAP_DIR=$PWD/systemtap exec {' '.join(words)}"
        done = self.shell(given, script)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(
    scope="module",
    # This machine's SystemTap, and the newer one of the lab's builder.
    params=["here", pytest.param("builder", marks=pytest.mark.lab)],
)
def translator(request: pytest.FixtureRequest) -> Iterator[Translator]:
    shell = _here
    if request.param == "builder":
        lab: Lab = request.getfixturevalue("lab")

        def shell(script: str, data: str) -> subprocess.CompletedProcess[str]:
            words = lab.ssh_command("builder", ["/bin/sh", "-c", shlex.quote(script)], shared=True)
            return subprocess.run(words, input=data, capture_output=True, text=True, timeout=300, check=False)

    folder = shell("mktemp -d", "").stdout.strip()
    tapset = "\n".join(path.read_text() for path in sorted((sources.FILES / "tapset").glob("*.stp")))
    made = shell(f"cd {folder} && mkdir tapset && cat >tapset/all.stp && {KERNEL}", tapset)
    assert made.returncode == 0, made.stderr
    yield Translator(shell, folder)
    shell(f"rm -rf {folder}", "")


def translated(folder: Path, translator: Translator, script: str, arguments: list[str], control: str) -> str:
    """Return the C source of a script, which then lies in `folder` where a builder's lies too."""
    source = translator.source(script, arguments, control)
    (folder / "stapAbC").mkdir()
    (folder / "stapAbC" / "fd_x_src.c").write_text(source)
    return source


@pytest.mark.parametrize("hidden_by", COMMANDS)
def test_the_function_of_control_takes_the_place_of_systemtaps(
    tmp_path: Path, translator: Translator, hidden_by: str
) -> None:
    source = translated(tmp_path, translator, *COMMANDS[hidden_by], CONTROL)
    assert "STP_SYSTEM" not in source
    assert OURS in source
    assert forbidden(str(tmp_path), "fd_x", "x.stp") == ""


@pytest.mark.parametrize("hidden_by", COMMANDS)
def test_a_module_that_would_run_a_command_is_not_handed_out(
    tmp_path: Path, translator: Translator, hidden_by: str
) -> None:
    translated(tmp_path, translator, *COMMANDS[hidden_by], "")  # SystemTap alone: the bypass is one
    assert forbidden(str(tmp_path), "fd_x", "x.stp") == (
        "x.stp: its module would run a command on the probed host (_stp_ctl_send); a probe only watches: take it out"
    )


@pytest.mark.parametrize("what", HARMLESS)
def test_what_runs_no_command_is_left_alone(tmp_path: Path, translator: Translator, what: str) -> None:
    script, arguments = HARMLESS[what]
    assert policy.faults(script, "script", arguments=arguments) == []
    source = translated(tmp_path, translator, script, arguments, CONTROL)
    assert OURS not in source  # it costs nothing where nobody calls it
    assert forbidden(str(tmp_path), "fd_x", "x.stp") == ""
