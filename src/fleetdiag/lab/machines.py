# SPDX-License-Identifier: GPL-3.0-or-later
"""Emulated machines: start one from its snapshot, wait until it can be logged in to."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
import uuid
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.lab import cache, commands, qemu, ssh
from fleetdiag.lab.images import BuiltImage
from fleetdiag.lab.keys import Keys
from fleetdiag.lab.log import step
from fleetdiag.lab.machines_data import Machine
from fleetdiag.lab.processes import Process, State, alive
from fleetdiag.lab.snapshots import Snapshot

# Seconds on an idle machine; minutes when its cores are busy with other things.
_ANSWERS_S = 600.0
# What a machine must not have from its snapshot: the time, and the id of its boot. The time comes when the guest asks
# for it, so that a slow login does not make it late; the id comes too, since restored kernels draw the same numbers.
_RENEW = """
echo ready
read -r now boot_id && date -s "@$now" >/dev/null
echo "$boot_id" >/run/lab-boot-id
mount --bind /run/lab-boot-id /proc/sys/kernel/random/boot_id
"""


def start(
    machine: Machine,
    image: BuiltImage,
    accel: str,
    snapshot: Snapshot,
    keys: Keys,
    state: State,
    given_up: Event,
) -> Process:
    """Restore `machine` as it was after its first boot and login, and wait until it can be logged in to.

    Ends the machine again when `given_up` is set meanwhile.
    """
    folder = state.folder / "machines" / machine.name
    with step(f"{machine.name}: restore ({image.release})"):
        for _attempt in range(2):
            process = _start(machine, image, accel, snapshot, state, folder)
            wanted = partial(_wanted, process, given_up)
            if ssh.wait_for_banner(process.ports["ssh"], _ANSWERS_S, wanted):
                renew(keys, process.ports["ssh"], machine.name)
                process = replace(process, ready=True)
                state.record(machine.name, process)
                return process
            state.stop(machine.name)
            if given_up.is_set():
                raise FleetdiagError(f"{machine.name}: start given up")
            # Between choosing a port and using it somebody else may have taken it.
            if "Could not set up host forwarding" not in commands.tail(folder / "qemu.log"):
                break
    cache.remove(snapshot.folder)
    raise FleetdiagError(
        f"{machine.name} did not answer within {_ANSWERS_S:.0f} s; its snapshot is removed, the next start boots it; "
        f"QEMU said:\n{commands.tail(folder / 'qemu.log', 5)}\n"
        f"the end of its console ({folder / 'console.log'}):\n{commands.tail(folder / 'console.log', 25)}"
    )


def boot_again(machine: Machine, image: BuiltImage, accel: str, state: State) -> Process:
    """Boot `machine`, which has gone down, from the disk that it had, on its old ports; wait until sshd answers."""
    before = state.processes()[machine.name]
    folder = state.folder / "machines" / machine.name
    with step(f"{machine.name}: boot again ({image.release})"):
        process = _spawn(machine, image, accel, state, folder, before.ports, [])
        if not ssh.wait_for_banner(process.ports["ssh"], _ANSWERS_S, partial(alive, process)):
            raise FleetdiagError(
                f"{machine.name} did not boot again within {_ANSWERS_S:.0f} s; the end of its console:\n"
                f"{commands.tail(folder / 'console.log', 25)}"
            )
    process = replace(process, ready=True)
    state.record(machine.name, process)
    return process


def renew(keys: Keys, port: int, name: str) -> None:
    """Give a restored machine the time of this one and a boot id of its own."""
    with subprocess.Popen(
        ssh.command(keys, port, "root", [_RENEW]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as login:
        assert login.stdin is not None
        assert login.stdout is not None
        login.stdout.readline()
        _, said = login.communicate(f"{time.time():.3f} {uuid.uuid4()}\n")
    if login.returncode:
        raise FleetdiagError(f"{name}: its clock cannot be set: {said.strip()[-300:]}")


def _wanted(process: Process, given_up: Event) -> bool:
    return alive(process) and not given_up.is_set()


def _start(
    machine: Machine, image: BuiltImage, accel: str, snapshot: Snapshot, state: State, folder: Path
) -> Process:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    qemu.overlay(folder / "disk.qcow2", snapshot.disk, "qcow2")
    ports = {name: ssh.free_port() for name in qemu.services(machine)}
    return _spawn(machine, image, accel, state, folder, ports, snapshot.restore())


def _spawn(
    machine: Machine,
    image: BuiltImage,
    accel: str,
    state: State,
    folder: Path,
    ports: dict[str, int],
    more: list[str],
) -> Process:
    fields = {"kind": "qemu", "ports": ports, "image": image.folder.name}
    command = [*qemu.command(machine, image, accel, folder, ports), *more]
    process = state.spawn(machine.name, fields, command, folder / "qemu.log")
    set_nice(process.pid)
    return process


def set_nice(pid: int, nice: int = qemu.NICE) -> None:
    """Set `nice` for the whole session: where the kernel shares its time among sessions, a process's own says nothing.

    nice: negative to go before them instead, which takes root.
    """
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(f"{nice}\n", encoding="ascii")
