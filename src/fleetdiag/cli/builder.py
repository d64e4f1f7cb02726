# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag builder warm`: what compiling takes is done now and not during a sweep."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import (
    catalog,
    parameters,
    user_catalogs,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import headline
from fleetdiag import paths
from fleetdiag.cli import options
from fleetdiag.run import inventory, playbook, progress
from fleetdiag.run.report import EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_OK

PLAYBOOK = "fleetdiag.systemtap.builder"
BUILD = "fleetdiag.systemtap.sweep_build"
KERNEL = re.compile(r"[0-9][A-Za-z0-9._+~-]{0,100}")

_EXIT_CODES = """exit codes:
  0    every builder knows every kernel, and every probe that was named is compiled
  2    bad input, or nothing could be started
  3    a builder or a probe failed; its line says why
  130  interrupted
"""


@dataclass
class Warmed:
    """kernels: {builder: {kernel: seconds it took}}; trouble: {builder: why not}; modules: {kernel: Modules}."""

    kernels: dict[str, dict[str, float]] = field(default_factory=dict)
    trouble: dict[str, str] = field(default_factory=dict)
    modules: dict[str, Modules] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Return whether some kernel is known and nothing failed."""
        return (
            bool(self.kernels) and not self.trouble and not any(one.errors for one in self.modules.values())
        )


@dataclass
class Modules:
    """Of one kernel, the trivial first module among them."""

    built: int = 0
    cached: int = 0
    errors: dict[str, str] = field(default_factory=dict)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `fleetdiag builder`."""
    builder = commands.add_parser("builder", help="prepare the hosts that compile")
    actions = builder.add_subparsers(title="actions", metavar="ACTION", required=True)
    parser = actions.add_parser(
        "warm",
        help="let builders learn the kernels of an inventory, and compile probes ahead",
        description="Give every builder (group systemtap_builders) what it needs for the kernels of the hosts, and let"
        " SystemTap learn them, which takes a minute or more for each. With --probe the modules are compiled too, so"
        " that a sweep of these probes compiles nothing; hosts are then asked what they run and get the runtime, as in"
        " a sweep.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    options.add_inventory(parser)
    add("-l", "--limit", default=None, metavar="PATTERN", help="hosts whose kernels are meant (default: all)")
    add(
        "--kernel",
        action="append",
        default=[],
        metavar="RELEASE",
        dest="kernels",
        help="a kernel (uname -r) instead of those of the hosts; repeat for several",
    )
    add(
        "--probe", action="append", default=[], metavar="NAME", dest="probes", help="compile this probe ahead"
    )
    add("--all-probes", action="store_true", help="compile every probe of the catalogs ahead")
    add(
        "--param",
        action="append",
        default=[],
        metavar="PROBE.NAME=VALUE",
        dest="parameters",
        help="set a parameter; only those that are compiled in matter here",
    )
    options.add_catalog(parser)
    options.add_forks(parser)
    options.add_ansible(parser)
    options.add_list_hosts(parser)
    parser.set_defaults(func=_run)


def _run(args: argparse.Namespace) -> int:
    playbook.check_forks(args.forks)
    for kernel in args.kernels:
        if not KERNEL.fullmatch(kernel):
            raise FleetdiagError(
                f"--kernel {kernel}: is not a kernel release; say what `uname -r` prints there"
            )
    reach = options.reach(args)
    hosts = inventory.hosts_of(reach.inventory, inventory.check_limit(args.limit), reach.login)
    if options.listed(args, hosts):
        return EXIT_OK
    variables = {
        **({} if args.become else {"ansible_become": False}),
        "kernels": args.kernels,
        "fleetdiag_hosts": hosts,  # not --limit, which would leave builders out
        **_probes(args),
    }
    warmed = Warmed()
    stop = playbook.Stop("stopping; what is compiled stays")
    with stop.listening():
        printed = playbook.run(PLAYBOOK, reach, variables, lambda event: take(warmed, event), stop)
    if not (warmed.kernels or warmed.trouble or stop.requested):
        raise FleetdiagError(
            f"no builder was reached: {playbook.reason(printed, reach.login)};"
            " builders are the hosts of the group systemtap_builders"
        )
    print("\n".join(lines(warmed)))
    if stop.requested:
        return EXIT_INTERRUPTED
    return EXIT_OK if warmed.complete else EXIT_INCOMPLETE


def _probes(args: argparse.Namespace) -> dict[str, Any]:
    """Return variables of the playbook: what is to be compiled ahead."""
    own = user_catalogs.catalogs(args.catalogs)
    catalogs = [catalog.shipped(), *own]
    names: Sequence[str] = catalog.names(catalogs) if args.all_probes else list(dict.fromkeys(args.probes))
    given = parameters.parse_assignments(args.parameters)
    if names:
        probes = catalog.find(names, catalogs)
        parameters.check_names(probes, given)
        for probe in probes:
            parameters.check(probe, parameters.of_probe(probe, given))
    return {
        "probes": names,
        "parameters": given,
        "sweep_catalogs": [str(path) for path in own],
        "ahead_dir": str(paths.state_dir() / "ahead"),
    }


def take(warmed: Warmed, event: playbook.Event) -> None:
    """Note what one event of the playbook says."""
    data = event.get("event_data") or {}
    host, result, kind = str(data.get("host") or ""), data.get("res"), event.get("event")
    if not host or not isinstance(result, dict):
        return
    if data.get("task_action") == BUILD:
        _take_build(warmed, result)
    elif kind == "runner_item_on_ok" and isinstance(result.get("__builder_kernel"), str):
        if result.get("rc") == 0:
            kernel = printable(result["__builder_kernel"])
            warmed.kernels.setdefault(host, {})[kernel] = _seconds(result.get("delta"))
    elif kind in ("runner_on_failed", "runner_on_unreachable") and data.get("play") == "Prepare the builders":
        warmed.trouble.setdefault(host, progress.said_of(str(kind), result))


def _take_build(warmed: Warmed, result: Mapping[str, Any]) -> None:
    if not isinstance(result.get("kernel"), str):
        return
    modules = warmed.modules.setdefault(printable(result["kernel"]), Modules())
    counts = result.get("counts") if isinstance(result.get("counts"), dict) else {}
    modules.built += int((counts or {}).get("built", 0))
    modules.cached += int((counts or {}).get("cached", 0))
    errors = result.get("errors") if isinstance(result.get("errors"), dict) else {}
    if not result.get("next"):  # else another builder tries
        modules.errors.update({printable(name): str(said) for name, said in (errors or {}).items()})


def lines(warmed: Warmed) -> Iterator[str]:
    """Yield one line for each builder, and one for each kernel with what was compiled ahead."""
    for builder in sorted({*warmed.kernels, *warmed.trouble}):
        known = ", ".join(
            f"{kernel} ({seconds:.0f} s)"
            for kernel, seconds in sorted(warmed.kernels.get(builder, {}).items())
        )
        said = [f"knows {known}"] if known else []
        if builder in warmed.trouble:
            said.append(f"NOT DONE: {warmed.trouble[builder]}")
        yield f"{printable(builder)}: {'; '.join(said)}"
    for kernel, modules in sorted(warmed.modules.items()):
        yield f"{kernel}: {plural(modules.built, 'module')} compiled, {modules.cached} were there"
        for name, error in sorted(modules.errors.items()):
            yield f"  NOT DONE: {name}: {printable(headline(error))}"


def _seconds(delta: object) -> float:
    """Return the seconds of `0:01:05.123456`, as the command module says it; 0 for anything else."""
    found = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", str(delta))
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else 0.0
