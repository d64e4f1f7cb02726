# SPDX-License-Identifier: GPL-3.0-or-later
"""An account of the loopback fleet that logs in with its password, and whose sudo asks for it.

What is real: the account of this machine, sshd's check of its password, sudo with its rules. Only the way into a host's
mount namespace needs root, so sshd sends the account's commands through a program that sudo lets it run without asking.
Account, rules and sshd are gone when the block has ended.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loopback import SSHD, Fleet, free_port
from sweeps import wait_until

PROGRAMS = ("sudo", "useradd", "userdel", "chpasswd", "setpriv", "visudo")
NAME = "fleetdiag-ops"
_RULES = Path("/etc/sudoers.d") / NAME
_ENTER = """#!/bin/sh
command=$2
set -- $1
echo "$command" >>"{folder}/commands/$3"
exec nsenter --mount="{folder}/ns/$3" \\
    setpriv --reuid={name} --regid={name} --init-groups --reset-env /bin/sh -c "$command"
"""
_SUDOERS = """
Defaults:{name} timestamp_timeout=0
Defaults!{enter} !use_pty
{name} ALL=(root) ALL
{name} ALL=(root) NOPASSWD: {enter}
"""


@dataclass(frozen=True)
class Account:
    """port: of the sshd that lets it in, with the password and nothing else; log: what that sshd says."""

    name: str
    password: str
    port: int
    log: Path


def lacking() -> list[str]:
    """Return what this machine has not that such an account needs."""
    path = f"/usr/sbin:/sbin:{os.environ.get('PATH', '')}"
    return [name for name in PROGRAMS if not shutil.which(name, path=path)]


@contextlib.contextmanager
def account(fleet: Fleet, folder: Path) -> Iterator[Account]:
    """Make the account, let it into every host of the fleet, and remove it."""
    made = Account(NAME, secrets.token_urlsafe(), free_port(), folder / "sshd.log")
    enter = folder / "enter_as"
    enter.write_text(_ENTER.format(folder=fleet.folder, name=NAME))
    enter.chmod(0o755)
    (folder / "sshd_config").write_text(_config(fleet, made.port, enter))
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", NAME], check=True)
    try:
        subprocess.run(["chpasswd"], input=f"{NAME}:{made.password}\n", text=True, check=True)
        _RULES.write_text(_SUDOERS.format(name=NAME, enter=enter))
        _RULES.chmod(0o440)
        subprocess.run(["visudo", "--check", "--quiet"], check=True)
        sshd = ["/usr/sbin/sshd", "-D", "-E", str(made.log), "-f", str(folder / "sshd_config")]
        with subprocess.Popen(sshd) as server:
            try:
                wait_until(lambda: "Server listening" in _text(made.log), "sshd that listens", 5)
                yield made
            finally:
                server.terminate()
    finally:
        _RULES.unlink(missing_ok=True)
        subprocess.run(["userdel", "--remove", "--force", NAME], check=True, capture_output=True)


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _config(fleet: Fleet, port: int, enter: Path) -> str:
    """Return the fleet's configuration of sshd, with passwords instead of keys."""
    own = SSHD.format(port=port, folder=fleet.folder)
    asked = f'sudo --non-interactive {enter} "$SSH_CONNECTION" "$SSH_ORIGINAL_COMMAND"'
    for before, after in (
        ("PasswordAuthentication no", "PasswordAuthentication yes\nPubkeyAuthentication no"),
        (f"ForceCommand {fleet.folder}/enter", f"ForceCommand {asked}"),
        ("LogLevel ERROR", f"LogLevel INFO\nAllowUsers {NAME}"),
    ):
        assert before in own
        own = own.replace(before, after)
    return own
