# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shlex
import subprocess

from fleetdiag.lab import recipe, workload


def test_a_terminal_ends_when_nobody_reads_it_any_more() -> None:
    """Else it goes on for ever on its machine: only the one `date` is told that the reader is gone."""
    loop = workload.TERMINAL.replace("sleep 1", "sleep 0.05")
    with subprocess.Popen(["sh", "-c", loop], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as terminal:
        assert terminal.stdout is not None
        assert terminal.stdout.readline()
        terminal.stdout.close()
        assert terminal.wait(timeout=20) == 0


def test_the_failing_check_fails_under_its_own_name() -> None:
    """As its machine is told to write it; only the paths are others here."""
    start = workload.TROUBLE[recipe.FAILING_HOST]
    words = shlex.split(start)
    assert f"/usr/local/bin/{workload.FAILING_CHECK}" in words
    assert len(workload.FAILING_CHECK) <= 15, "the kernel cuts the names of processes"
    subprocess.run(["sh", "-n", "-c", start], check=True)
    check = words[words.index("printf") + 1].replace("\\n", "\n")
    assert subprocess.run(["sh", "-c", check], check=False).returncode == 1
