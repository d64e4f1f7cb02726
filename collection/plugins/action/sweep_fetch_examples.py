# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the SystemTap examples that a sweep asks for to the controller. Delegate it to a builder."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import examples


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "probes": {"type": "list", "elements": "str", "required": True},
        "host": {"type": "str", "required": True},
    }

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        code, out, err = self.on_host(examples.command(args["probes"]), root=False)
        if code:
            last = printable((err.strip() or out.strip() or f"exit code {code}").splitlines()[-1][:300])
            raise FleetdiagError(f"{args['host']} could not be asked for SystemTap's examples: {last}")
        found = examples.read_answer(out, args["probes"])
        folder = str(examples.keep(found, args["host"])) if found.folder else ""
        return {"folder": folder, "stap": found.stap}
