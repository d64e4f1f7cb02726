# SPDX-License-Identifier: GPL-3.0-or-later
"""The balancer's own timer: a program beside the record, which needs nothing else and outlives the controller."""

from __future__ import annotations

import inspect
import io
import os
import sys
import time
import zipfile

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import (
    driver,
    policy,
    programs,
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
        # A container has no systemd: a process waits in place of a timer, and ends by itself where the record is gone.
        programs.leave_running(path, str(ttl_s), record)
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
    if why := _why_not(*command, sys.executable, path, record):
        os.unlink(path)
        raise BalancerError(
            f"the timer that gives the weights back cannot be set: {why}; nothing was changed"
        )


def _why_not(*command: str) -> str:
    """Run a program and return why it did not succeed, empty if it did."""
    try:
        done = programs.run(*command)
    except OSError as error:
        return str(error)
    return "" if done.returncode == 0 else done.stderr.strip() or f"{command[0]} ended with {done.returncode}"


def stop_timer(own: Driver, record: str) -> None:
    """End the timer of a record and what it started."""
    if os.path.isdir(_SYSTEMD):
        units = [f"{_unit(own, record)}.timer", f"{_unit(own, record)}.service"]
        programs.run("systemctl", "stop", *units)


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
        programs,
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
