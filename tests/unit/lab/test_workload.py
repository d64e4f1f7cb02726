# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess

from fleetdiag.lab import workload


def test_a_terminal_ends_when_nobody_reads_it_any_more() -> None:
    """Else it goes on for ever on its machine: only the one `date` is told that the reader is gone."""
    loop = workload.TERMINAL.replace("sleep 1", "sleep 0.05")
    with subprocess.Popen(["sh", "-c", loop], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as terminal:
        assert terminal.stdout is not None
        assert terminal.stdout.readline()
        terminal.stdout.close()
        assert terminal.wait(timeout=20) == 0
