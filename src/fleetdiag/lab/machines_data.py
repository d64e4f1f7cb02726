# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the lab: machines, suites, packages. Data only; a change here makes new images."""

from __future__ import annotations

from dataclasses import dataclass, field

#: Raise it when code (not data or scripts) changes what an image holds.
FORMAT = 1

BUILDER = "builder"
BUILDER_SUITE = "forky"

AMD64, ARM64 = "amd64", "arm64"

_TARGET_PACKAGES = (
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
# No roles of a profile: to set a package up under an emulator takes ten times as long.
_ARM_PACKAGES = _TARGET_PACKAGES[: _TARGET_PACKAGES.index("haproxy")]

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
    architecture: str = AMD64

    def all_packages(self) -> list[str]:
        return [f"linux-image-{self.architecture}", *self.packages, *(["apache2"] if self.apache else [])]


@dataclass(frozen=True)
class Machine:
    """An emulated machine: its name in the inventory, its image, its inventory group.

    services: ports of the machine that answer on a port of 127.0.0.1 here, beside ssh, by name. address: in the
    network of a profile whose machines reach each other; empty on a machine that is in none.
    """

    name: str
    image: Image
    group: str
    memory_mb: int = 1024
    services: tuple[tuple[str, int], ...] = (("http", 80),)
    address: str = ""


#: Inventory group of the load balancers.
BALANCERS = "load_balancers"
#: HAProxy instances of the profile `site`, all on one machine: (name, port). Each has its socket in BALANCER_SOCKETS.
SITE_BALANCERS = (("lb_a", 8081), ("lb_b", 8082))
BALANCER_SOCKETS = "/run/haproxy"

TRIXIE = Image("trixie")
FORKY = Image("forky")
BOOKWORM = Image("bookworm", apache=False)
TRIXIE_ARM = Image("trixie", apache=False, packages=_ARM_PACKAGES, architecture=ARM64)

MACHINES = {
    machine.name: machine
    for machine in (
        Machine("web1", TRIXIE, "web"),
        Machine("web2", TRIXIE, "web"),
        Machine("web3", FORKY, "web"),
        Machine("old1", BOOKWORM, "old"),
        Machine("arm1", TRIXIE_ARM, "arm", services=()),
        # The profile `site`, names of its own: it may run beside the others.
        Machine("www1", TRIXIE, "web", 768, address="10.77.0.11"),
        Machine("www2", TRIXIE, "web", 768, address="10.77.0.12"),
        Machine("nfs1", TRIXIE, "nfs", 768, services=(), address="10.77.0.21"),
        Machine("lb1", TRIXIE, BALANCERS, 768, services=SITE_BALANCERS, address="10.77.0.31"),
    )
}
WEB = ("web1", "web2", "web3")
OLD = ("old1",)
ARM = ("arm1",)
SITE_WEB = ("www1", "www2")
SITE_NFS = "nfs1"
SITE_BALANCER = "lb1"
SITE = (*SITE_WEB, SITE_NFS, SITE_BALANCER)
#: What `lab up` boots.
PROFILES = {"web": (BUILDER, *WEB), "site": (BUILDER, *SITE)}
#: The web machine that serves one file slowly.
SLOW_HOST = "web3"
