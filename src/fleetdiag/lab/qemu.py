# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator: how a machine of the lab is started, and the disk that it writes to."""

from __future__ import annotations

import functools
import hashlib
import subprocess
from pathlib import Path

from fleetdiag.lab.accel import TCG
from fleetdiag.lab.images import BuiltImage
from fleetdiag.lab.machines_data import AMD64, ARM64, Machine

# What compiles for the machines goes first, but not so far that a busy computer leaves them nothing.
NICE = 5
# The program, its machine and processor, and the name of the serial port there. All pointers of arm64 kernels carry a
# signature, which costs an emulator of `max` most of its time; this processor has none.
_EMULATORS = {
    AMD64: ("qemu-system-x86_64", "pc", "max", "ttyS0"),
    ARM64: ("qemu-system-aarch64", "virt", "cortex-a72", "ttyAMA0"),
}


def command(
    machine: Machine, image: BuiltImage, accel: str, folder: Path, ports: dict[str, int]
) -> list[str]:
    """Return QEMU's command line; what it writes lies in `folder`, and `ports` lead to the machine's services."""
    forwards = ",".join(
        f"hostfwd=tcp:127.0.0.1:{ports[name]}-:{port}" for name, port in services(machine).items()
    )
    program, kind, processor, console = _EMULATORS[machine.image.architecture]
    if machine.image.architecture != AMD64:
        accel = TCG
    kernel_arguments = [
        *(
            "root=/dev/vda",
            "rw",
            "rootfstype=ext4",
            "fsck.mode=skip",
            f"console={console}",
            "quiet",
            "panic=-1",
        ),
        # On a busy machine the emulated timer is late, and a kernel that tests it panics.
        *("mitigations=off", "no_timer_check", "net.ifnames=0", f"systemd.hostname={machine.name}"),
        f"systemd.machine_id={hashlib.md5(machine.name.encode(), usedforsecurity=False).hexdigest()}",
        *("systemd.firstboot=off", "systemd.condition_first_boot=0", "systemd.show_status=true"),
    ]
    return [
        *("nice", "-n", str(NICE), program),
        *("-name", f"fleetdiag-lab-{machine.name}", "-nodefaults", "-no-user-config"),
        *(
            "-display",
            "none",
            "-no-reboot",
            "-machine",
            kind,
            "-accel",
            accel,
            "-cpu",
            processor,
            "-smp",
            "1",
        ),
        *("-m", str(machine.memory_mb), "-rtc", "base=utc"),
        # The disk is thrown away at the end: nothing has to reach the platters.
        *("-drive", f"if=virtio,format=qcow2,cache=unsafe,discard=unmap,file={folder / 'disk.qcow2'}"),
        *("-netdev", f"user,id=net0,{forwards}", "-device", "virtio-net-pci,netdev=net0,romfile="),
        *_private_network(machine, folder.parent),
        *("-device", "virtio-rng-pci", "-serial", f"file:{folder / 'console.log'}"),
        *("-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", " ".join(kernel_arguments)),
    ]


def services(machine: Machine) -> dict[str, int]:
    """Return the machine's own ports that answer on a port of 127.0.0.1 here, by name."""
    return {"ssh": 22, **dict(machine.services)}


def _private_network(machine: Machine, lab: Path) -> list[str]:
    """Return options for a second card on a multicast group of the loopback: needs no rights, each lab has its own."""
    if not machine.address:
        return []
    group = hashlib.sha256(str(lab.absolute()).encode()).digest()
    wire = f"mcast=239.77.{group[0]}.{group[1]}:{20_000 + group[2]},localaddr=127.0.0.1"
    *_, last = machine.address.split(".")
    card = f"virtio-net-pci,netdev=net1,mac=52:54:00:77:00:{int(last):02x},romfile="
    return ["-netdev", f"socket,id=net1,{wire}", "-device", card]


def overlay(disk: Path, backing: Path, kind: str) -> None:
    """Make a copy-on-write disk over another one, whose format is `kind` (raw, qcow2)."""
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", kind, "-b", str(backing)]
    subprocess.run([*create, str(disk)], check=True)


@functools.cache
def version() -> str:
    """Return what QEMU says of its version."""
    done = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.partition("\n")[0]
