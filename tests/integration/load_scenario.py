# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes on one machine what is named: files that stay open, connects, a writer, or more work than processors.

Runs there as root with nothing but Python's library; test_scenario.py starts it and cleans up after it.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

SLOW_FILE = "/srv/informe anual.csv"
SLOW_FILES = 6
HELD_S = 1.5
CONNECTS = 10
CONNECT_DELAY_MS = 800  # far more than a connect takes on a machine that is emulated beside others
WRITTEN_MB = 2
SPINNERS = 8


def files() -> None:
    """Keep some files open for longer than a second, one of them by far."""
    while True:
        opened = [
            os.open(f"{SLOW_FILE}{number or ''}", os.O_WRONLY | os.O_CREAT) for number in range(SLOW_FILES)
        ]
        time.sleep(HELD_S)
        for file in opened[1:]:
            os.close(file)
        time.sleep(HELD_S)
        os.close(opened[0])
        time.sleep(HELD_S)


def connects() -> None:
    """Connect to a server of this machine, about ten times in 30 s."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        while True:
            with socket.create_connection(server.getsockname()):
                server.accept()[0].close()
            time.sleep(30 / CONNECTS)


def writer() -> None:
    """Write some megabytes to the disk each second."""
    with open("/var/tmp/scenario-writer.dat", "wb", buffering=0) as file:
        while True:
            file.seek(0)
            file.writelines(bytes(1 << 16) for _ in range(16 * WRITTEN_MB))
            os.fsync(file)
            time.sleep(1)


def spin() -> None:
    """Have more work than the processors do, which what is watched has right of way over."""
    for number in range(SPINNERS):
        if os.fork() == 0:
            Path("/proc/self/comm").write_text(f"scenario_spin_{number}")
            os.nice(19)
            while True:
                pass
    time.sleep(3600)


if __name__ == "__main__":
    Path("/proc/self/comm").write_text(f"scenario_{sys.argv[1]}"[:15])
    {"files": files, "connects": connects, "writer": writer, "spin": spin}[sys.argv[1]]()
