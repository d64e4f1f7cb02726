# SPDX-License-Identifier: GPL-3.0-or-later
"""The profile `site`: two balancers, equal web servers, and the file server that all of them wait for."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.lab import machines_data, paths
from fleetdiag.lab.locks import held
from fleetdiag.lab.log import step
from fleetdiag.lab.processes import State

if TYPE_CHECKING:
    from fleetdiag.lab.model import Lab

ROOT = "/srv/www"
#: Where the web servers have it.
MOUNTED = "/var/www/html"
SLOW_FOLDER, SLOW_NAME = "archivo", "informe_anual.html"
#: As a web server names it.
SLOW_FILE = f"{MOUNTED}/{SLOW_FOLDER}/{SLOW_NAME}"
SLOW_FILE_KB = 512
#: Each read of the file server's slow disk takes this long.
DISK_DELAY_MS = 250
CLIENT = "client"
_PART_TIMEOUT_S = 600.0


def set_up(lab: Lab) -> None:
    """Give the running machines their parts; nothing happens to those that have them."""
    with step(f"site of {', '.join(machines_data.SITE)}"):
        _run(lab, machines_data.SITE_NFS, "site_nfs.sh", root=ROOT)
        web = {"server": machines_data.SITE_NFS, "root": ROOT}
        with ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(_run, lab, name, "site_web.sh", **web) for name in machines_data.SITE_WEB]
            jobs.append(
                pool.submit(_run, lab, machines_data.SITE_BALANCER, "site_balancers.sh", **_balancers())
            )
            for job in jobs:
                job.result()


def slow_file(lab: Lab) -> None:
    """Let the file server have a file on a disk that answers late."""
    settings = {
        "folder": f"{ROOT}/{SLOW_FOLDER}",
        "file": SLOW_NAME,
        "kb": str(SLOW_FILE_KB),
        "delay_ms": str(DISK_DELAY_MS),
    }
    with step(f"a slow disk on {machines_data.SITE_NFS}"):
        _run(lab, machines_data.SITE_NFS, "site_slow_disk.sh", **settings)


def start_client(lab: Lab) -> None:
    """Start a client here that asks both balancers for pages and for the slow file; `client_says` what it got."""
    state = State(paths.state_dir())
    with held(state.folder):
        state.stop(CLIENT)
        _tally(state).unlink(missing_ok=True)
        ports = [lab.port(machines_data.SITE_BALANCER, name) for name, _ in machines_data.SITE_BALANCERS]
        job = {
            "sites": [f"http://127.0.0.1:{port}" for port in ports],
            "page": "/",
            "slow": f"/{SLOW_FOLDER}/{SLOW_NAME}",
            "tally": str(_tally(state)),
        }
        source = str(Path(__file__).parents[3])
        path = os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])])
        words = [sys.executable, "-m", "fleetdiag.lab.site_client", json.dumps(job)]
        command = ["env", f"PYTHONPATH={path}", *words]
        state.spawn(CLIENT, {"kind": "workload"}, command, state.folder / "client.log")


def stop_client() -> None:
    """End the client; its tally stays."""
    state = State(paths.state_dir())
    with held(state.folder):
        state.stop(CLIENT)


def wait_for_slow_answers(count: int, within_s: float) -> None:
    """Wait until the client has had the slow file so many times. Raise FleetdiagError when it has not in time."""
    deadline = time.monotonic() + within_s
    while (said := client_says())["slow"] < count:
        if time.monotonic() > deadline:
            raise FleetdiagError(
                f"the slow file came {said['slow']} times in {within_s:.0f} s: {said['failures']}"
            )
        time.sleep(0.5)


def client_says() -> dict[str, Any]:
    """Return what the client has seen: {"answered": n, "slow": n, "failed": n, "failures": [sentence, ...]}."""
    try:
        return dict(json.loads(_tally(State(paths.state_dir())).read_text()))
    except FileNotFoundError:
        return {"answered": 0, "slow": 0, "failed": 0, "failures": []}


def _tally(state: State) -> Path:
    return state.folder / "client.json"


def _balancers() -> dict[str, str]:
    return {
        "balancers": "\n".join(f"{name} {port}" for name, port in machines_data.SITE_BALANCERS),
        "servers": "\n".join(
            f"{name} {machines_data.MACHINES[name].address}" for name in machines_data.SITE_WEB
        ),
        "sockets": machines_data.BALANCER_SOCKETS,
    }


def _run(lab: Lab, name: str, part: str, **settings: str) -> None:
    """Run one part of the site on a machine, its network first."""
    hosts = "\n".join(f"{machines_data.MACHINES[other].address} {other}" for other in machines_data.SITE)
    settings = {**settings, "name": name, "address": machines_data.MACHINES[name].address, "hosts": hosts}
    script = "".join(f"{key}={shlex.quote(value)}\n" for key, value in settings.items())
    for file in ("site_network.sh", part):
        script += (paths.files_dir() / file).read_text()
    try:
        done = lab.ssh(name, script, timeout_s=_PART_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise FleetdiagError(f"{name}: {part} was not done within {_PART_TIMEOUT_S:.0f} s") from None
    if done.returncode:
        raise FleetdiagError(f"{name}: {part}: status {done.returncode}: {done.stderr.strip()[-500:]}")
