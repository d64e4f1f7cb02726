# SPDX-License-Identifier: GPL-3.0-or-later
"""Emulated machines: start one from its image, wait until it can be logged in to."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.lab import commands, ssh
from fleetdiag.lab.images import BuiltImage
from fleetdiag.lab.log import step
from fleetdiag.lab.machines_data import Machine
from fleetdiag.lab.processes import Process, State, alive

# Half a minute on an idle machine; minutes when its cores are busy with other things.
_BOOT_TIMEOUT_S = 600.0
# What compiles for the machines goes first: they have nothing to do until it is done.
_NICE = 10


def boot(machine: Machine, image: BuiltImage, accel: str, state: State, given_up: Event) -> Process:
    """Start `machine` with a fresh copy-on-write disk and wait for its sshd (half a minute, emulated).

    Ends the machine again when `given_up` is set meanwhile.
    """
    folder = state.folder / "machines" / machine.name
    with step(f"{machine.name}: boot ({image.release})"):
        for _attempt in range(2):
            process = _start(machine, image, accel, state, folder)
            if ssh.wait_for_banner(
                process.ports["ssh"], _BOOT_TIMEOUT_S, partial(_wanted, process, given_up)
            ):
                process = replace(process, ready=True)
                state.record(machine.name, process)
                return process
            state.stop(machine.name)
            if given_up.is_set():
                raise FleetdiagError(f"{machine.name}: boot given up")
            # Between choosing a port and using it somebody else may have taken it.
            if "Could not set up host forwarding" not in commands.tail(folder / "qemu.log"):
                break
    raise FleetdiagError(
        f"{machine.name} did not boot within {_BOOT_TIMEOUT_S:.0f} s; "
        f"QEMU said:\n{commands.tail(folder / 'qemu.log', 5)}\n"
        f"the end of its console ({folder / 'console.log'}):\n{commands.tail(folder / 'console.log', 25)}"
    )


def _wanted(process: Process, given_up: Event) -> bool:
    return alive(process) and not given_up.is_set()


def command(
    machine: Machine, image: BuiltImage, accel: str, folder: Path, ports: dict[str, int]
) -> list[str]:
    """QEMU's command line."""
    forwards = ",".join(
        f"hostfwd=tcp:127.0.0.1:{ports[name]}-:{port}" for name, port in _services(machine).items()
    )
    kernel_arguments = [
        *("root=/dev/vda", "rw", "rootfstype=ext4", "fsck.mode=skip", "console=ttyS0", "quiet", "panic=-1"),
        *("mitigations=off", "net.ifnames=0", f"systemd.hostname={machine.name}"),
        f"systemd.machine_id={hashlib.md5(machine.name.encode(), usedforsecurity=False).hexdigest()}",
        *("systemd.firstboot=off", "systemd.condition_first_boot=0", "systemd.show_status=true"),
    ]
    return [
        *("nice", "-n", str(_NICE), "qemu-system-x86_64"),
        *("-name", f"fleetdiag-lab-{machine.name}", "-nodefaults", "-no-user-config"),
        *("-display", "none", "-no-reboot", "-machine", "pc", "-accel", accel, "-cpu", "max", "-smp", "1"),
        *("-m", str(machine.memory_mb), "-rtc", "base=utc"),
        # The disk is thrown away at the end: nothing has to reach the platters.
        *("-drive", f"if=virtio,format=qcow2,cache=unsafe,discard=unmap,file={folder / 'disk.qcow2'}"),
        *("-netdev", f"user,id=net0,{forwards}", "-device", "virtio-net-pci,netdev=net0,romfile="),
        *_private_network(machine, folder.parent),
        *("-device", "virtio-rng-pci", "-serial", f"file:{folder / 'console.log'}"),
        *("-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", " ".join(kernel_arguments)),
    ]


def _services(machine: Machine) -> dict[str, int]:
    return {"ssh": 22, **dict(machine.services)}


def _private_network(machine: Machine, lab: Path) -> list[str]:
    """A second card whose wire is a multicast group on the loopback: it needs no rights, and each lab has its own."""
    if not machine.address:
        return []
    group = hashlib.sha256(str(lab.absolute()).encode()).digest()
    wire = f"mcast=239.77.{group[0]}.{group[1]}:{20_000 + group[2]},localaddr=127.0.0.1"
    *_, last = machine.address.split(".")
    card = f"virtio-net-pci,netdev=net1,mac=52:54:00:77:00:{int(last):02x},romfile="
    return ["-netdev", f"socket,id=net1,{wire}", "-device", card]


def _start(machine: Machine, image: BuiltImage, accel: str, state: State, folder: Path) -> Process:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    overlay = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(image.disk)]
    subprocess.run([*overlay, str(folder / "disk.qcow2")], check=True)
    ports = {name: ssh.free_port() for name in _services(machine)}
    fields = {"kind": "qemu", "ports": ports, "image": image.folder.name}
    process = state.spawn(
        machine.name, fields, command(machine, image, accel, folder, ports), folder / "qemu.log"
    )
    set_nice(process.pid)
    return process


def set_nice(pid: int, nice: int = _NICE) -> None:
    """Where the kernel shares its time among sessions, not processes, `nice` alone says nothing to the others.

    nice: negative to go before them instead, which takes root.
    """
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(f"{nice}\n", encoding="ascii")
