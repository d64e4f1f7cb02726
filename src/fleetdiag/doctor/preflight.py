# SPDX-License-Identifier: GPL-3.0-or-later
"""A dry run of a sweep: what each host can do, asked as a timer asks, without an agent or a terminal."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import references
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as core_report
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import PreflightRecord
from fleetdiag import paths
from fleetdiag.doctor.model import Case
from fleetdiag.run import shards, sweep
from fleetdiag.schedule import named

LOOK_BACK = 50
_ANY_PROBE = "slow_open"


@dataclass(frozen=True)
class Host:
    """What preflight says of a host. reason, remedy: "" if it can be probed."""

    name: str
    ok: bool
    reason: str = ""
    remedy: str = ""
    kernel: str = ""


def requests(case: Case) -> Iterator[tuple[str, sweep.Request]]:
    """Yield the name of each sweep, or "" for an inventory, with what is asked of its hosts."""
    if case.request is None:
        return
    if case.inventory:
        options = [*(f"--inventory={name}" for name in case.inventory), f"--probe={_ANY_PROBE}"]
        yield "", case.request([*options, *([f"--limit={case.limit}"] if case.limit else [])])
    for one in case.sweeps:
        yield one.name, case.request(named.words(one, []))


def ask(request: sweep.Request) -> list[Host]:
    """Return what preflight says of each host. FleetdiagError for bad input or where nothing could be asked."""
    # What is done to hosts later, and to which sweeps it belongs, is of no matter here.
    request = replace(
        request, dry_run=True, drain="", canary="", batch="", name="", baseline=0, sharding=shards.Sharding()
    )
    state = paths.state_dir()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="preflight-", dir=state) as place, _without_agent():
        checked = sweep.check(request)
        checked.variables["sweep_runs_dir"] = place
        outcome = sweep.carry_out(request, checked)
        if outcome.run_dir is None:
            raise FleetdiagError("preflight was interrupted; ask again")
        report = core_report.build(outcome.run_dir)
        return [_host(outcome.run_dir, row.host, row.reason, row.remedy) for row in report.coverage]


def _host(run_dir: Path, name: str, reason: str, remedy: str) -> Host:
    facts = read.of_host(run_dir, name, PreflightRecord) or PreflightRecord()
    ok = facts.verdict == "ok"
    return Host(name, ok, "" if ok else reason, "" if ok else remedy, facts.kernel)


def built_kernels(runs_dir: Path, name: str) -> set[str]:
    """Return the kernels for which the last run of a sweep had modules; empty if it never ran."""
    for run in references.ids(runs_dir)[-LOOK_BACK:][::-1]:
        if references.name_of(runs_dir / run) == name:
            return set(read.read_builds(runs_dir / run))
    return set()


@contextmanager
def _without_agent() -> Iterator[None]:
    """Take the ssh agent away: a timer has none."""
    agent = os.environ.pop("SSH_AUTH_SOCK", None)
    try:
        yield
    finally:
        if agent is not None:
            os.environ["SSH_AUTH_SOCK"] = agent
