# SPDX-License-Identifier: GPL-3.0-or-later
"""Timers: installed, as the configuration has them, running, lingering."""

from __future__ import annotations

import getpass
from collections.abc import Iterator

from fleetdiag.config import NamedSweep
from fleetdiag.doctor.model import FAIL, OK, WARN, Case, Line
from fleetdiag.schedule import units

ORDER = 60


def look(case: Case) -> Iterator[Line]:
    """Yield a line for each sweep with a schedule."""
    for sweep in case.sweeps:
        if sweep.scheduled:
            yield from _timer(case, sweep)


def _timer(case: Case, sweep: NamedSweep) -> Iterator[Line]:
    found = [
        found[sweep.name] for scope in ("system", "user") if sweep.name in (found := units.installed(scope))
    ]
    if not found:
        remedy = f"sudo fleetdiag schedule install {sweep.name}; cron: fleetdiag schedule cron {sweep.name}"
        yield Line(WARN, "timer", f"{sweep.name}: has a schedule, and no systemd timer", remedy)
    if len(found) > 1:
        remedy = f"fleetdiag schedule remove {sweep.name} --user"
        yield Line(WARN, "timer", f"{sweep.name}: is installed twice, for the machine and for you", remedy)
    for one in found:
        option = " --user" if one.scope == "user" else ""
        again = f"fleetdiag schedule install {sweep.name}{option}"
        if one.sha256 != units.digest(case.config, sweep, one.scope):
            yield Line(WARN, "timer", f"{sweep.name}: its timer differs from the configuration", again)
        elif not units.is_running():
            yield Line(
                WARN, "timer", f"{sweep.name}: systemd does not run here", "boot with systemd, or use cron"
            )
        elif units.properties(one.path.name, one.scope, "ActiveState").get("ActiveState") != "active":
            yield Line(FAIL, "timer", f"{sweep.name}: its timer is not active", again)
        elif one.scope == "user" and not units.lingers(getpass.getuser()):
            text = f"{sweep.name}: user timer without lingering: runs only while you are logged in"
            yield Line(WARN, "timer", text, "loginctl enable-linger")
        else:
            yield Line(OK, "timer", f"{sweep.name}: active, as the configuration has it")
