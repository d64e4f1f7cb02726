# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a build command: its output to a log, the end of the log in the error."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError


def logged(what: str, command: list[str], log: Path, stdout: Path | None = None) -> None:
    """Run `command`; stderr (and stdout, unless it has a file of its own) goes to the end of `log`.

    Raises FleetdiagError with the last lines of the log when it fails.
    """
    with log.open("ab") as log_file, (stdout or log).open("wb" if stdout else "ab") as out_file:
        done = subprocess.run(
            # A build ends with the command that wanted it, even when that is killed.
            ["setpriv", "--pdeathsig", "TERM", "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=out_file,
            stderr=log_file,
            check=False,
            # /tmp may be small, and the helper's user must be able to enter the folder.
            env={**os.environ, "TMPDIR": "/var/tmp", "LC_ALL": "C.UTF-8"},
        )
    if done.returncode:
        raise FleetdiagError(f"{what} failed with status {done.returncode}; the end of its log:\n{tail(log)}")


def tail(path: Path, lines: int = 15) -> str:
    """Return the last lines of a text file, indented; if it is missing or empty, a line that says so."""
    if not path.is_file():
        return f"    (no {path})"
    text = path.read_bytes()[-16384:].decode(errors="replace")
    printable = "".join(c if c.isprintable() or c == "\n" else "" for c in text.replace("\r", "\n"))
    last = [line for line in printable.splitlines() if line.strip()][-lines:]
    return "\n".join(f"    {line}" for line in last) or f"    ({path} is empty)"
