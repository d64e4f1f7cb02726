# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag sweep` against `stap --remote`: the same script on two machines of the lab with two kernels, real modules.

    make bench-lab [ARGS="--window 10"]

Each is run twice. Cold: caches that did not exist before (SystemTap's on the builder, our store, what is known of the
hosts), and no module on the hosts. Warm: the same again. Cold, what counts is the wall time of the whole command, window
and report included; warm, the overhead: that less the window, which both wait for. `stap --remote` runs on the builder
and reaches the machines over ssh; a stapsh that is root is put in its way, because Debian's is in no PATH, and taken
away again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "src")]

import results
from results import Ratio

from fleetdiag.lab import (
    boot,
    model,
)

HOSTS = ("web1", "web3")
SCRIPT = """\
# {id}
global execs
probe kernel.trace("sched:sched_process_exec") {{ execs[execname()] <<< 1 }}
probe end {{ foreach (name in execs) printf("%s %d\\n", name, @count(execs[name])) }}
"""
STAPSH = '#!/bin/sh\nexec /usr/lib/systemtap/stapsh "$@"\n'
SSH = '#!/bin/sh\nexec /usr/bin/ssh -F {folder}/config "$@"\n'
CONFIG = """\
Host *
  User root
  IdentityFile {folder}/key
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
"""


def main() -> int:
    """Measure, write build/bench/lab.json; 0 when every goal holds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--window", type=int, default=10, help="seconds (default: 10)")
    window = parser.parse_args().window
    lab = boot.up()
    script = SCRIPT.format(id=uuid.uuid4())
    folder = f"/var/cache/fd-bench-{uuid.uuid4().hex[:8]}"
    try:
        prepare(lab, folder, script)
        theirs = [remote(lab, folder, window) for _ in ("cold", "warm")]
        with tempfile.TemporaryDirectory() as own:
            ours = [sweep(lab, Path(own), folder, script, window) for _ in ("cold", "warm")]
    finally:
        lab.ssh("builder", f"rm -rf {folder}")
        for host in HOSTS:
            lab.ssh(host, "rm -f /usr/local/bin/stapsh")
    figures = {
        "window_s": window,
        "sweep_s": dict(zip(("cold", "warm"), ours, strict=True)),
        "stap_remote_s": dict(zip(("cold", "warm"), theirs, strict=True)),
    }
    print(json.dumps(figures, indent=1))
    return results.write(
        results.Result(
            name="lab",
            what=f"wall time of a {window} s window on {len(HOSTS)} machines with two kernels, against stap --remote",
            ratios=[
                Ratio("cold: sweep / stap --remote", round(ours[0] / theirs[0], 3), 0.7),
                Ratio(
                    "warm: overhead of a sweep / that of stap --remote",
                    round((ours[1] - window) / (theirs[1] - window), 3),
                    1.0,
                ),
            ],
            figures=figures,
            versions={"stap": lab.ssh("builder", "stap -V 2>&1 | head -n 1").stdout.strip()},
        )
    )


def prepare(lab: model.Lab, folder: str, script: str) -> None:
    """What `stap --remote` needs on both sides. The lab's builder has no ssh: our controller is elsewhere."""
    lab.ssh(
        "builder",
        "command -v ssh || apt-get install -qy --no-install-recommends openssh-client",
        timeout_s=600,
    )
    key = (lab.keys.folder / "client").read_text()
    write(lab, "builder", f"{folder}/key", key, "600")
    write(lab, "builder", f"{folder}/config", CONFIG.format(folder=folder), "600")
    write(lab, "builder", f"{folder}/bin/ssh", SSH.format(folder=folder), "755")
    write(lab, "builder", f"{folder}/bench.stp", script, "644")
    for host in HOSTS:
        write(lab, host, "/usr/local/bin/stapsh", STAPSH, "755")
        # Cold means cold: nothing that an earlier run has left is armed from.
        lab.ssh(host, "rm -f /var/lib/fleetdiag/modules/*.ko")


def write(lab: model.Lab, machine: str, path: str, text: str, mode: str) -> None:
    done = lab.ssh(
        machine, f"mkdir -p $(dirname {path}) && cat >{path} <<'FD_END'\n{text}FD_END\nchmod {mode} {path}"
    )
    if done.returncode:
        raise SystemExit(f"bench-lab: {machine}: {path}: {done.stderr}")


def remote(lab: model.Lab, folder: str, window: int) -> float:
    """Seconds that `stap --remote` takes for both hosts."""
    where = " ".join(f"--remote=ssh://root@127.0.0.1:{lab.port(host)}" for host in HOSTS)
    began = time.monotonic()
    done = lab.ssh(
        "builder",
        f"export PATH={folder}/bin:$PATH SYSTEMTAP_DIR={folder}/stap LC_ALL=C.UTF-8;"
        f" stap {where} -T {window} {folder}/bench.stp",
        timeout_s=3600,
    )
    took = time.monotonic() - began
    if done.returncode or took < window:  # it ends with 0 also where it reached nobody
        raise SystemExit(f"bench-lab: stap --remote: {done.stdout[-500:]}{done.stderr[-1500:]}")
    return round(took, 1)


def sweep(lab: model.Lab, own: Path, folder: str, script: str, window: int) -> float:
    """Seconds that a sweep takes, with a state and caches of its own."""
    path = own / "bench.stp"
    path.write_text(script)
    inventory = own / "builder.json"
    cache = {"builder_cache": f"{folder}/fleetdiag"}
    group = {"systemtap_builders": {"hosts": {"builder": cache}}}
    inventory.write_text(json.dumps({"all": {"children": group}}))
    command = [sys.executable, "-m", "fleetdiag", "sweep", "-i", str(lab.inventory), "-i", str(inventory)]
    command += ["-l", ",".join(HOSTS), "--probe", str(path), "--window", f"{window}s"]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / '.collections'}",
        "XDG_CACHE_HOME": str(own / "cache"),
        "XDG_STATE_HOME": str(own / "state"),
    }
    began = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"bench-lab: the sweep: {done.stdout[-2000:]}{done.stderr[-1000:]}")
    return round(time.monotonic() - began, 1)


if __name__ == "__main__":
    sys.exit(main())
