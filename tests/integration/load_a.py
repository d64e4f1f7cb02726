# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes on one machine what the probes of a single host look for, each under a process name of its own.

Runs there as root with nothing but Python's library; test_catalog_probes_a.py starts it and cleans up after it.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_NAME = 15
SYS_CLONE = {"x86_64": 56}.get(os.uname().machine, 220)
CLONE_VFORK_SIGCHLD = 0x4000 | 17
SLOW_DISK_NS = 300_000_000
HELD_S = 0.4
STUCK_S = 1.0
LOCK = "/run/lab-load.lock"


def make_slow_disk() -> None:
    """A disk whose every request takes 300 ms: null_blk with a timer."""
    subprocess.run(["modprobe", "-r", "null_blk"], check=False, stderr=subprocess.DEVNULL)
    options = ["nr_devices=1", "gb=1", "irqmode=2", f"completion_nsec={SLOW_DISK_NS}"]
    subprocess.run(["modprobe", "null_blk", *options], check=True)


def read_slow_disk() -> None:
    """Page after page, past the cache."""
    page = mmap.mmap(-1, 4096)
    disk = os.open("/dev/nullb0", os.O_RDONLY | os.O_DIRECT)
    while True:
        os.preadv(disk, [page], 0)


def spinner() -> None:
    """Two of these and one processor: each waits for the other. Most of the time both leave it to the rest."""
    while True:
        until = time.monotonic() + 0.05
        while time.monotonic() < until:
            pass
        time.sleep(0.3 - time.time() % 0.3)


def stuck(seconds: float = STUCK_S) -> None:
    """A parent that waits for vfork() is in state D; the child has its own memory, so Python survives it."""
    while True:
        child = LIBC.syscall(SYS_CLONE, CLONE_VFORK_SIGCHLD, 0, 0, 0, 0)
        if child == 0:
            time.sleep(seconds)
            os._exit(0)
        os.waitpid(child, 0)


def forever() -> None:
    """In state D from before the window until after it."""
    stuck(3600)


def holder() -> None:
    """Has the lock of a file half of the time."""
    with open(LOCK, "w") as file:
        while True:
            fcntl.flock(file, fcntl.LOCK_EX)
            time.sleep(HELD_S)
            fcntl.flock(file, fcntl.LOCK_UN)
            time.sleep(0.02)


def failer() -> None:
    """Looks for a file that is not there."""
    while True:
        for _ in range(20):
            try:
                os.stat("/nonexistent/lab-load")
            except FileNotFoundError:
                pass
        time.sleep(0.2)


def starter() -> None:
    """Starts programs that end at once, one of them in error."""
    while True:
        subprocess.run(["/bin/true"], check=False)
        subprocess.run(["/bin/false"], check=False)
        time.sleep(0.5)


def locker() -> None:
    """Two threads and one mutex of the C library, which the first to come keeps for a while."""
    mutex = ctypes.create_string_buffer(64)

    def work() -> None:
        while True:
            LIBC.pthread_mutex_lock(mutex)
            time.sleep(HELD_S)
            LIBC.pthread_mutex_unlock(mutex)
            time.sleep(0.05)

    for _ in range(2):
        threading.Thread(target=work).start()


LOADS: dict[str, Callable[[], None]] = {
    "load_disk": read_slow_disk,
    "load_spin_1": spinner,
    "load_spin_2": spinner,
    "load_stuck": stuck,
    "load_forever": forever,
    "load_flock_1": holder,
    "load_flock_2": holder,
    "load_fail": failer,
    "load_starter": starter,
    "load_mutex": locker,
}


def armed() -> int:
    """How many sessions of fleetdiag are on this machine."""
    with open("/proc/modules") as modules:
        return sum(line.startswith("fd_") for line in modules)


def main() -> None:
    """One process for each load, from when this many sessions are armed until they are gone.

    So that neither the steps before the window nor those after it have to share the processor with them.
    """
    sessions = int(sys.argv[1])
    make_slow_disk()
    while armed() < sessions:
        time.sleep(0.5)
    children = []
    for name, load in LOADS.items():
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            LIBC.prctl(PR_SET_NAME, name.encode(), 0, 0, 0)
            load()
        children.append(child)
    while armed():
        time.sleep(0.5)
    for child in children:
        os.killpg(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
