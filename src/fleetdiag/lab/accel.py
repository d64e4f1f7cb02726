# SPDX-License-Identifier: GPL-3.0-or-later
"""Hardware virtualisation, but only when it works: /dev/kvm may be there and its guests print nothing."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from pathlib import Path

from fleetdiag.lab import processes
from fleetdiag.lab.images import BuiltImage
from fleetdiag.lab.log import say

_TRIAL_S = 6.0
TCG = "tcg,thread=multi,tb-size=256"


def choose(cache: Path, image: BuiltImage) -> str:
    """Return the value of QEMU's `-accel`: kvm after a trial boot printed something, else emulation.

    The verdict is kept until the machine boots again.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return TCG
    verdict = cache / "accel.json"
    boot = processes.boot_id()
    try:
        known = json.loads(verdict.read_text())
        if known["boot_id"] == boot:
            return str(known["accel"])
    except (FileNotFoundError, ValueError, KeyError):
        pass
    say(f"trying hardware virtualisation (at most {_TRIAL_S:.0f} s)")
    chosen = "kvm" if _guest_prints(image) else TCG
    say("hardware virtualisation works" if chosen == "kvm" else "a guest under KVM prints nothing: emulating")
    verdict.write_text(json.dumps({"boot_id": boot, "accel": chosen}))
    return chosen


def _guest_prints(image: BuiltImage) -> bool:
    command = [
        *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-accel", "kvm", "-cpu", "max", "-m", "512", "-serial", "stdio"),
        *("-kernel", str(image.kernel), "-append", "console=ttyS0 earlyprintk=ttyS0 panic=-1"),
    ]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    ) as trial:
        assert trial.stdout is not None
        seen = b""
        deadline = time.monotonic() + _TRIAL_S
        # The firmware's own few lines prove nothing; the kernel's banner does.
        while b"Linux version" not in seen:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([trial.stdout], [], [], left)[0]:
                break
            chunk = trial.stdout.read(4096)
            if not chunk:
                break
            seen += chunk
        trial.kill()
    return b"Linux version" in seen
