# SPDX-License-Identifier: GPL-3.0-or-later
"""The one program that runs on probed hosts, made of its parts: a host gets it as one file.

The parts are not named `.sh`: alone they are no programs, and no checker of shell programs can make sense of them.
"""

from __future__ import annotations

from pathlib import Path

FILES = Path(__file__).resolve().parents[3] / "roles" / "sweep" / "files"
#: In their order: the first sets what all use, the last does what is asked and ends the program.
PARTS = (
    "base",
    "secrets",
    "preflight",
    "modules",
    "sysctls",
    "kernel",
    "lock",
    "arm",
    "end",
    "main",
)


def text() -> bytes:
    """Return the program; what is sent behind its last line it reads itself (`install_rules`)."""
    return b"\n".join((FILES / "guard" / f"{part}.part").read_bytes() for part in PARTS)
