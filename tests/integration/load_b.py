# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes on one machine what the probes of files, memory, network and NFS look for, each under a process name of its own.

Runs there as root with nothing but Python's library; test_catalog_probes_b.py starts it and cleans up after it. An
emulated machine has little to give: the load waits quietly for the file GO, works between the two times in it, and
starts no programs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

GO = Path("/run/fleetdiag-lab-go")
EXPORT = "/srv/fleetdiag-nfs"
MOUNT = "/mnt/fleetdiag-nfs"
COLD = "/var/tmp/fleetdiag-cold.dat"
COLD_MB = 8
GROUP = Path("/sys/fs/cgroup/fleetdiag-lab")
PRESS_KB = 100_000  # less than the distance between its two marks, 30 % of all memory
UDP_PORT, BUSY_PORT, FREE_PORT, CLOSED_PORT, NOWHERE_PORT = 5999, 5998, 5997, 9, 81
NOWHERE = {"192.0.2.2": socket.AF_INET, "2001:db8::2": socket.AF_INET6}
GIVEN_UP_S = 2.0
FROZEN_S = 1.0
FREEZE, THAW = 0xC0045877, 0xC0045878  # ioctl FIFREEZE, FITHAW


def child(name: str, work: Callable[[], object]) -> int:
    """A process of this name that does the work; its id."""
    pid = os.fork()
    if pid == 0:
        Path("/proc/self/comm").write_text(name)
        try:
            work()
        finally:
            os._exit(0)
    return pid


def wait(pid: int) -> None:
    os.waitpid(pid, 0)


def is_blocked(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] in "DZ"


# --- network


def listen(port: int, backlog: int) -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    server.listen(backlog)
    return server


def begin_to_connect(address: str, port: int, family: int = socket.AF_INET) -> socket.socket:
    client = socket.socket(family)
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        client.connect((address, port))
    return client


def connect_nowhere() -> None:
    """To addresses where nothing answers, and to a port that nobody listens on."""
    waiting = [begin_to_connect(address, NOWHERE_PORT, family) for address, family in NOWHERE.items()]
    with contextlib.suppress(ConnectionRefusedError):
        begin_to_connect("127.0.0.1", CLOSED_PORT)
    time.sleep(GIVEN_UP_S)
    for client in waiting:
        client.close()


class Servers:
    """One does not read, one does not accept, one is well."""

    def __init__(self) -> None:
        self.deaf = socket.socket(type=socket.SOCK_DGRAM)
        self.deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.deaf.bind(("127.0.0.1", UDP_PORT))
        self.busy, self.free = listen(BUSY_PORT, 1), listen(FREE_PORT, 100)
        self.clients: list[socket.socket] = []

    def ask(self) -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as speaker:
            for _ in range(60):
                speaker.sendto(bytes(512), ("127.0.0.1", UDP_PORT))
        self.clients += [begin_to_connect("127.0.0.1", BUSY_PORT) for _ in range(4)]
        with begin_to_connect("127.0.0.1", FREE_PORT):
            self.free.accept()[0].close()


# --- files


def freeze_and_thaw(local: int, remote: int) -> None:
    """A file system that stands still for a while, used directly and through NFS."""
    top = os.open(EXPORT, os.O_RDONLY)
    fcntl.ioctl(top, FREEZE, 0)
    waiting = [
        child("lab_write", lambda: os.pwrite(local, bytes(4096), 0)),
        child("lab_mkdir", lambda: (os.chdir(EXPORT), os.mkdir("made"))),
        child("lab_nfs", lambda: (os.pwrite(remote, bytes(4096), 0), os.fsync(remote))),
    ]
    until = time.monotonic() + 8
    while not all(is_blocked(pid) for pid in waiting) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(FROZEN_S)
    fcntl.ioctl(top, THAW, 0)
    os.close(top)
    for pid in waiting:
        wait(pid)
    with contextlib.suppress(OSError):
        Path(EXPORT, "made").rmdir()


def read(path: str) -> None:
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 16):
            pass


def forget(path: str) -> None:
    """The file is not in memory any more."""
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_files() -> None:
    """A cold file, the same again, and one of NFS."""
    for path in (COLD, f"{MOUNT}/fast.dat"):
        forget(path)
    wait(child("lab_cold", lambda: read(COLD)))
    wait(child("lab_warm", lambda: read(COLD)))
    wait(child("lab_nfs", lambda: read(f"{MOUNT}/fast.dat")))


# --- memory


def read_in_group() -> None:
    """A group that may keep less than it reads."""
    forget(COLD)
    (GROUP / "cgroup.procs").write_text("0")
    read(COLD)


def vm(name: str) -> Path:
    return Path("/proc/sys/vm", name)


def scanned() -> int:
    return int(re.findall(r"pgscan_kswapd (\d+)", Path("/proc/vmstat").read_text())[0])


def press() -> None:
    """The kernel's thread looks for memory: for a moment it is told to keep more free than there is."""
    before = {name: vm(name).read_text() for name in ("min_free_kbytes", "watermark_scale_factor")}
    free_kb = int(re.findall(r"MemFree: +(\d+)", Path("/proc/meminfo").read_text())[0])
    asleep, until = scanned(), time.monotonic() + 3
    try:
        vm("watermark_scale_factor").write_text("3000")
        vm("min_free_kbytes").write_text(str(free_kb - PRESS_KB))
        while scanned() == asleep and time.monotonic() < until:
            bytearray(1 << 20)
    finally:
        for name, value in before.items():
            vm(name).write_text(value)


def main() -> None:
    Path(COLD).write_bytes(os.urandom(COLD_MB << 20))
    os.sync()
    GROUP.mkdir(exist_ok=True)
    (GROUP / "memory.max").write_text("4M")
    local = os.open(f"{EXPORT}/local.dat", os.O_WRONLY | os.O_CREAT)
    remote = os.open(f"{MOUNT}/slow.dat", os.O_WRONLY | os.O_CREAT)
    servers = Servers()
    Path(f"{GO}.ready").touch()
    while not GO.exists() or not GO.read_text().strip():
        time.sleep(0.2)
    start, end = map(float, GO.read_text().split())
    time.sleep(max(0.0, start + 1 - time.time()))
    read_files()  # once: its pages are counted
    while time.time() < end - 4:
        connecting = child("lab_connect", connect_nowhere)
        servers.ask()
        freeze_and_thaw(local, remote)
        wait(child("lab_group", read_in_group))
        wait(child("lab_press", press))
        wait(connecting)


if __name__ == "__main__":
    sys.exit(main())
