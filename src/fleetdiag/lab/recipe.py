# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the lab: machines, suites, packages. Data only; a change here makes new images."""

from __future__ import annotations

from dataclasses import dataclass, field

#: Raise it when code (not data or scripts) changes what an image holds.
FORMAT = 1

BUILDER = "builder"
BUILDER_SUITE = "forky"

_TARGET_PACKAGES = (
    "linux-image-amd64",
    "initramfs-tools",
    "systemd-sysv",
    "udev",
    "dbus",
    "openssh-server",
    "python3",
    # Ansible's apt module wants it, and the machines have no network to get it from.
    "python3-apt",
    "sudo",
    "curl",
    "iproute2",
    "kmod",
    "procps",
    "e2fsprogs",
    # Roles of the profile `site`: balancers, file server and its clients, a disk that answers late.
    "haproxy",
    "ipvsadm",
    "nfs-kernel-server",
    "nfs-common",
    "dmsetup",
)

BUILDER_PACKAGES = (
    "systemtap",
    "systemtap-doc",
    "gcc",
    "make",
    "openssh-server",
    "python3",
    "python3-apt",
    "xz-utils",
    "zstd",
    "kmod",
    "procps",
    "ca-certificates",
)


@dataclass(frozen=True)
class Image:
    """A disk image: one Debian suite with its stock kernel."""

    suite: str
    apache: bool = True
    packages: tuple[str, ...] = field(default=_TARGET_PACKAGES)
    size_gb: int = 4

    def all_packages(self) -> list[str]:
        return [*self.packages, *(["apache2"] if self.apache else [])]


@dataclass(frozen=True)
class Machine:
    """An emulated machine: its name in the inventory, its image, its inventory group."""

    name: str
    image: Image
    group: str
    memory_mb: int = 1024


TRIXIE = Image("trixie")
FORKY = Image("forky")
BOOKWORM = Image("bookworm", apache=False)

MACHINES = {
    machine.name: machine
    for machine in (
        Machine("web1", TRIXIE, "web"),
        Machine("web2", TRIXIE, "web"),
        Machine("web3", FORKY, "web"),
        Machine("old1", BOOKWORM, "old"),
    )
}
WEB = ("web1", "web2", "web3")
OLD = ("old1",)
#: The web machine that serves one file slowly.
SLOW_HOST = "web3"
