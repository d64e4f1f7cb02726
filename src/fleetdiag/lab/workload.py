# SPDX-License-Identifier: GPL-3.0-or-later
"""Something to see: web requests, one slow download, a terminal, a writer and listings on every web machine."""

from __future__ import annotations

import json
import os
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.lab import machines_data, paths
from fleetdiag.lab.locks import held
from fleetdiag.lab.log import step
from fleetdiag.lab.model import Lab
from fleetdiag.lab.processes import State

NAME = "workload"
SLOW_FILE = "lectura_lenta.html"
_SLOW_FILE_MB = 8

# Light: an emulated machine has a fraction of a core. Perl is part of every Debian and can name its process.
_WRITER = """
use IO::Handle;
$0 = "lab_writer";
open(my $file, ">", "/var/tmp/lab-writer.dat") or die;
while (1) {
    sysseek($file, 0, 0);
    syswrite($file, "x" x 65536) for 1 .. 24;
    $file->sync;
    sleep 1;
}
"""
# The root file system is ext4.
_LISTER = "while :; do ls -l /var/lib >/dev/null; sleep 1; done"
# Ends with its terminal: date fails when nobody reads any more.
TERMINAL = "while date; do sleep 1; done"
_LOOPS = {
    "fleetdiag-lab-writer": ["perl", "-e", _WRITER],
    "fleetdiag-lab-lister": ["sh", "-c", _LISTER],
}
_START = "set -eu\nsystemctl start apache2.service\n" + "".join(
    f"systemctl is-active -q {unit} || systemd-run -q --collect --unit={unit} {shlex.join(command)}\n"
    for unit, command in _LOOPS.items()
)
_SLOW_START = f"""
yes 'se sirve despacio' | head -c {_SLOW_FILE_MB}M > /var/www/html/{SLOW_FILE}
"""
_STOP = f"""
systemctl stop {" ".join(_LOOPS)} 2>/dev/null
systemctl stop apache2.service
rm -f /var/tmp/lab-writer.dat
"""


def start(lab: Lab) -> None:
    """Start the loops on the web machines that run, and the client here that asks them for pages."""
    names = _web(lab)
    if not names:
        raise FleetdiagError("no web machine runs; `fleetdiag lab up` boots them")
    with step(f"workload on {', '.join(names)}"):
        with ThreadPoolExecutor(2) as pool:
            for _ in pool.map(
                lambda name: _run(lab, name, _START + (_SLOW_START if _is_slow(name) else "")), names
            ):
                pass
        state = State(paths.state_dir())
        with held(state.folder):
            state.stop(NAME)
            targets = {
                "pages": [f"http://127.0.0.1:{lab.port(name, 'http')}/" for name in names],
                "terminals": [lab.ssh_command(name, [TERMINAL]) for name in names],
                "slow": [f"http://127.0.0.1:{lab.port(n, 'http')}/{SLOW_FILE}" for n in names if _is_slow(n)],
            }
            command = [
                *("env", f"PYTHONPATH={_import_path()}", sys.executable, "-m", "fleetdiag.lab.client"),
                json.dumps(targets),
            ]
            state.spawn(NAME, {"kind": "workload"}, command, state.folder / "workload.log")


def stop(lab: Lab) -> None:
    """Stop all of it; nothing happens when it does not run."""
    state = State(paths.state_dir())
    with held(state.folder):
        state.stop(NAME)
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(lambda name: _run(lab, name, _STOP), _web(lab)):
            pass


def _web(lab: Lab) -> list[str]:
    return [name for name in machines_data.WEB if name in lab.machines]


def _is_slow(name: str) -> bool:
    return name == machines_data.SLOW_HOST


def _run(lab: Lab, name: str, script: str) -> None:
    done = lab.ssh(name, script)
    if done.returncode:
        raise FleetdiagError(f"workload on {name}: status {done.returncode}: {done.stderr.strip()[-300:]}")


def _import_path() -> str:
    here = str(Path(__file__).parents[2])
    return os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
