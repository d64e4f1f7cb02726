# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag sweep` against `stap --remote`: the same scripts on two machines of the lab with two kernels, real modules.

    make bench-lab [ARGS="--window 10"]

Cold: caches that did not exist before (SystemTap's on the builder, our store, what is known of the hosts), and no module
on the hosts; what counts is the wall time of the whole command, window and report included. Warm: the same again, with
one script and with four; what counts is the overhead, wall time less the windows, which both wait for: one in a sweep,
one for each script with `stap --remote`, which runs one after the other. That runs on the builder and reaches the
machines over ssh; a stapsh that is root is put in its way, because Debian's is in no PATH, and taken away again.

Bare: cold, four scripts, on a builder without SystemTap, compiler and headers: a sweep installs them by itself, and
before `stap --remote` they are installed as its user would, which counts.

The host's share: arming and collecting, each one ssh command, one session and eight, against one ssh command that has
systemd start something and unloads a module.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shlex
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "src")]

import results
from results import Ratio

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.module_cache import ModuleStore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl import Guard, SessionPlan
from fleetdiag.lab import (
    boot,
    model,
)

HOSTS = ("web1", "web3")
FEW, MANY, MOST = 1, 4, 8
"""Scripts that are compared, and sessions of which the host's share is measured."""
TURNS = 5
LIVES_S = 15
SCRIPT = """\
# {id}
global execs
probe kernel.trace("sched:sched_process_exec") {{ execs[execname()] <<< 1 }}
probe end {{ foreach (name in execs) printf("%s %d\\n", name, @count(execs[name])) }}
"""
STAPSH = '#!/bin/sh\nexec /usr/lib/systemtap/stapsh "$@"\n'
SSH = '#!/bin/sh\nexec /usr/bin/ssh -F {folder}/config "$@"\n'
# What compiling needs, as the lab's builder has it; what was downloaded goes too.
STRIP = """
apt-get purge -qy --auto-remove 'systemtap*' 'linux-headers-*' 'linux-kbuild-*' gcc make
apt-get clean
! command -v stap && ! command -v gcc
"""
INSTALL = """
apt-get update -qq
apt-get install -qy --no-install-recommends systemtap gcc make {headers}
"""
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
    scripts = [SCRIPT.format(id=uuid.uuid4()) for _ in range(MOST)]
    folder = f"/var/cache/fd-bench-{uuid.uuid4().hex[:8]}"
    turns = {
        "cold": scripts[:FEW],
        "warm": scripts[:FEW],
        "four, cold": scripts[:MANY],
        "four, warm": scripts[:MANY],
    }
    try:
        prepare(lab, folder, scripts)
        theirs = {name: remote(lab, folder, window, len(some)) for name, some in turns.items()}
        with tempfile.TemporaryDirectory() as own:
            ours = {name: sweep(lab, Path(own), folder, some, window) for name, some in turns.items()}
            sweep(lab, Path(own), folder, scripts, 1)  # has all of them compiled
            shares = host_shares(lab, Path(own))
        ours["bare"], theirs["bare"] = bare(lab, f"{folder}/bare", window)
    finally:
        lab.ssh("builder", f"rm -rf {folder}")
        for host in HOSTS:
            lab.ssh(host, "rm -f /usr/local/bin/stapsh")
    figures = {"window_s": window, "sweep_s": ours, "stap_remote_s": theirs, "host_s": shares}
    print(json.dumps(figures, indent=1))
    return results.write(
        results.Result(
            name="lab",
            what=f"wall time of a {window} s window on {len(HOSTS)} machines with two kernels, against stap --remote",
            ratios=ratios(ours, theirs, shares, window),
            figures=figures,
            versions={"stap": lab.ssh("builder", "stap -V 2>&1 | head -n 1").stdout.strip()},
        )
    )


