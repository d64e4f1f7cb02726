# SPDX-License-Identifier: GPL-3.0-or-later
"""Have one host hand over what its kernel tells of itself, once for each kernel build. Runs on a host of that kernel."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import kernel_info


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "build_id": {"type": "str", "required": True},
        "btf": {"type": "bool", "default": True},
    }
    TOUCHES_HOSTS = True

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        build_id = untrusted.BUILD_ID.check(args["build_id"], "a host says that its kernel's build id is")
        store = kernel_info.Store()
        path = store.get(build_id, btf=args["btf"])
        if path:
            return {"path": str(path)}
        answer = self.on_host(kernel_info.command(btf=args["btf"]))
        bundle = kernel_info.handed_over(*answer, build_id=build_id, host=self.host)
        return {"path": str(store.put(build_id, bundle))}
