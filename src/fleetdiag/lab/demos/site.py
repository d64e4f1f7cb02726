# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of the site, shown: one file is slow behind two balancers, and a sweep says which one, where and why."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from fleetdiag.lab import boot, log, machines_data
from fleetdiag.lab.demos import web
from fleetdiag.lab.model import Lab
from fleetdiag.lab.profiles import site

PROBES = ("nfs_client", "nfs_server", "slow_open")
PARAMETERS = ("nfs_client.threshold_ms=100", "slow_open.threshold_ms=500")
WINDOW = "20s"
WEIGHT = "50%"
#: The client has had as many answers of the slow file before the sweep begins.
_ANSWERS = 4
_ANSWERS_WITHIN_S = 300.0


def run(keep: bool = False) -> int:
    """Run the demo; 0 when the report tells the story and nothing is left. `keep`: the lab stays up."""
    began = time.monotonic()
    problems: list[str] = []
    try:
        lab = boot.up(profile="site")
        before = set(web.runs())
        problems += story(lab)
        problems += untold(sorted(set(web.runs()) - before))
        problems += web.left_behind(lab)
    finally:
        if not keep:
            with log.step("lab down"):
                boot.down()
    web.show_times(time.monotonic() - began)
    for problem in problems:
        print(f"demo: {problem}", file=sys.stderr)
    return 1 if problems else 0


def story(lab: Lab, *options: str) -> list[str]:
    """Make a file slow, let a client ask for it, and sweep; gives what went wrong. options: more of the sweep."""
    site.slow_file(lab)
    site.start_client(lab)
    try:
        with log.step("the client's first answers"):
            site.wait_for_slow_answers(_ANSWERS, _ANSWERS_WITHIN_S)
        with log.step(f"sweep of {', '.join(PROBES)}"):
            status = web.sweep([*sweep_command(lab), *options])
    finally:
        site.stop_client()
    said = site.client_says()
    problems = [f"the sweep ended with status {status}"] if status else []
    if said["failed"]:
        problems.append(f"{said['failed']} requests failed, the last: {said['failures'][-1]}")
    print(f"the client had {said['answered']} pages and {said['slow']} times the slow file", file=sys.stderr)
    return problems


def sweep_command(lab: Lab) -> list[str]:
    """Return the sweep of the story, as one would type it."""
    probes = [part for probe in PROBES for part in ("--probe", probe)]
    parameters = [part for parameter in PARAMETERS for part in ("--param", parameter)]
    command = [sys.executable, "-m", "fleetdiag", "sweep", "-i", str(lab.inventory), "-l", "web,nfs"]
    # Of two servers one must keep its full weight: it is probed all the same.
    drain = ["--drain", WEIGHT, "-e", "sweep_drain_unfit=probe"]
    drain += ["-e", "drain_timeout=300"]  # an emulated balancer may take more than a real one
    return [*command, *probes, *parameters, "--window", WINDOW, *drain]


def untold(new_runs: list[Path]) -> list[str]:
    """Return a sentence for everything that the report should say and does not."""
    if not new_runs:
        return ["the sweep left no run directory"]
    report = new_runs[-1] / "report.txt"
    if not report.is_file():
        return [f"{report} was not written"]
    text = " ".join(report.read_text(encoding="utf-8").split())
    wanted = (
        f"{machines_data.SITE_NFS}: ",
        "in its file system and on its disk",
        site.SLOW_NAME,
        *machines_data.SITE_WEB,
    )
    return [f"{report} does not say {words}" for words in wanted if words not in text]
