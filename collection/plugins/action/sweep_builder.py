# SPDX-License-Identifier: GPL-3.0-or-later
"""What a builder has for one kernel: SystemTap, headers, module files. Delegate it to the builder."""

from __future__ import annotations

import shlex
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.ansible_action import FleetdiagAction

LOOK = """
kernel={kernel}
echo "stap=$(stap -V 2>&1 | sed -n 's/.*version \\([0-9][0-9.]*\\).*/\\1/p' | head -n 1)"
test -e /lib/modules/$kernel/build/.config && echo headers=yes || echo headers=no
test -e /usr/lib/debug/boot/vmlinux-$kernel -o -e /usr/lib/debug/lib/modules/$kernel/vmlinux && echo debuginfo=yes || echo debuginfo=no
for name in {modules}; do
  find /lib/modules/$kernel/kernel /lib/modules/$kernel/updates -name "$name.ko*" 2>/dev/null | grep -q . || echo "absent=$name"
done
true
"""


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "kernel": {"type": "str", "required": True},
        "module_files": {"type": "list", "elements": "str", "default": []},
        "debuginfo": {"type": "bool", "default": False},
    }

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        command = LOOK.format(
            kernel=shlex.quote(args["kernel"]),
            modules=" ".join(shlex.quote(_file_pattern(name)) for name in args["module_files"]) or "''",
        )
        if not args["module_files"]:
            command = command.replace("for name in ''", "for name in")
        pairs = [line.partition("=")[::2] for line in self.on_host(command)[1].splitlines()]
        found = dict(pairs)
        absent = [value for name, value in pairs if name == "absent"]
        lacks_debuginfo = args["debuginfo"] and found.get("debuginfo") != "yes"
        return {
            "stap": found.get("stap", ""),
            "headers": found.get("headers") == "yes",
            "absent_module_files": absent,
            "complete": bool(found.get("stap"))
            and found.get("headers") == "yes"
            and not absent
            and not lacks_debuginfo,
        }


def _file_pattern(module: str) -> str:
    """File names of modules use - and _ alike."""
    return module.replace("_", "[_-]").replace("-", "[_-]") if "[" not in module else module
