# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag sweep`: check what was asked, run the playbook through ansible-runner, render what came back.

Everything a sweep finds lies in its run directory as it comes, so the last step is the same whether the
playbook ended well, badly, or was interrupted: build the report from what is there.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import files
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.finish.sweep_end import Step
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import references, settings
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import (
    catalog,
    parameters,
    user_catalogs,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import plain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import traffic
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import (
    balancers,
    history,
    read,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.names import default_runs_dir
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import batches
from fleetdiag.run import dry_run, inventory, playbook, progress, shards
from fleetdiag.run.login import Login
from fleetdiag.run.playbook import DEFAULT_FORKS
from fleetdiag.run.report import EXIT_INTERRUPTED, EXIT_OK, render, render_together

PLAYBOOK = "fleetdiag.systemtap.sweep"
RESTORE = "fleetdiag.systemtap.restore"
_STOPPING = "stopping; sessions on hosts end by themselves, the report follows"
_INTERRUPTED = "fleetdiag: interrupted before anything was collected"


@dataclass(frozen=True)
class Request:
    """What was asked on the command line, not yet checked.

    inventory: files, directories or lists with a comma; parameters: `probe.name=value`; extra_vars: as
    ansible-playbook takes them; baseline: earlier sweeps of the same `name` to compare with; slot, trigger, memory: as
    the role's options have them; forks: hosts worked on at the same time; verbosity: number of v; fail_on: the severity
    of findings that make the exit code 4; drain, canary, batch: as the role's options have them; retry_crashed: probe
    hosts also with what they went down with; list_hosts: only name them; dry_run: only ask them; look: how progress is
    shown. sharding: how the hosts are dealt out to several workers.
    """

    inventory: Sequence[str]
    probes: Sequence[str]
    window: str
    limit: str | None = None
    parameters: Sequence[str] = ()
    catalogs: Sequence[str] = ()
    runs_dir: str = ""
    baseline: int = history.DEFAULT
    name: str = ""
    slot: str = ""
    trigger: str = "hand"
    memory: Mapping[str, Any] = field(default_factory=dict)
    forks: int = DEFAULT_FORKS
    become: bool = True
    login: Login = field(default_factory=Login)
    extra_vars: Sequence[str] = ()
    verbosity: int = 0
    fail_on: str = ""
    drain: str = ""
    canary: str = ""
    batch: str = ""
    retry_crashed: bool = False
    list_hosts: bool = False
    dry_run: bool = False
    look: progress.Look = field(default_factory=progress.Look)
    sharding: shards.Sharding = field(default_factory=shards.Sharding)


@dataclass(frozen=True)
class Checked:
    """A request that can be carried out: known probes, parameters in range, at least one host."""

    inventory: list[str]
    hosts: list[str]
    window_s: int
    variables: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What became of a sweep: its run directory, None if it was interrupted before there was one."""

    run_dir: Path | None
    interrupted: bool


def run(request: Request, steps: Sequence[Step] = ()) -> int:
    """Sweep, print the report, take the steps that follow it, return the exit code.

    Raise FleetdiagError for bad input, before any host is touched.
    """
    os.umask(0o077)
    checked = check(request)
    if request.list_hosts:
        print("\n".join(map(printable, checked.hosts)))
        return EXIT_OK
    if request.sharding.shards > 1 or request.sharding.workers:
        return _run_sharded(request, checked, steps)
    outcome = carry_out(request, checked)
    if outcome.run_dir is None:
        return EXIT_INTERRUPTED
    if request.dry_run:
        return _said_dry(outcome)
    code = render(outcome.run_dir, request.fail_on, steps, request.look)
    return EXIT_INTERRUPTED if outcome.interrupted else code


def _said_dry(outcome: Outcome) -> int:
    """Print what a sweep would do; its run directory, which holds no sweep, does not stay."""
    assert outcome.run_dir is not None
    try:
        print("\n".join(dry_run.lines(outcome.run_dir)))
    finally:
        shutil.rmtree(outcome.run_dir, ignore_errors=True)
    return EXIT_INTERRUPTED if outcome.interrupted else EXIT_OK


def _run_sharded(request: Request, checked: Checked, steps: Sequence[Step]) -> int:
    """Sweep with several workers at the same time, each with its share of the hosts."""
    with _followed(checked, request.look) as sweep:
        reach = _reach(request, checked)
        found = shards.run(
            PLAYBOOK, reach, checked.hosts, checked.variables, request.sharding, sweep.on_event, sweep.stop
        )
    if not found:
        print(_INTERRUPTED, file=sys.stderr)
        return EXIT_INTERRUPTED
    code = render_together(found, request.fail_on, steps, request.look)
    return EXIT_INTERRUPTED if sweep.stop.requested else code


def carry_out(request: Request, checked: Checked) -> Outcome:
    """Sweep, and leave the report to the caller. FleetdiagError if the sweep could not start."""
    with _followed(checked, request.look) as sweep:
        reach = _reach(request, checked)
        printed = playbook.run(PLAYBOOK, reach, checked.variables, sweep.on_event, sweep.stop)
        run_dir = sweep.state.run_dir
        if run_dir is not None:
            _give_back(request, checked, run_dir)
    if run_dir is not None and run_dir.is_dir():
        return Outcome(run_dir, sweep.stop.requested)
    if sweep.stop.requested:
        print(_INTERRUPTED, file=sys.stderr)
        return Outcome(None, interrupted=True)
    raise FleetdiagError(f"the sweep could not start: {_reason(sweep.state, printed, request.login)}")


@dataclass(frozen=True)
class _Followed:
    """A sweep while it runs: what is known of it, who takes its events, and whether it was asked to stop."""

    state: progress.Progress
    on_event: Callable[[playbook.Event], None]
    stop: playbook.Stop


@contextmanager
def _followed(checked: Checked, look: progress.Look) -> Iterator[_Followed]:
    """Show the sweep's progress, and let signals stop it in order."""
    state = progress.Progress(hosts=checked.hosts, window_s=checked.window_s)
    stop = playbook.Stop(_STOPPING)
    with stop.listening(), progress.shown(state, look) as view:

        def on_event(event: playbook.Event) -> None:
            for news in state.feed(event):
                view.tell(news)

        yield _Followed(state, on_event, stop)


def check(request: Request) -> Checked:
    """Return the request with everything verified that can be without touching a host."""
    names, holding = _by_folder(request.probes)
    catalogs = user_catalogs.catalogs([*request.catalogs, *holding])
    given = parameters.parse_assignments(request.parameters)
    _check_probes(names, [catalog.shipped(), *catalogs], given)
    window_s = parameters.parse_window(request.window)
    history.check(request.baseline, "--baseline")
    references.check_name(request.name)
    settings.parse(request.memory)
    playbook.check_forks(request.forks)
    shards.check(request.sharding)
    if request.sharding.shards > 1 and (request.drain or request.canary or request.batch):
        raise FleetdiagError(
            "--shards: shards know nothing of each other, so weights and batches cannot be kept in step; leave out"
            " --drain, --canary and --batch, or --shards"
        )
    if request.sharding.shards > 1 and request.name:
        raise FleetdiagError(
            "--shards: a named sweep is one run, which is compared with the one before; leave out --name, or --shards"
        )
    if request.dry_run and (request.sharding.shards > 1 or request.sharding.workers):
        raise FleetdiagError(
            "--dry-run: hosts are only asked, which takes no shards; leave out --shards and --worker"
        )
    sources = inventory.sources(request.inventory)
    limit = inventory.check_limit(request.limit)
    runs_dir = playbook.absolute(request.runs_dir) if request.runs_dir else default_runs_dir()
    return Checked(
        inventory=sources,
        hosts=inventory.hosts_of(sources, limit, request.login),
        window_s=window_s,
        variables={
            # The playbook asks for root itself; only a variable can take that back.
            **({} if request.become else {"ansible_become": False}),
            "probes": list(dict.fromkeys(names)),
            "window": window_s,
            "parameters": given,
            "sweep_catalogs": [str(directory) for directory in catalogs],
            "sweep_runs_dir": str(runs_dir),
            "sweep_baseline": request.baseline,
            **({"sweep_name": request.name, "sweep_trigger": request.trigger} if request.name else {}),
            **({"sweep_slot": request.slot} if request.slot else {}),
            **({"sweep_memory": dict(request.memory)} if request.memory else {}),
            **({"sweep_retry_crashed": True} if request.retry_crashed else {}),
            **_in_turn(request),
        },
    )


def _in_turn(request: Request) -> dict[str, str]:
    """Return variables for what is not done to all hosts at once, or not with all their traffic."""
    batches.amount(request.canary, "--canary")
    batches.amount(request.batch, "--batch")
    balancers.check_weight(request.drain, "--drain")
    given = {"sweep_drain": request.drain, "sweep_canary": request.canary, "sweep_batch": request.batch}
    return {name: value for name, value in given.items() if value}


def _by_folder(names: Sequence[str]) -> tuple[list[str], list[Path]]:
    """Return (the names, for a probe's folder its own; the catalogs that hold these folders)."""
    found: list[str] = []
    holding: list[Path] = []
    for name in names:
        path = Path(os.path.abspath(os.path.expanduser(name)))
        if path.is_dir() and ("/" in name or name in (".", "..")):
            found.append(path.name)
            holding.append(path.parent)
        else:
            found.append(name)
    return found, holding


def _check_probes(
    names: Sequence[str], catalogs: Sequence[Path], given: Mapping[str, Mapping[str, str]]
) -> None:
    """Check probes and their parameters. An example that was never brought here is looked at when a builder sends it."""
    examples = plain.in_cache(files.cache_dir())
    later = [name for name in names if plain.is_example(name) and not plain.is_in(name, examples)]
    if not later or len(later) < len(names):
        probes = catalog.find([name for name in names if name not in later], catalogs, examples=examples)
        parameters.check_names(probes, {name: values for name, values in given.items() if name not in later})
        for probe in probes:
            parameters.check(probe, parameters.of_probe(probe, given))


def _give_back(request: Request, checked: Checked, run_dir: Path) -> None:
    """Give back the weights that an interrupted playbook has left lowered; the balancers' timers would do it later."""
    for batch in traffic.left_lowered(read.balancers(run_dir)):
        print("fleetdiag: giving back the weights on the load balancers", file=sys.stderr)
        variables = {
            **{name: value for name, value in checked.variables.items() if name == "ansible_become"},
            "drain_token": f"{run_dir.name}_{batch}",
            "drain_run_dir": str(run_dir),
            "drain_batch": batch,
        }
        reach = replace(_reach(request, checked), limit="")
        playbook.run(RESTORE, reach, variables, lambda _: None, playbook.Stop("stopping"))


def _reach(request: Request, checked: Checked) -> playbook.Reach:
    return playbook.Reach(
        inventory=checked.inventory,
        limit=request.limit or "",
        forks=request.forks,
        login=replace(request.login, words=[*request.login.words, *(["--check"] if request.dry_run else [])]),
        extra_vars=request.extra_vars,
        verbosity=request.verbosity,
        pause_s=checked.window_s,
    )


def _reason(state: progress.Progress, printed: str, login: Login) -> str:
    """Return why no run directory was made: the first failure of a task, else what Ansible said."""
    return state.failures[0] if state.failures else playbook.reason(printed, login)
