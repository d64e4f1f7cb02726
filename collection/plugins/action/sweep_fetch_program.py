# SPDX-License-Identifier: GPL-3.0-or-later
"""Have one host hand over a program that is probed, once for each content. Delegate it to that host."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction, within
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import programs
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.program_files import ProgramFile

MOST_S = 600
MOST_BYTES = 12 * programs.MAX_BYTES  # of memory: what was sent is there as text and decoded, more than once


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {"file": {"type": "dict", "required": True}}
    TOUCHES_HOSTS = True

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        file = ProgramFile.from_json(args["file"])
        store = programs.ProgramStore()
        untrusted.SHA256.check(file.sha256, "a host says that the checksum of a program is")
        if store.get(file.sha256):
            return {"fetched": False}
        where = f"{file.host}: {file.path}"
        late = f"{where} was not handed over within {MOST_S} s; sweep again"
        large = f"{where}: it sends more than a program may have; look what answers so there"
        with within(MOST_S, late, most_bytes=MOST_BYTES, large=large):
            data = programs.handed_over(*self.on_host(programs.command(file)), file)
        store.put(file.sha256, data)
        return {"fetched": True}
