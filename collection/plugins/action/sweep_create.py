# SPDX-License-Identifier: GPL-3.0-or-later
"""Check what was asked and make the run directory. Runs on the controller, once per sweep."""

from __future__ import annotations

import getpass
import os
import platform
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from ansible import constants
from ansible.release import __version__ as ansible_version
from ansible.utils.display import Display

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import version
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import references, settings
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import (
    catalog,
    parameters,
    user_catalogs,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import plain, target
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import (
    balancers,
    history,
    names,
    write,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import batches, request, window

CALLBACK = "fleetdiag.systemtap.report"
KEEP_CHECKED_S = 86400

display = Display()


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "probes": {"type": "list", "elements": "str", "required": True},
        "parameters": {"type": "dict", "default": {}},
        "window": {"type": "raw", "required": True},
        "start": {"type": "float", "default": 0.0},
        "catalogs": {"type": "list", "elements": "path", "default": []},
        "runs_dir": {"type": "str", "default": ""},
        "hosts": {"type": "list", "elements": "str", "required": True},
        "builders": {"type": "list", "elements": "str", "default": []},
        "overload_percent": {"type": "int", "default": 0},
        "redact": {"type": "bool", "default": True},
        "retry_crashed": {"type": "bool", "default": False},
        "baseline": {"type": "int", "default": history.DEFAULT},
        "name": {"type": "str", "default": ""},
        "slot": {"type": "str", "default": ""},
        "trigger": {"type": "str", "default": "hand", "choices": ["hand", "timer"]},
        "memory": {"type": "dict", "default": {}},
        "canary": {"type": "str", "default": ""},
        "batch": {"type": "str", "default": ""},
        "drain": {"type": "str", "default": ""},
        "ahead": {"type": "bool", "default": False},
        "balancers": {"type": "list", "elements": "str", "default": []},
        "examples": {"type": "list", "elements": "str", "default": []},
        "examples_trouble": {"type": "list", "elements": "str", "default": []},
        "examples_debuginfo": {"type": "bool", "default": False},
    }

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        own = user_catalogs.catalogs(args["catalogs"])
        catalogs = [catalog.shipped(), *own]
        if not args["probes"]:
            raise FleetdiagError(
                'no probe was named; say which, for instance -e \'{"probes": ["slow_open"]}\'; '
                f"there are: {', '.join(catalog.names(catalogs))}"
            )
        examples = next((Path(folder) for folder in args["examples"] if folder), None)
        _check_brought(args, examples)
        probes = catalog.find(
            args["probes"], catalogs, examples=examples, debuginfo=args["examples_debuginfo"]
        )
        window_s = parameters.parse_window(args["window"])
        window.check_start(args["start"], time.time())
        parameters.check_names(probes, args["parameters"])
        values = {
            probe.name: parameters.check(probe, parameters.of_probe(probe, args["parameters"]))
            for probe in probes
        }
        if not 0 <= args["overload_percent"] <= 100:
            raise FleetdiagError(
                f"sweep_overload_percent: {args['overload_percent']} is not a share of a processor; "
                "say 1 to 100, or 0 for what each probe's manifest says"
            )
        history.check(args["baseline"], "sweep_baseline")
        references.check_name(args["name"])
        settings.parse(args["memory"])
        batches.amount(args["canary"], "sweep_canary")
        batches.amount(args["batch"], "sweep_batch")
        balancers.check_weight(args["drain"], "sweep_drain")
        if args["drain"] and not args["balancers"]:
            raise FleetdiagError(
                "sweep_drain: the inventory has no load balancer; name them in the group load_balancers"
                " (sweep_drain_group)"
            )
        hosts = [host for host in args["hosts"] if host not in args["builders"]]
        if not hosts:
            raise FleetdiagError(
                "no host is left to probe: the pattern names builders only; choose targets with -l"
            )
        named = self._named("sweep_target", hosts)
        for probe in probes:
            target.check(probe, values[probe.name], named)
        sweep = request.new_sweep(
            now=datetime.now(UTC),
            version=version.version(),
            probes=probes,
            values=values,
            window_s=window_s,
            hosts=hosts,
            peers=request.peer_sets(hosts, self._groups(), self._depths(), self._named("sweep_peers", hosts)),
            conditions={
                "ansible": ansible_version,
                "python": platform.python_version(),
                "secrets": "taken out on the hosts" if args["redact"] else "not taken out (sweep_redact)",
            },
        )
        sweep = replace(
            sweep,
            by=f"{_user()}@{platform.node()}",
            builders=tuple(args["builders"]),
            overload_percent=args["overload_percent"],
            redact=args["redact"],
            retry_crashed=args["retry_crashed"],
            check_mode=self.only_looks,
            baseline=args["baseline"],
            name=args["name"],
            slot=args["slot"],
            trigger=args["trigger"],
            memory=args["memory"],
            catalogs=tuple(str(path) for path in own),
        )
        runs = Path(os.path.expanduser(args["runs_dir"])) if args["runs_dir"] else names.default_runs_dir()
        if self.only_looks:
            runs /= names.CHECKED  # no sweep, so that none is compared with it
            _remove_old(runs)
        probed = sorted({path for paths in sources.programs(sweep).values() for path in paths})
        run_dir = write.create(runs, sweep.to_json())
        if not self.only_looks:
            self._say_where(run_dir)
        in_batches = bool({args["canary"], args["batch"], args["drain"]} - {"", "0"})
        return {
            "run_dir": str(run_dir),
            "sweep": sweep.id,
            "check": self.only_looks,
            "window_s": window_s,
            "programs": probed,
            "in_batches": in_batches and not args["ahead"],
            "at_once": not in_batches and not args["ahead"],
        }

    def _groups(self) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = {}
        for group, members in self.task_vars.get("groups", {}).items():
            for member in members:
                if group not in ("all", "ungrouped"):
                    groups.setdefault(member, []).append(group)
        return groups

    def _depths(self) -> dict[str, int]:
        """Return {group: its depth}. Variables do not tell; where the inventory cannot be reached, none is deeper."""
        inventory = getattr(self.task_vars.get("hostvars"), "_inventory", None)
        return {name: group.depth for name, group in getattr(inventory, "groups", {}).items()}

    def _named(self, variable: str, hosts: list[str]) -> dict[str, str]:
        """Return a variable of the hosts that have it, as text."""
        everything = self.task_vars.get("hostvars", {})
        return {
            host: str(everything[host][variable])
            for host in hosts
            if host in everything and everything[host].get(variable)
        }

    @staticmethod
    def _say_where(run_dir: Path) -> None:
        display.display(f"run directory: {run_dir}")
        if CALLBACK not in constants.config.get_config_value("CALLBACKS_ENABLED"):
            display.warning(
                f"the callback {CALLBACK} is not enabled, so no report is made at the end; "
                f"make it with: fleetdiag report {run_dir}"
            )


def _remove_old(checked: Path) -> None:
    """Remove what check mode has left before; nobody reads it later, and one that runs now is not so old."""
    for path in checked.glob("*_*"):
        if names.is_id(path.name) and path.stat().st_mtime < time.time() - KEEP_CHECKED_S:
            shutil.rmtree(path, ignore_errors=True)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return str(os.getuid())


def _check_brought(args: dict[str, Any], examples: Path | None) -> None:
    asked = [name for name in args["probes"] if plain.is_example(name)]
    for name in asked:
        plain.topic_and_name(name)
    if asked and examples is None:
        trouble = "; ".join(map(printable, args["examples_trouble"]))
        raise FleetdiagError(
            f"{', '.join(asked)}: {trouble or 'SystemTap has no examples on the builder'};"
            " install systemtap-doc (Debian), systemtap-testsuite (EL) or systemtap-docs (openSUSE) there, or let the"
            " sweep do it (sweep_install)"
        )
