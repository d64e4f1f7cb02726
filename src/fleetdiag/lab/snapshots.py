# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines as they are after boot and first login, kept by content: restoring one takes seconds, not half a minute."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.lab import cache, commands, paths, qemu, ssh
from fleetdiag.lab.images import BuiltImage
from fleetdiag.lab.keys import Keys
from fleetdiag.lab.log import step
from fleetdiag.lab.machines_data import Machine

# Half a minute on an idle machine; minutes when its cores are busy with other things.
_BOOT_TIMEOUT_S = 600.0
_SAVE_TIMEOUT_S = 300.0
# Reads from the disk what Ansible's first task needs.
_LOGIN = "systemctl is-system-running --wait; sudo -n python3 -c 'import json, subprocess, zipfile'"
# Given to QEMU's monitor; the guest runs while it is saved, and so it does when it is restored.
_SAVE = 'migrate "exec:zstd -q -1 -T0 -o memory.zst"\ninfo migrate\nquit\n'


@dataclass(frozen=True)
class Snapshot:
    """One complete snapshot in the cache: the memory of a machine, and its disk over that of the image."""

    folder: Path

    @property
    def disk(self) -> Path:
        return self.folder / "disk.qcow2"

    def restore(self) -> list[str]:
        """Return the words of QEMU's command line that make the machine go on from here."""
        return ["-incoming", f"exec:zstd -q -d -c {shlex.quote(str(self.folder / 'memory.zst'))}"]


def name(machine: Machine, image: BuiltImage, accel: str) -> str:
    """Return the name of the cache entry: changes with everything that decides what the machine is."""
    command = qemu.command(machine, image, accel, Path("/"), dict.fromkeys(qemu.services(machine), 0))
    made_from = {"command": command, "version": qemu.version(), "login": _LOGIN}
    return cache.key("snapshot", {"image": image.folder.name, **made_from})


def ensure(machine: Machine, image: BuiltImage, accel: str, keys: Keys, given_up: Event) -> Snapshot:
    """Return the snapshot from the cache; when missing, the machine is booted, logged in to and saved."""

    def make(folder: Path) -> None:
        with step(f"{machine.name}: boot ({image.release})"):
            _make(machine, image, accel, keys, given_up, folder)

    return Snapshot(cache.entry(paths.cache_dir(), name(machine, image, accel), make))


def _make(machine: Machine, image: BuiltImage, accel: str, keys: Keys, given_up: Event, folder: Path) -> None:
    qemu.overlay(folder / "disk.qcow2", image.disk, "raw")
    ports = {service: ssh.free_port() for service in qemu.services(machine)}
    command = [*qemu.command(machine, image, accel, folder, ports), "-monitor", "stdio"]
    log = folder / "qemu.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            # It ends with the command that wanted it, even when that is killed.
            ["setpriv", "--pdeathsig", "KILL", "--", *command],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as machine_,
    ):
        try:
            if not ssh.wait_for_banner(
                ports["ssh"],
                _BOOT_TIMEOUT_S,
                lambda: machine_.poll() is None and not given_up.is_set(),
            ):
                raise FleetdiagError(_did_not(machine, f"boot within {_BOOT_TIMEOUT_S:.0f} s", folder))
            done = ssh.run(keys, ports["ssh"], "fleet", _LOGIN, _BOOT_TIMEOUT_S)
            if done.returncode:
                raise FleetdiagError(_did_not(machine, f"let fleet log in: {done.stderr.strip()}", folder))
            machine_.communicate(_SAVE.encode(), _SAVE_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise FleetdiagError(_did_not(machine, f"end in time: {error}", folder)) from error
        finally:
            machine_.kill()
    if "Migration status: completed" not in log.read_text(errors="replace"):
        raise FleetdiagError(_did_not(machine, "save its memory", folder))


def _did_not(machine: Machine, what: str, folder: Path) -> str:
    return (
        f"{machine.name} did not {what}; QEMU said:\n{commands.tail(folder / 'qemu.log', 5)}\n"
        f"the end of its console ({folder / 'console.log'}):\n{commands.tail(folder / 'console.log', 25)}"
    )