def ratios(
    ours: dict[str, float], theirs: dict[str, float], shares: dict[str, float], window: int
) -> list[Ratio]:
    """Return the goals. shares: seconds of `systemd`, and of arming and collecting by number of sessions."""

    def overhead(name: str, scripts: int) -> float:
        return round((ours[name] - window) / (theirs[name] - scripts * window), 3)

    one, eight = shares[str(FEW)], shares[str(MOST)]
    bare_builder = round(ours["bare"] / theirs["bare"], 3)
    return [
        Ratio("cold: sweep / stap --remote", round(ours["cold"] / theirs["cold"], 3), 0.6),
        Ratio("bare builder, four scripts: sweep / installing and stap --remote", bare_builder, 0.6),
        Ratio("warm: overhead of a sweep / that of stap --remote", overhead("warm", FEW), 1.0),
        Ratio("warm, four scripts: the same", overhead("four, warm", MANY), 0.5),
        Ratio(
            "one session armed and collected / two ssh commands to systemd",
            round(one / shares["systemd"], 3),
            2.0,
        ),
        Ratio("eight sessions armed and collected / one", round(eight / one, 3), 2.0),
    ]


def host_shares(lab: model.Lab, own: Path) -> dict[str, float]:
    """Return the median of seconds for what a host does: for one session, for eight, and twice for systemd alone."""
    host = HOSTS[0]
    run = max((own / "state" / "fleetdiag" / "runs").glob("*/sweep.json")).parent
    preflight = json.loads((run / "hosts" / host / "preflight.json").read_text())
    built = json.loads((run / "builds" / f"{preflight['kernel']}.json").read_text())["probes"]
    sums = {name: entry["sha256"] for name, entry in built.items() if name != "smoke"}
    store = ModuleStore(own / "cache" / "fleetdiag")

    def on_host(command: str, data: bytes | None) -> tuple[int, str, str]:
        words = lab.ssh_command(host, ["/bin/sh", "-c", shlex.quote(command)])
        done = subprocess.run(words, input=data or b"", capture_output=True, check=False)
        return done.returncode, done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode()

    guard = Guard(on_host)
    guard.install_and_preflight()
    for sha256 in sums.values():
        guard.put(sha256, store.read(sha256))
    return {
        "systemd": 2 * median(seconds_of_systemd(lab, host) for _ in range(TURNS)),
        **{
            str(count): median(
                seconds_of_sessions(guard, dict([*sums.items()][:count])) for _ in range(TURNS)
            )
            for count in (FEW, MOST)
        },
    }


def seconds_of_systemd(lab: model.Lab, host: str) -> float:
    lab.ssh(host, "modprobe dummy")
    began = time.monotonic()
    done = lab.ssh(host, "systemd-run --quiet --wait true && rmmod dummy")
    took = time.monotonic() - began
    if done.returncode:
        raise SystemExit(f"bench-lab: {host}: {done.stderr}")
    return took


def seconds_of_sessions(guard: Guard, sums: dict[str, str]) -> float:
    """Return what arming and collecting take; between them sessions end by themselves, as in a sweep."""
    sweep_id = f"{time.strftime('%Y%m%d_%H%M%S')}_{secrets.token_hex(2)}"
    plans = [
        SessionPlan(name, sha256, 1, [("fd_nonce", secrets.token_hex(8)), ("fd_ttl_ms", str(1000 * LIVES_S))])
        for name, sha256 in sums.items()
    ]
    began = time.monotonic()
    reply = guard.arm(sweep_id, ttl_s=300, timeout_s=120, smoke="", plans=plans)
    armed = time.monotonic() - began
    if {state for state, _, _ in reply.sessions.values()} != {"armed"}:
        raise SystemExit(f"bench-lab: not armed: {reply}")
    time.sleep(2 * LIVES_S)
    began = time.monotonic()
    guard.collect(sweep_id, dict.fromkeys(sums, 1 << 20))
    collected = time.monotonic() - began
    guard.forget(sweep_id)
    return armed + collected


def prepare(lab: model.Lab, folder: str, scripts: list[str]) -> None:
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
    for number, script in enumerate(scripts):
        write(lab, "builder", f"{folder}/bench{number}.stp", script, "644")
    for host in HOSTS:
        write(lab, host, "/usr/local/bin/stapsh", STAPSH, "755")
        # Cold means cold: nothing that an earlier run has left is armed from.
        lab.ssh(host, "rm -f /var/lib/fleetdiag/modules/*.ko")


