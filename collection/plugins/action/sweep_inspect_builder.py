# SPDX-License-Identifier: GPL-3.0-or-later
"""What a builder has for one kernel: SystemTap, headers, module files. Delegate it to the builder."""

from __future__ import annotations

import re
import shlex
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap import cross
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import compatibility

LOOK = r"""
kernel={kernel}
modules="/lib/modules/$kernel"
debug=/usr/lib/debug
yes() {{ if "$@" >/dev/null 2>&1; then echo yes; else echo no; fi; }}
echo "stap=$(stap -V 2>&1 | sed -n 's/.*version \([0-9][0-9.]*\).*/\1/p' | head -n 1)"
machine=$(uname -m)
echo "machine=$machine"
echo "headers=$(yes test -e "$modules/build/.config")"
echo "debuginfo=$(yes test -e "$debug/boot/vmlinux-$kernel" -o -e "$debug$modules/vmlinux")"
if test -n {prefix} && test "$machine" != {target}; then
  own=$(sed -n 's/^CC = .*(CROSS_COMPILE)//p' "$modules/build/.kernelvariables" 2>/dev/null)
  echo "compiler=$(yes command -v {prefix}"${{own:-gcc}}")"
fi
test -z {certificate} || echo "signer=$(sha256sum <{certificate} 2>/dev/null | cut -c1-64)"
for name in {patterns}; do
  find "$modules/kernel" "$modules/updates" -name "$name.ko*" 2>/dev/null | grep -q . || echo "absent=$name"
done
"""


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "kernel": {"type": "str", "required": True},
        "module_files": {"type": "list", "elements": "str", "default": []},
        "debuginfo": {"type": "bool", "default": False},
        "machine": {"type": "str", "default": ""},
        "stapruns": {"type": "list", "elements": "str", "default": []},
        "sign_cert": {"type": "str", "default": ""},
    }

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        untrusted.KERNEL.check(args["kernel"], "a host says that its kernel is")
        patterns = " ".join(shlex.quote(_file_pattern(name)) for name in args["module_files"])
        target = untrusted.MACHINE.check(args["machine"], "a host says that its machine is")
        _name, prefix = cross.FOREIGN.get(target, ("", ""))
        command = LOOK.format(
            kernel=shlex.quote(args["kernel"]),
            patterns=patterns,
            certificate=shlex.quote(args["sign_cert"]),
            prefix=shlex.quote(prefix),
            target=shlex.quote(target),
        )
        pairs = [line.partition("=")[::2] for line in self.on_host(command)[1].splitlines()]
        found = dict(pairs)
        absent = [value for name, value in pairs if name == "absent"]
        lacks_debuginfo = args["debuginfo"] and found.get("debuginfo") != "yes"
        stap, signer = found.get("stap", ""), found.get("signer", "")
        machine = found.get("machine", "")
        for rule, word in (
            (untrusted.VERSION, stap),
            (untrusted.SIGNER, signer),
            (untrusted.MACHINE, machine),
        ):
            rule.check(word, "the builder answers")
        wanted = not stap or compatibility.runnable(stap, args["stapruns"], args["kernel"]).ok
        wanted = wanted and compatibility.machine_usable(machine, target).ok
        lacks_compiler = found.get("compiler") == "no"
        return {
            "wanted": wanted,
            "stap": stap,
            "signer": signer,
            "machine": machine,
            "complete": bool(stap)
            and found.get("headers") == "yes"
            and not (absent or lacks_debuginfo or lacks_compiler),
        }


def _file_pattern(module: str) -> str:
    """Return a shell pattern for a module's file: - and _ are the same in its name."""
    return re.sub("[-_]", "[-_]", module)
