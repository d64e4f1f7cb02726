# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag abort`: end every session and give back every weight, at once, with a line for each host."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.balancers import Answer
from fleetdiag.cli import options
from fleetdiag.run import inventory, playbook, progress
from fleetdiag.run.report import EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_OK

PLAYBOOK = "fleetdiag.systemtap.abort"
SESSIONS = "fleetdiag.systemtap.sweep_abort"

_EXIT_CODES = """exit codes:
  0    on every host all has ended and every weight is given back
  2    bad input, or nothing could be started
  3    a host could not be reached, or something could not be ended there; its line says what
  130  interrupted; the hosts that are not named may still be probed
"""


@dataclass
class Ended:
    """What was ended on one host. weights: what was given back; left: what was not, and why; trouble: why not all."""

    sweeps: int = 0
    modules: int = 0
    weights: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    trouble: str = ""
    heard: bool = False


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `fleetdiag abort`."""
    parser = commands.add_parser(
        "abort",
        help="end every session and give back every weight, at once",
        description="End all sessions of all sweeps, unload their modules, and give back every weight that was lowered"
        " on load balancers. Safe to repeat. What was sampled stays on the hosts.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_inventory(parser)
    parser.add_argument(
        "-l",
        "--limit",
        default=None,
        metavar="PATTERN",
        help="hosts, balancers or groups (default: all); weights are given back on balancers that it names",
    )
    options.add_forks(parser)
    options.add_ansible(parser)
    options.add_list_hosts(parser)
    parser.set_defaults(func=_run)


def _run(args: argparse.Namespace) -> int:
    playbook.check_forks(args.forks)
    reach = options.reach(args, args.limit)
    hosts = inventory.hosts_of(reach.inventory, reach.limit, reach.login)
    if options.listed(args, hosts):
        return EXIT_OK
    ended = {host: Ended() for host in hosts}
    stop = playbook.Stop("stopping; what is still running ends by itself, or with another abort")
    with stop.listening():
        variables = {} if args.become else {"ansible_become": False}
        printed = playbook.run(PLAYBOOK, reach, variables, lambda event: take(ended, event), stop)
    if not any(host.heard for host in ended.values()) and not stop.requested:
        raise FleetdiagError(f"nothing was ended: {playbook.reason(printed, reach.login)}")
    print("\n".join(lines(ended)))
    if stop.requested:
        return EXIT_INTERRUPTED
    return exit_code(ended)


def exit_code(ended: Mapping[str, Ended]) -> int:
    """Return 3 where not all was ended or given back on some host, else 0."""
    return EXIT_INCOMPLETE if any(host.trouble or not host.heard for host in ended.values()) else EXIT_OK


def take(ended: Mapping[str, Ended], event: playbook.Event) -> None:
    """Note what one event of the playbook says of a host."""
    data = event.get("event_data") or {}
    host = ended.get(str(data.get("host") or ""))
    result = data.get("res")
    if host is None or not isinstance(result, dict):
        return
    kind = event.get("event")
    if kind == "runner_on_unreachable":
        host.heard, host.trouble = True, progress.said_of(str(kind), result)
    elif kind == "runner_on_failed":
        _add_trouble(host, _said(result))
        _take_weights(host, result)
    elif kind == "runner_on_ok":
        host.heard = True
        if data.get("task_action") == SESSIONS:
            host.sweeps, host.modules = len(result.get("sweeps") or []), int(result.get("modules") or 0)
        # What a balancer said, of whatever kind it is.
        said = _mapping(_mapping(result, "ansible_facts"), "drain_said")
        _take_weights(host, said)
        if not said.get("failed"):  # else its message is the trouble, and says the same
            for one in Answer.from_json(said).owing:
                weight = "" if one.weight is None else f"weight {one.weight:g} "
                why = f"{one.label}: {weight}is not given back yet: {one.why}"
                _add_trouble(host, progress.first_line(why))


def _add_trouble(host: Ended, why: str) -> None:
    host.heard = True
    host.trouble = "; ".join(filter(None, [host.trouble, why]))


def _take_weights(host: Ended, said: Mapping[str, Any]) -> None:
    told = Answer.from_json(said)
    host.weights += [
        f"{printable(label)} {'?' if change.after is None else f'{change.after:g}'}"
        for label, change in told.changes.items()
    ]
    host.left += [f"{printable(label)}: {progress.first_line(why)}" for label, why in told.left_alone.items()]


def lines(ended: Mapping[str, Ended]) -> Iterator[str]:
    """Yield one line for each host, those with trouble last, and one for all of them."""
    width = max(map(len, ended), default=0)
    for host in sorted(ended, key=lambda name: (bool(ended[name].trouble or not ended[name].heard), name)):
        yield f"{printable(host):{width}}  {_words(ended[host])}"
    bad = [host for host in ended.values() if host.trouble or not host.heard]
    if bad:
        yield f"{len(ended) - len(bad)} of {plural(len(ended), 'host')} done; put the others right and abort again"
    else:
        yield f"all has ended on {plural(len(ended), 'host')}"


def _words(host: Ended) -> str:
    if not host.heard:
        return "NOT DONE: it did not answer before the end"
    said: list[str] = []
    if host.modules:
        said.append(f"ended: {plural(host.modules, 'module')} unloaded, of {plural(host.sweeps, 'sweep')}")
    if host.weights:
        said.append(f"weights given back: {', '.join(host.weights)}")
    if host.left:
        said.append(f"weights left alone: {', '.join(host.left)}")
    if host.trouble:
        said.append(f"NOT DONE: {host.trouble}")
    return "; ".join(said) or "nothing was running"


def _said(result: Mapping[str, Any]) -> str:
    return progress.first_line(result.get("msg") or result.get("stderr") or "no message")


def _mapping(result: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = result.get(key)
    return value if isinstance(value, dict) else {}
