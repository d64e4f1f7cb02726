# SPDX-License-Identifier: GPL-3.0-or-later
"""The balancer's own timer: a program beside the record, which needs nothing else and outlives the controller."""

from __future__ import annotations

import inspect
import io
import os
import subprocess
import sys
import time
import zipfile

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import (
    driver,
    policy,
    swap,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import record as records
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers.driver import Driver
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers.policy import BalancerError

RETRY_S = 5
_SYSTEMD = "/run/systemd/system"
_MAIN = """\
import sys
from {package} import {kind}, timer
sys.exit(timer.main({kind}, sys.argv[1:]))
"""


def set_timer(own: Driver, record: str, ttl_s: int) -> None:
    """Leave the program beside the record, and have it run after `ttl_s` seconds.

    Raises BalancerError where that cannot be; nothing is left behind then.
    """
    path = records.program_of(record)
    records.write_private(path, program(own))
    if not os.path.isdir(_SYSTEMD):
        _start_waiting(path, record, ttl_s)
        return
    command = [
        "systemd-run",
        "--quiet",
        "--collect",
        f"--unit={_unit(own, record)}",
        f"--on-active={ttl_s}",
        "--timer-property=AccuracySec=1",
        # The program tries until all is given back; where something kills it, it is started again.
        "--property=Restart=on-abnormal",
        f"--property=RestartSec={RETRY_S}",
    ]
    try:
        subprocess.run([*command, sys.executable, path, record], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        os.unlink(path)
        why = str(getattr(error, "stderr", None) or error).strip()
        raise BalancerError(
            f"the timer that gives the weights back cannot be set: {why}; nothing was changed"
        ) from error


def _start_waiting(path: str, record: str, ttl_s: int) -> None:
    """Start a process of its own session in place of a timer: a container has no systemd.

    It ends by itself where it finds the record gone.
    """
    os.chdir("/")
    os.posix_spawn(
        sys.executable,
        [sys.executable, path, str(ttl_s), record],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)],
        setsid=True,
    )


def stop_timer(own: Driver, record: str) -> None:
    """End the timer of a record and what it started."""
    if os.path.isdir(_SYSTEMD):
        units = [f"{_unit(own, record)}.timer", f"{_unit(own, record)}.service"]
        subprocess.run(["systemctl", "stop", *units], check=False, capture_output=True)


def _unit(own: Driver, record: str) -> str:
    return own.UNIT + records.token_of(record)


def program(own: Driver) -> bytes:
    """Return a zip file that Python runs: this package's own source, as far as giving back needs it."""
    package = __name__.rpartition(".")[0]
    parts = package.split(".")
    texts = {"__main__.py": _MAIN.format(package=package, kind=own.KIND)}
    texts.update({"/".join([*parts[:depth], "__init__.py"]): "" for depth in range(1, len(parts) + 1)})
    for module in (
        policy,
        records,
        swap,
        driver,
        sys.modules[__name__],
        sys.modules[f"{package}.{own.KIND}"],
    ):
        texts[f"{module.__name__.replace('.', '/')}.py"] = inspect.getsource(module)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name, text in texts.items():
            file.writestr(name, text)
    return data.getvalue()


def main(own: Driver, arguments: list[str]) -> int:
    """Give back what a record says until nothing is owed: RECORD, or SECONDS RECORD to wait first without systemd.

    Returns an exit status.
    """
    if len(arguments) == 2:
        time.sleep(float(arguments.pop(0)))
    told: list[str] = []
    while True:
        try:
            given = swap.restore(own, arguments[0])
        except BalancerError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        lines = [f"{label}: weight {weight} again" for label, weight in given.weights.items()]
        lines += [f"{label}: left alone: {why}" for label, why in given.left.items()]
        lines += given.sentences()
        # In the journal once, not at every try.
        sys.stdout.writelines(f"{line}\n" for line in lines if line not in told)
        sys.stdout.flush()
        told = lines
        if not given.owed:
            return 0
        time.sleep(RETRY_S)
