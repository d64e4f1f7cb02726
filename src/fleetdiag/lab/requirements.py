# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab needs of this machine: said before it starts, in one sentence."""

from __future__ import annotations

import getpass
import os
import platform
import shutil
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.lab import mirror, rights
from fleetdiag.lab.log import say

# Command: Debian package that brings it.
_COMMANDS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "mkfs.ext4": "e2fsprogs",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
    "dpkg-deb": "dpkg",
    "zstd": "zstd",
    "tar": "tar",
}
# The same for machines of another architecture, and what sets their packages up on this one.
_FOREIGN_COMMANDS = {"qemu-system-aarch64": "qemu-system-arm"}
_FOREIGN_IMAGE_COMMANDS = {"arch-test": "arch-test", "qemu-aarch64-static": "qemu-user-static"}
_BINFMT = Path("/proc/sys/fs/binfmt_misc/qemu-aarch64")
_SYSTEM_PATH = "/usr/sbin:/sbin"


def check(
    cache: Path,
    state: Path,
    to_build_gb: float,
    memory_gb: float,
    foreign: bool = False,
    foreign_image: bool = False,
) -> None:
    """Say what is needed; stop with one sentence when something is missing.

    `to_build_gb`: free disk space that missing images and running overlays will take. `foreign`: a machine of another
    architecture is started; `foreign_image`: its image is to be made.
    """
    if platform.machine() != "x86_64":
        raise FleetdiagError(
            f"the lab runs amd64 kernels on an amd64 machine; this one is {platform.machine()}"
        )
    os.environ["PATH"] = f"{os.environ.get('PATH', '/usr/bin:/bin')}:{_SYSTEM_PATH}"
    wanted = {
        **_COMMANDS,
        **(_FOREIGN_COMMANDS if foreign else {}),
        **(_FOREIGN_IMAGE_COMMANDS if foreign_image else {}),
    }
    missing = {package for command, package in wanted.items() if not shutil.which(command)}
    if not mirror.ARCHIVE_KEYRING.exists():
        missing.add("debian-archive-keyring")
    if not rights.is_root() and not shutil.which("newuidmap"):
        missing.add("uidmap")
    if missing:
        raise FleetdiagError(
            f"the lab needs packages that are not installed: apt-get install {' '.join(sorted(missing))}"
        )
    if foreign_image and not _BINFMT.exists():
        raise FleetdiagError(
            "programs of arm64 do not run here, by which the image of such a machine is set up; mount binfmt_misc at"
            f" {_BINFMT.parent} and write /usr/lib/binfmt.d/qemu-aarch64.conf into its file `register`"
        )
    if not rights.is_root() and not _has_subordinate_ids():
        raise FleetdiagError(
            f"user {getpass.getuser()} has no range in /etc/subuid and /etc/subgid; as root: "
            f"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {getpass.getuser()}"
        )
    free_gb = min(shutil.disk_usage(_existing(path)).free for path in (cache, state)) / 1e9
    available_gb = _available_memory_gb()
    say(
        f"needs {to_build_gb:.0f} GB of disk ({free_gb:.0f} free) and {memory_gb:.1f} GB of memory "
        f"({available_gb:.1f} available)"
    )
    if free_gb < to_build_gb:
        raise FleetdiagError(
            f"the lab needs {to_build_gb:.0f} GB under {cache} and {state}, {free_gb:.1f} GB are free"
        )
    if available_gb < memory_gb:
        raise FleetdiagError(
            f"the lab needs {memory_gb:.1f} GB of memory, {available_gb:.1f} GB are available; "
            "boot fewer machines with `lab up --only NAME`"
        )


def _has_subordinate_ids() -> bool:
    names = (getpass.getuser(), str(os.getuid()))
    for file in ("/etc/subuid", "/etc/subgid"):
        try:
            entries = Path(file).read_text().splitlines()
        except FileNotFoundError:
            return False
        if not any(entry.split(":", 1)[0] in names for entry in entries):
            return False
    return True


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _available_memory_gb() -> float:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024 / 1e9
    return 0.0
