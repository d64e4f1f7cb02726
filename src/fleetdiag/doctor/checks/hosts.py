# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts, as a timer reaches them: connection, sudo, staprun, kernels. Nothing is loaded or installed there."""

from __future__ import annotations

from collections.abc import Iterator

from fleetdiag.doctor import preflight
from fleetdiag.doctor.model import OK, WARN, Case, Line
from fleetdiag.schedule import turn

ORDER = 70


def look(case: Case) -> Iterator[Line]:
    """Yield a line for each host that cannot be probed, and one for the others, of each sweep or inventory."""
    if not case.reach:
        return
    for label, request in preflight.requests(case):
        hosts = preflight.ask(request)
        about = f"{label}: " if label else ""
        fine = [host for host in hosts if host.ok]
        for host in hosts:
            if not host.ok:
                yield Line("FAIL", "host", f"{about}{host.name}: {host.reason}", host.remedy)
        if fine:
            yield Line(
                OK,
                "host",
                f"{about}{len(fine)} of {len(hosts)} can be probed, without an agent or a terminal",
            )
        named = case.config.sweeps.get(label)
        if named is not None:
            built = preflight.built_kernels(turn.runs_dir_of(named), label)
            fresh = sorted({host.kernel for host in fine} - built) if built else []
            for kernel in fresh:
                yield Line(
                    WARN,
                    "kernel",
                    f"{about}{kernel} is new: its modules are compiled first",
                    "fleetdiag builder warm",
                )
