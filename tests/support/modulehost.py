# SPDX-License-Identifier: GPL-3.0-or-later
"""guard.sh with a home of its own and a stand-in for systemd, which notes what it is to start."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import signing
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import hostctl
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl import Guard, SessionPlan
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl_replies import ArmReply

SWEEP = "20261123_071502_1f3a"
PROBE = "tick"
MODULE = b"\x7fELF fd_00000000_000000_0000_tick \0\xff name=fd_00000000_000000_0000_tick\0nonce_of_session\0"
SHA256 = hashlib.sha256(MODULE).hexdigest()
NONCE = "0123456789abcdef"
SIGNED = MODULE + b"PKCS7~Module signature appended~\n"

SYSTEMD_RUN = "#!/bin/sh\n"
SYSTEMCTL = """#!/bin/sh
case $* in *' start '*) ;; *) exit 1 ;; esac
for unit; do
    [ -e "UNITS/$unit" ] || continue
    out=$(sed -n 's/^StandardOutput=file://p' "UNITS/$unit")
    printf '0\\t1\\t@armed\\t\\n' >"$out"
    read -r words <"${out%/out}/command"
    for word in $words; do case $word in *.ko) basename "$word" >>LOADED; cat "$word" >MODULE ;; esac; done
done
"""


class Host:
    """guard.sh in a directory, without root."""

    def __init__(self, folder: Path, more: Mapping[str, str] | None = None) -> None:
        self.home, self.programs = folder / "home", folder / "bin"
        self.loaded, self.module, self.units = folder / "loaded", folder / "module", folder / "units"
        self.units.mkdir()
        self.programs.mkdir()
        self.program("systemd-run", SYSTEMD_RUN)
        systemctl = SYSTEMCTL
        for word in ("units", "loaded", "module"):
            systemctl = systemctl.replace(word.upper(), str(folder / word))
        self.program("systemctl", systemctl)
        self.replace = {
            "/var/lib/fleetdiag": str(self.home),
            "/run/fleetdiag.lock": str(folder / "lock"),
            "/run/systemd/system": str(self.units),
            "PATH=/usr/sbin": f"PATH={self.programs}:/usr/sbin",
            **(more or {}),
        }
        program = hostctl._program(signing.own())
        for old, new in self.replace.items():
            program = program.replace(old.encode(), new.encode())
        self.guard = Guard(self.run, script=program)
        self.guard.install_and_preflight()
        self.guard.put(SHA256, MODULE)
        self.kept = self.home / "modules" / f"{SHA256}.ko"

    def program(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def run(self, command: str, data: bytes | None) -> tuple[int, str, str]:
        for old, new in self.replace.items():
            command = command.replace(old, new)
        done = subprocess.run(["/bin/sh", "-c", command], input=data or b"", capture_output=True, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def arm(self, sha256: str = SHA256, manifest: signing.Signed | None = None) -> ArmReply:
        plan = SessionPlan(PROBE, sha256, 1, [("fd_nonce", NONCE)])
        return self.guard.arm(SWEEP, ttl_s=60, timeout_s=1, smoke="", plans=[plan], manifest=manifest)

    def refused(self) -> str:
        """Why the one session was not started; nothing may have been loaded."""
        reply = self.arm()
        assert not self.loaded.exists()
        state, _, said = reply.sessions[PROBE]
        assert state == "failed"
        return said
