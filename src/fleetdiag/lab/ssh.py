# SPDX-License-Identifier: GPL-3.0-or-later
"""Reach the lab's machines: wait for sshd, run a command."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import time
from collections.abc import Callable

from fleetdiag.lab import keys as lab_keys
from fleetdiag.lab.keys import Keys

_SOCKET_PATH = 107
"""Bytes of the longest path of a UNIX socket."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_banner(port: int, timeout_s: float, still_wanted: Callable[[], bool]) -> bool:
    """Wait until an ssh server greets on 127.0.0.1:`port`; False when time is over or it is not wanted.

    QEMU accepts connections before its guest listens, so only the server's first bytes count.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and still_wanted():
        began = time.monotonic()
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                if _greets(connection, min(deadline, began + 15), still_wanted):
                    return True
        except OSError:
            pass
        # A closed port answers at once; look again a little later.
        time.sleep(max(0.0, 0.3 - (time.monotonic() - began)))
    return False


def _greets(connection: socket.socket, deadline: float, still_wanted: Callable[[], bool]) -> bool:
    while time.monotonic() < deadline and still_wanted():
        if select.select([connection], [], [], 0.5)[0]:
            return connection.recv(4) == b"SSH-"
    return False


def command(keys: Keys, port: int, user: str, words: list[str], *, shared: bool = False) -> list[str]:
    """Return the ssh command line that runs `words` (none: a shell) on the machine behind `port`.

    shared: over a connection that later commands take too; a login costs an emulated machine a second of its processor.
    """
    base = ["ssh", "-F", "/dev/null", "-i", str(keys.client), *lab_keys.options(keys), "-o", "LogLevel=ERROR"]
    base += _sharing(keys) if shared else []
    return [*base, "-p", str(port), f"{user}@127.0.0.1", *(["--", *words] if words else [])]


def _sharing(keys: Keys) -> list[str]:
    """Return the options for a shared connection; none where its socket's path would be longer than one may be."""
    hashed, unfinished = 40, 17  # characters that ssh puts for %C, and adds while it makes the socket
    if len(os.fsencode(keys.folder)) + 1 + hashed + unfinished > _SOCKET_PATH:
        return []
    values = ("ControlMaster=auto", f"ControlPath={keys.folder}/%C", "ControlPersist=60")
    return [part for value in values for part in ("-o", value)]


def run(
    keys: Keys, port: int, user: str, script: str, timeout_s: float = 120, *, shared: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a shell `script` there and capture its output; the status 255 is ssh's own. shared: see `command`."""
    return subprocess.run(
        command(keys, port, user, [script], shared=shared),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
    )
