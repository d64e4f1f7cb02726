# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller on a machine of the lab: the command is installed there, by pip, and a test sets the machine's clock.

Sweeps there begin with the hour. No test waits for an hour: it moves the clock, and then waits for what follows.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stranger import built_wheel
from sweeps import ROOT

from fleetdiag.lab import ssh
from fleetdiag.lab.model import Lab

HOST = "web2"
HOME = "/home/fleet"
COMMAND = "/opt/fleetdiag/bin/fleetdiag"
#: As a machine of the lab reaches the loopback of this one.
HERE = "10.0.2.2"
HOUR_S = 3600
SLOW_S = 1800.0
_PYTHON = "3.13"  # of Debian 13
# The one that is published as source only.
_SOURCE_ONLY = "argparse-manpage"
_PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_28_x86_64")
_INSTALL = """
python3 -m venv --without-pip /opt/fleetdiag
/opt/fleetdiag/bin/python "$(echo /srv/wheels/pip-*.whl)/pip" install -q --no-index --find-links /srv/wheels fleetdiag
"""
_SLOTS = """
import glob, json
print(json.dumps(sorted(json.load(open(path))["slot"] for path in glob.glob("{runs}/*/sweep.json"))))
"""


def wheels(folder: Path) -> None:
    """Put the wheel of this tree there, pip's, and those of all it depends on, for the Python of the machine."""
    folder.mkdir()
    built = built_wheel(folder)
    _run("-m", "pip", "wheel", "-qq", "--no-deps", "--wheel-dir", str(folder), _SOURCE_ONLY)
    words = ["--dest", str(folder), "--find-links", str(folder), "--only-binary=:all:"]
    words += [f"--python-version={_PYTHON}", *(f"--platform={name}" for name in _PLATFORMS)]
    _run("-m", "pip", "download", "-qq", *words, str(built), "pip")


def _run(*words: str) -> None:
    environment = {**os.environ, "PYTHONPATH": ""}
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Controller:
    """The machine, by what a person there would do. smtp: port of a mail server on this machine."""

    lab: Lab
    smtp: int

    def root(self, script: str, timeout_s: float = SLOW_S) -> str:
        """Return what a script of root's prints; it must end well."""
        return self._ssh("root", script, timeout_s)

    def fleet(self, script: str, timeout_s: float = SLOW_S) -> str:
        """Return what a script of the user `fleet` prints, on both streams; it must end well."""
        runtime = 'export XDG_RUNTIME_DIR="/run/user/$(id -u)"\n'
        return self._ssh("fleet", f"exec 2>&1\n{runtime}{script}", timeout_s)

    def _ssh(self, user: str, script: str, timeout_s: float) -> str:
        done = ssh.run(self.lab.keys, self.lab.port(HOST), user, f"set -e\n{script}", timeout_s)
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}{self._journal()}"
        return done.stdout

    def _journal(self) -> str:
        words = "journalctl -n 60 --no-pager -o cat; systemctl list-timers --all 'fleetdiag*'"
        return self.lab.ssh(HOST, words).stdout

    def wait(self, true: str, timeout_s: float = SLOW_S) -> None:
        """Wait until a condition of the shell is true on the machine."""
        try:
            self.root(f"until {true}; do sleep 1; done", timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"never: {true}\n{self._journal()}") from None

    def install(self, folder: Path) -> None:
        """Install the command from the wheels of a folder."""
        self.put_tree(folder, "/srv/wheels")
        self.root(_INSTALL)

    def put_tree(self, folder: Path, place: str) -> None:
        """Copy a folder, as root's."""
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            tar.add(folder, place.lstrip("/"))
        words = ["tar", "-C", "/", "-x", "--no-same-owner"]
        subprocess.run(self.lab.ssh_command(HOST, words), input=data.getvalue(), check=True, timeout=SLOW_S)

    def put(self, path: str, text: str, mode: int = 0o600) -> None:
        """Write a file, which is root's in /etc and else that of `fleet`."""
        data = f"cat >{path}.new <<'END_OF_FILE'\n{textwrap.dedent(text).lstrip()}END_OF_FILE\n"
        write = self.root if path.startswith("/etc/") else self.fleet
        write(f"mkdir -p {path.rpartition('/')[0]}\n{data}chmod {mode:o} {path}.new; mv {path}.new {path}")

    # --- clock ---

    def now(self) -> float:
        """Return the time on the machine."""
        return float(self.root("date +%s"))

    def set_clock(self, moment: float) -> None:
        """Set the machine's clock, as root does by hand."""
        self.root(f"date -s @{moment:.0f}")

    def after_slot(self, minutes: int, slots: int = 1) -> float:
        """Move the clock forward, over so many slots and minutes more; return the last of these slots."""
        slot = (self.now() // HOUR_S + slots) * HOUR_S
        self.set_clock(slot + 60 * minutes)
        return float(slot)

    def before_slot(self) -> float:
        """Move the clock forward until shortly before the next slot; return that."""
        slot = (self.now() // HOUR_S + 1) * HOUR_S
        self.set_clock(slot - 5)
        return float(slot)

    # --- what sweeps left ---

    def records(self, runs: str) -> list[tuple[str, str, str]]:
        """Return the slots without a run, in the order they were recorded: (slot, status, reason)."""
        lines = self.root(f"cat {HOME}/{runs}/slots.jsonl 2>/dev/null || true").splitlines()
        found: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [(item["slot"], item["status"], item.get("reason", "")) for item in found]

    def swept(self, runs: str) -> list[str]:
        """Return the slots that have a run."""
        script = _SLOTS.format(runs=f"{HOME}/{runs}")
        return list(json.loads(self.root(f"python3 <<'END_OF_FILE'\n{script}END_OF_FILE")))


def iso(moment: float) -> str:
    """Return a slot as runs and records name it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
