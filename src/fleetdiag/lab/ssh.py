# SPDX-License-Identifier: GPL-3.0-or-later
"""Reach the lab's machines: wait for sshd, run a command."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable

from fleetdiag.lab import keys as lab_keys
from fleetdiag.lab.keys import Keys


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_banner(port: int, timeout_s: float, still_runs: Callable[[], bool]) -> bool:
    """Wait until an ssh server greets on 127.0.0.1:`port`; False when the time is over or the machine ended.

    QEMU accepts connections before its guest listens, so only the server's first bytes count.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and still_runs():
        began = time.monotonic()
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.settimeout(max(1.0, min(15.0, deadline - time.monotonic())))
                if connection.recv(4) == b"SSH-":
                    return True
        except OSError:
            pass
        # A closed port answers at once; look again a little later.
        time.sleep(max(0.0, 0.3 - (time.monotonic() - began)))
    return False


def command(keys: Keys, port: int, user: str, words: list[str]) -> list[str]:
    """The ssh command line that runs `words` (none: a shell) on the machine behind `port`."""
    base = ["ssh", "-F", "/dev/null", "-i", str(keys.client), *lab_keys.options(keys), "-o", "LogLevel=ERROR"]
    return [*base, "-p", str(port), f"{user}@127.0.0.1", *(["--", *words] if words else [])]


def run(
    keys: Keys, port: int, user: str, script: str, timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a shell `script` there and capture its output; the status 255 is ssh's own."""
    return subprocess.run(
        command(keys, port, user, [script]),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
    )
