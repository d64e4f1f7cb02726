# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag sweep --dry-run`: what a sweep would do, from a run directory in which hosts were only asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import assignment
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import PreflightRecord


def lines(run_dir: Path) -> Iterator[str]:
    """Yield a line for each host, with why it would not be probed, one for each kernel, and the sum."""
    run = read.open_run(run_dir)
    rows = {row.host: row for row in build.build(run_dir).coverage}
    width = max((len(printable(host)) for host in run.hosts), default=0)
    fit = []
    for host in run.hosts:
        facts, name = run.of_host(host, PreflightRecord), f"{printable(host):{width}}"
        if facts is not None and facts.verdict == "ok":
            fit.append(facts)
            yield f"{name}  would be probed, on kernel {printable(facts.kernel)}"
        else:
            remedy = f" -> {printable(rows[host].remedy)}" if rows[host].remedy else ""
            yield f"{name}  would not be probed: {printable(rows[host].reason)}{remedy}"
    names = [probe.name for probe in run.request.probes]
    for one in assignment.builds(fit, run.request.builders or (), names):
        where = printable(one.builders[0]) + (" itself" if one.target_mode else "")
        yield f"for {printable(one.kernel)}: {', '.join(one.names)}, compiled by {where} if not kept from before"
    done = "nothing was installed, compiled, sent or loaded"
    yield f"{len(fit)} of {plural(len(run.hosts), 'host')} would be probed; {done}"
