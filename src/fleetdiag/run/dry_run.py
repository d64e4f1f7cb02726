# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag sweep --dry-run`: what a sweep would do, from a run directory in which hosts were only asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import assignment, sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import KernelBuild
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import PreflightRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import arming


def lines(run_dir: Path) -> Iterator[str]:
    """Yield a line for each host: what it is sent or why it would not be probed, one for each kernel, the sum."""
    run = read.open_run(run_dir)
    rows = {row.host: row for row in build.build(run_dir).coverage}
    built = run.builds()
    names = [probe.name for probe in run.request.probes]
    width = max((len(printable(host)) for host in run.hosts), default=0)
    fit = []
    for host in run.hosts:
        facts, name = run.of_host(host, PreflightRecord), f"{printable(host):{width}}"
        if facts is not None and facts.verdict == "ok":
            fit.append(facts)
            push = arming.to_push([sources.SMOKE, *names], built.get(facts.kernel), facts)
            sent = f"{plural(len(push), 'module')} sent" if push else "nothing sent"
            yield f"{name}  would be probed, on kernel {printable(facts.kernel)}; {sent}"
        else:
            remedy = f" -> {printable(rows[host].remedy)}" if rows[host].remedy else ""
            yield f"{name}  would not be probed as it is: {printable(rows[host].reason)}{remedy}"
    for one in assignment.builds(fit, run.request.builders or (), names):
        kept = (built.get(one.kernel) or KernelBuild()).probes
        absent = [name for name in one.names if name not in kept]
        where = printable(one.builders[0]) + (" itself" if one.target_mode else "")
        compiled = f"{', '.join(absent)}, compiled by {where}" if absent else "nothing to compile"
        held = [name for name in one.names if name in kept]
        yield f"for {printable(one.kernel)}: {compiled}" + (
            f"; kept from before: {', '.join(held)}" * bool(held)
        )
    done = "nothing was installed, compiled, sent or loaded"
    yield f"{len(fit)} of {plural(len(run.hosts), 'host')} would be probed as they are; {done}"
