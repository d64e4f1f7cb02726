# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag collect`: bring back what a sweep has left on its hosts, and make its report again.

A session ends by itself and leaves its output on its host, also where nobody came for it: the sweep was interrupted,
the controller died, the network was away.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import WindowFile
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import arming
from fleetdiag.cli import notify, options
from fleetdiag.cli.report import EXIT_CODES, add_fail_on
from fleetdiag.run import inventory, playbook, progress
from fleetdiag.run.report import EXIT_INTERRUPTED, EXIT_OK, render

PLAYBOOK = "fleetdiag.systemtap.collect"
_STOPPING = "stopping; what is not here yet stays on the hosts"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `fleetdiag collect`."""
    parser = commands.add_parser(
        "collect",
        help="bring back what an interrupted sweep has left on its hosts",
        description="Bring back the output that a sweep has left on its hosts because it was interrupted, its"
        " controller died or the network was away, and make the report again. Hosts keep it for a week.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_run(parser, "the sweep")
    options.add_inventory(parser)
    parser.add_argument(
        "-l", "--limit", default=None, metavar="PATTERN", help="hosts or groups (default: all that lack)"
    )
    options.add_forks(parser)
    add_fail_on(parser)
    options.add_ansible(parser)
    options.add_list_hosts(parser)
    parser.set_defaults(func=_run)


def _run(args: argparse.Namespace) -> int:
    os.umask(0o077)
    run_dir = options.run_dir(args.run, args)
    absent = left_on_hosts(run_dir, time.time())
    playbook.check_forks(args.forks)
    if not absent:
        print("fleetdiag: nothing is left on the hosts; this is the report of what there is", file=sys.stderr)
        return render(run_dir, args.fail_on, [notify.after_sweep])
    reach = options.reach(args, args.limit)
    hosts = inventory.hosts_of(reach.inventory, reach.limit, reach.login)
    wanted = {part: [host for host in left if host in hosts] for part, left in absent.items()}
    if not any(wanted.values()):
        all_of_them = [host for left in absent.values() for host in left]
        some = ", ".join(all_of_them[:3]) + (", ..." if len(all_of_them) > 3 else "")
        raise FleetdiagError(
            f"output was left on {plural(len(all_of_them), 'host')} ({some}), none of them in this inventory and limit;"
            " name the inventory of the sweep"
        )
    if options.listed(args, [host for left in wanted.values() for host in left]):
        return EXIT_OK
    stop = playbook.Stop(_STOPPING)
    for part, left in wanted.items():
        if left and not stop.requested:
            troubles = _bring(part, left, reach, args.become, stop)
            for host, why in troubles.items():
                print(f"fleetdiag: {printable(host)}: {why}", file=sys.stderr)
    code = render(run_dir, args.fail_on, [notify.after_sweep])
    return EXIT_INTERRUPTED if stop.requested else code


def left_on_hosts(run_dir: Path, now: float) -> dict[Path, list[str]]:
    """Return {run directory of a shard, or the run itself: hosts from which nothing came}, without empty ones."""
    found = {part: still_there(part, now) for part in read.parts(run_dir)}
    return {part: hosts for part, hosts in found.items() if hosts}


def still_there(run_dir: Path, now: float) -> list[str]:
    """Return hosts with started sessions from which nothing came. Raise FleetdiagError while they still sample."""
    absent = [host for host in read.open_run(run_dir).hosts if read.is_awaited(run_dir, host)]
    window = read.window(run_dir) or WindowFile()
    if absent and window.damaged:
        raise FleetdiagError(
            f"{run_dir}/window.json: is damaged, so it is not known whether the hosts still sample;"
            " end them: fleetdiag abort"
        )
    end = (window.end or 0.0) + arming.FLUSH_S
    if absent and end > now:
        raise FleetdiagError(
            f"{run_dir}: its window is still open; collect in {end - now:.0f} seconds, or end it now: fleetdiag abort"
        )
    return absent


def _bring(
    run_dir: Path,
    hosts: Sequence[str],
    reach: playbook.Reach,
    become: bool,
    stop: playbook.Stop,
) -> dict[str, str]:
    """Bring the output of hosts here; return {host: why it could not be brought} without those from which it came."""
    troubles: dict[str, str] = {}
    variables = {"sweep_run_dir": str(run_dir), **({} if become else {"ansible_become": False})}
    with stop.listening():
        printed = playbook.run(PLAYBOOK, reach, variables, lambda event: _take(troubles, event), stop)
    brought = any(not read.is_awaited(run_dir, host) for host in hosts)
    if not brought and not troubles and not stop.requested:
        raise FleetdiagError(f"nothing was collected: {playbook.reason(printed, reach.login)}")
    return troubles


def _take(troubles: dict[str, str], event: Mapping[str, object]) -> None:
    """Note what one event of the playbook says of a host."""
    data = event.get("event_data")
    if event.get("event") in ("runner_on_unreachable", "runner_on_failed") and isinstance(data, dict):
        result = data.get("res")
        said = "it could not be collected from"
        if isinstance(result, dict) and result.get("msg"):
            said = progress.said_of(str(event["event"]), result)
        troubles[str(data.get("host"))] = said
