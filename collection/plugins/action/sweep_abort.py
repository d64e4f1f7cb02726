# SPDX-License-Identifier: GPL-3.0-or-later
"""End all sessions of all sweeps on one host and unload their modules."""

from __future__ import annotations

from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction, shown
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError


class ActionModule(FleetdiagAction):
    TOUCHES_HOSTS = True

    def would(self, args: dict[str, Any]) -> dict[str, Any]:
        del args
        return {
            **shown("all sessions of all sweeps would be ended, and their modules unloaded"),
            "would_run": True,
        }

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        del args
        aborted = self.guard().install_and_abort()
        if aborted.residue:
            raise FleetdiagError(
                f"still loaded: {', '.join(aborted.residue)}; the kernel holds on to them, only a reboot ends that"
            )
        ended = {sweep: modules for sweep, modules in aborted.sweeps.items() if modules}
        return {"changed": bool(ended), "sweeps": sorted(ended), "modules": sum(ended.values())}
