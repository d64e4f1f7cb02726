# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of the demo's sweep."""

from __future__ import annotations

import signal
import subprocess
import sys

SWEEP = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit("swept in order"))
print("sweeping", flush=True)
signal.pause()
"""
DEMO = """
import sys
from fleetdiag.lab.demos import web
print("status", web.sweep([sys.executable, "-c", sys.argv[1]]), flush=True)
"""


def test_who_kills_the_demo_ends_its_sweep_in_order_and_the_demo_goes_on() -> None:
    command = [sys.executable, "-c", DEMO, SWEEP]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "sweeping\n"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "status 1\n", "swept in order\n")
