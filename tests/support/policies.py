# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts, manifests and questions for the tests of what scripts may do."""

from __future__ import annotations

from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.catalog import probe_from_manifest
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import policy

GOOD = r"""// SPDX-License-Identifier: GPL-3.0-or-later
// system("ls") and exit() in a comment do nothing, like "%{" in a text
global seen[100]
global minimum_us = 10

probe fd.open
{
  seen[pid(), execname()]++
  text = "system(1) %{ %} exit()"
}

probe kernel.trace("sched:sched_switch"), syscall.{read,write}
{
  if (!fd_sampling()) next
  if ($prev->pid == 1 && $next->prio != 2) next
  count($next->pid)
}

function count(pid:long)
{
  seen[pid, "x"] <<< 1
}

probe fd.interval
{
  foreach ([pid, name] in seen)
    printf("%s\t%d\t%s\t%d\n", fd_row("counts"), pid, fd_str(name), seen[pid, name])
  delete seen
}
"""


def probe(output: str = "rows", **parameters: dict[str, Any]) -> Probe:
    columns = {
        "pid": {"type": "int", "role": "key", "description": "A."},
        "name": {"type": "string", "role": "key", "description": "A."},
        "count": {"type": "int", "role": "measure", "merge": "sum", "description": "A."},
    }
    manifest: dict[str, Any] = {"description": "A.", "question": "A?", "output": output, "cost": "low"}
    if output in ("rows", "table"):
        manifest["tables"] = {"counts": {"description": "A.", "columns": columns}}
    return probe_from_manifest("tested", {**manifest, "parameters": parameters})


def in_handler(code: str) -> str:
    """One line in a handler that asks; it is line 3."""
    return f'probe kernel.trace("a") {{\n  if (!fd_sampling()) next\n  {code}\n}}\n'


def found(text: str, level: policy.Level = "probe", manifest: Probe | None = None) -> list[tuple[int, str]]:
    return [(fault.line, fault.what) for fault in policy.faults(text, level, manifest)]
