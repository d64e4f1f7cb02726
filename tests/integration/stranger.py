# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody who has what was installed in an empty environment, and nothing of the source tree."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pexpect
from sweeps import ROOT


def built_wheel(folder: Path) -> Path:
    """Return the wheel that `make wheel` makes, built into a folder."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


class Stranger:
    """An environment with a home of its own, where neither ansible.cfg nor sources are in reach."""

    def __init__(self, base: Path) -> None:
        self.home, self.venv = base / "home", base / "venv"
        self.home.mkdir(parents=True)
        subprocess.run([sys.executable, "-m", "venv", str(self.venv)], check=True)

    def run(
        self, program: str, *arguments: object, typed: Mapping[str, str] | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment as in a shell that was just opened.

        typed: {the end of a question: what is typed then} on its terminal, where stderr is shown in stdout; it has no
        terminal where nothing is typed.
        """
        command = [str(self.venv / "bin" / program), *map(str, arguments)]
        shell = {
            "HOME": str(self.home),
            "PATH": f"{self.venv}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C.UTF-8",
            **variables,
        }
        if typed:
            shown, code = pexpect.run(
                shlex.join(command),
                events=typed,
                withexitstatus=True,
                cwd=str(self.home),
                env={**shell, "TERM": "dumb"},
                encoding="utf-8",
                timeout=None,
            )
            return subprocess.CompletedProcess(command, code, shown, "")
        return subprocess.run(
            command,
            cwd=self.home,
            env=shell,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def needs(self, program: str, *arguments: object) -> None:
        """Run a program that has to succeed."""
        done = self.run(program, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
