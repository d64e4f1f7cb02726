# SPDX-License-Identifier: GPL-3.0-or-later
"""Completion of the command in a real shell: its own options, and those that Ansible brings."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from commands import Command


@pytest.mark.parametrize(
    ("line", "word", "found"),
    [
        ("fleetdiag sw", "sw", "sweep"),
        ("fleetdiag sweep --prob", "--prob", "--probe"),
        ("fleetdiag abort --become-pass", "--become-pass", "--become-password-file"),
        ("fleetdiag probes de", "de", "dev"),
    ],
)
def test_bash_completes_commands_and_options(
    fleetdiag: Command, tmp_path: Path, line: str, word: str, found: str
) -> None:
    script = tmp_path / "completion.bash"
    made = fleetdiag("completion", "bash")
    assert (made.returncode, made.stderr) == (0, "")
    words = line.split()
    asks = f"""
        source {script}
        COMP_WORDS=({line}) COMP_CWORD={len(words) - 1} COMP_LINE='{line}' COMP_POINT={len(line)}
        _shtab_fleetdiag fleetdiag {word} {words[-2]}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    script.write_text(made.stdout, encoding="utf-8")
    done = subprocess.run(["bash", "-c", asks], capture_output=True, text=True, check=False)
    assert found in done.stdout.split(), done.stderr


def test_the_manual_page_has_every_command_and_the_options_of_ansible(fleetdiag: Command) -> None:
    made = fleetdiag("man")
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.startswith(".TH FLEETDIAG")
    commands = re.findall(r"^\\fBfleetdiag\\fR \\fI\\,(\S+)\\/\\fR$", made.stdout, re.MULTILINE)
    assert {"sweep", "report", "probes", "completion", "man"} <= set(commands)
    assert (
        made.stdout.count("become\\-password\\-file") >= 4
    )  # sweep, abort, collect, builder warm, probes dev
    if groff := shutil.which("groff"):
        words = [groff, "-man", "-Tascii", "-ww", "-z"]
        told = subprocess.run(words, input=made.stdout, capture_output=True, text=True, check=True)
        assert "error" not in told.stderr


def test_an_unknown_shell_is_refused(fleetdiag: Command) -> None:
    done = fleetdiag("completion", "nutshell")
    assert done.returncode == 2
    assert "nutshell" in done.stderr