def bare(lab: model.Lab, folder: str, window: int) -> tuple[float, float]:
    """Return the seconds of a sweep on a builder that has nothing, and of installing and `stap --remote` there."""
    scripts = [SCRIPT.format(id=uuid.uuid4()) for _ in range(MANY)]
    prepare(lab, folder, scripts)
    must(lab, "builder", STRIP)
    with tempfile.TemporaryDirectory() as own:
        ours = sweep(lab, Path(own), folder, scripts, window)
    must(lab, "builder", STRIP)
    kernels = [lab.ssh(host, "uname -r").stdout.strip() for host in HOSTS]
    began = time.monotonic()
    must(lab, "builder", INSTALL.format(headers=" ".join(f"linux-headers-{kernel}" for kernel in kernels)))
    return ours, round(time.monotonic() - began + remote(lab, folder, window, MANY), 1)


def must(lab: model.Lab, machine: str, script: str) -> None:
    """Run a script as root, which must end well."""
    done = lab.ssh(machine, f"export DEBIAN_FRONTEND=noninteractive\nset -e\n{script}", timeout_s=1800)
    if done.returncode:
        raise SystemExit(f"bench-lab: {machine}: {done.stdout[-500:]}{done.stderr[-1500:]}")


def write(lab: model.Lab, machine: str, path: str, text: str, mode: str) -> None:
    must(
        lab, machine, f"mkdir -p $(dirname {path})\ncat >{path} <<'FD_END'\n{text}FD_END\nchmod {mode} {path}"
    )


def remote(lab: model.Lab, folder: str, window: int, scripts: int) -> float:
    """Return seconds that `stap --remote` takes for both hosts and so many scripts, one after the other."""
    where = " ".join(f"--remote=ssh://root@127.0.0.1:{lab.port(host)}" for host in HOSTS)
    began = time.monotonic()
    done = lab.ssh(
        "builder",
        f"export PATH={folder}/bin:$PATH SYSTEMTAP_DIR={folder}/stap LC_ALL=C.UTF-8;"
        f" for n in {' '.join(map(str, range(scripts)))}; do"
        f" stap {where} -T {window} {folder}/bench$n.stp || exit; done",
        timeout_s=3600,
    )
    took = time.monotonic() - began
    if done.returncode or took < scripts * window:  # it ends with 0 also where it reached nobody
        raise SystemExit(f"bench-lab: stap --remote: {done.stdout[-500:]}{done.stderr[-1500:]}")
    return round(took, 1)


def sweep(lab: model.Lab, own: Path, folder: str, scripts: list[str], window: int) -> float:
    """Return seconds that a sweep takes, with a state and caches of its own."""
    paths = [own / f"bench{number}.stp" for number in range(len(scripts))]
    for path, script in zip(paths, scripts, strict=True):
        path.write_text(script)
    inventory = own / "builder.json"
    cache = {"builder_cache": f"{folder}/fleetdiag"}
    group = {"systemtap_builders": {"hosts": {"builder": cache}}}
    inventory.write_text(json.dumps({"all": {"children": group}}))
    command = [sys.executable, "-m", "fleetdiag", "sweep", "-i", str(lab.inventory), "-i", str(inventory)]
    command += ["-l", ",".join(HOSTS), "--window", f"{window}s"]
    command += [word for path in paths for word in ("--probe", str(path))]
    environment = {
        **results.as_installed(os.environ, own / "compiled"),
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / '.collections'}",
        "XDG_CACHE_HOME": str(own / "cache"),
        "XDG_STATE_HOME": str(own / "state"),
    }
    began = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"bench-lab: the sweep: {done.stdout[-2000:]}{done.stderr[-1000:]}")
    took = round(time.monotonic() - began, 1)
    print(
        *(line for line in done.stderr.splitlines() if line.startswith("fleetdiag ")), sep="\n"
    )  # its phases
    return took


if __name__ == "__main__":
    sys.exit(main())
