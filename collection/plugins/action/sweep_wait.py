# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for the end of the window: one wait for the whole fleet, on the controller."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import arming, batches
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import window as sweep_window


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "run_dir": {"type": "str", "required": True},
        "batch": {"type": "int", "default": 0},
    }
    TOUCHES_HOSTS = True

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = Path(args["run_dir"])
        armed = read.armed_hosts(run)
        hosts, window = batches.part(read.read_json(run, "window.json"), args["batch"], armed)
        if not window or not set(armed).intersection(hosts):
            return {}
        if "chosen" in window and not args["batch"]:
            self._note_places(run, window, armed)
        until = float(window.get("end", 0.0)) + arming.FLUSH_S
        while (left := until - time.time()) > 0:
            time.sleep(min(left, 1.0))  # short naps: a clock that is set back or forth meanwhile is followed
        return {"end": window.get("end")}

    def _note_places(self, run: Path, window: dict[str, Any], armed: list[str]) -> None:
        """Into window.json, how long the arming of a host took all in all; the next start is foreseen from that."""
        ended = self.of_each(run, armed, lambda host: _ended(run, host, window["chosen"])).values()
        if ended:
            place_s = sweep_window.place_s(window["chosen"], list(ended), window["at_once"])
            write.write_json(run, "window.json", {**window, "place_s": round(place_s, 3)})


def _ended(run: Path, host: str, chosen: float) -> float | None:
    """When the arming of a host was over, if that is a time."""
    at = (read.read_host(run, host, "arm") or {}).get("ended")
    return at if isinstance(at, (int, float)) and untrusted.seconds(abs(at - chosen)) is not None else None
