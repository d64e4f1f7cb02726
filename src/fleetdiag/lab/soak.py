# SPDX-License-Identifier: GPL-3.0-or-later
"""Sweep the running lab again and again while things go wrong at random, and look each time for what is left.

A fault is one function and its entry in FAULTS. It is called once the window of a sweep is open on its victim, and
gives what undoes it, called when that sweep has ended. Which fault comes when follows from the seed alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from fleetdiag.lab import backdoor, balancer, boot, machines_data
from fleetdiag.lab.model import Lab

#: Long enough for a fault to come while it is open.
_WINDOW_S = 10
_OPENS_S = 300
_ENDS_S = 900
# A session that nobody ends is over when its window is; units, lock and sysctls go with the timer, the last layer:
# 370 s after these are armed, and it tries more than once.
_CLEAN_S = 600
_PROBE = "soak"
_MANIFEST = """\
description: Programs that were started.
question: Does the sweep survive?
output: rows
cost: low
limits: {output_mb: 1}
tables:
  ticks:
    description: Twice a second.
    columns:
      number: {type: int, role: measure, merge: count, description: A number.}
"""
# Each program that is started is printed at length, so that whoever starts many makes a flood.
_SCRIPT = """\
global execs
probe kernel.trace("sched:sched_process_exec") {
  if (!fd_sampling()) next
  execs++
  for (i = 0; i < 100; i++) printf("%s\\t%d\\n", fd_row("ticks"), execs)
}
probe timer.ms(500) { if (fd_sampling()) printf("%s\\t%d\\n", fd_row("ticks"), execs) }
"""
_SYSCTLS = "cat /proc/sys/kernel/kptr_restrict /proc/sys/debug/kprobes-optimization"
_LEFT = (
    "grep -o '^fd_[a-z0-9_]*' /proc/modules;"
    "systemctl list-units --all --plain --no-legend 'fd-*' | cut -d' ' -f1; ls /run/fleetdiag.lock 2>/dev/null;"
    f"{balancer.LOWERED}"
)
_FILLER = "/var/lib/lab-filler"


@dataclass(frozen=True)
class Round:
    """One sweep and its fault: a name of FAULTS, and the host it happens to."""

    number: int
    fault: str
    victim: str


@dataclass
class Scene:
    """A sweep whose window is open, as a fault finds it. again: starts another sweep of the same hosts."""

    lab: Lab
    victim: str
    command: subprocess.Popen[str]
    again: Callable[[], subprocess.Popen[str]]

    def on_victim(self, script: str) -> None:
        """Run a shell script as root on the victim; its status is its own business."""
        self.lab.ssh(self.victim, script)


Undo = Callable[[], object]


def _nothing() -> None:
    """Undo what needs no undoing."""


def _kill_controller(scene: Scene) -> Undo:
    # It leads a process group of its own, with its workers in it.
    _end_group(scene.command)
    return _nothing


def _kill_stapio(scene: Scene) -> Undo:
    scene.on_victim("pkill -KILL stapio; pkill -KILL staprun")
    return _nothing


def _kill_host_program(scene: Scene) -> Undo:
    # It comes for the collection at the end of the window and has to be met there.
    scene.on_victim(
        "systemd-run -q --collect --unit=lab-killer -p RuntimeMaxSec=120 /bin/sh -c"
        " 'until pkill -KILL -f \"guard[^ ]*sh collect\"; do sleep 0.05; done'"
    )
    return lambda: scene.on_victim("systemctl stop lab-killer.service")


def _kill_sshd_session(scene: Scene) -> Undo:
    # Also the one that is asking: the status of its ssh says nothing.
    scene.on_victim("pkill -KILL -f '^sshd(-session)?: fleet'")
    return _nothing


def _cut_network(scene: Scene) -> Undo:
    backdoor.cut(scene.lab, scene.victim)
    return lambda: backdoor.mend(scene.lab, scene.victim)


def _reboot(scene: Scene) -> Undo:
    # QEMU ends with its guest; the lab boots it again from its disk.
    with contextlib.suppress(subprocess.TimeoutExpired):
        scene.lab.ssh(scene.victim, "echo b >/proc/sysrq-trigger", timeout_s=10)
    return _nothing


def _fill_disk(scene: Scene) -> Undo:
    # What fallocate is not given, single blocks take.
    scene.on_victim(
        f"fallocate -l $(($(stat -f -c '%f * %S' /) - 4194304)) {_FILLER};cat /dev/zero >{_FILLER}.more"
    )
    return lambda: scene.on_victim(f"rm -f {_FILLER} {_FILLER}.more")


def _second_sweep(scene: Scene) -> Undo:
    other = scene.again()
    return lambda: _wait(other)


def _stop_balancer(scene: Scene) -> Undo:
    balancer.hold(scene.lab, scene.victim)
    return lambda: balancer.go_on(scene.lab, scene.victim)


def _step_clock(scene: Scene) -> Undo:
    scene.on_victim("date -s '+1 hour' >/dev/null")
    return lambda: scene.on_victim("date -s '-1 hour' >/dev/null")


def _flood(scene: Scene) -> Undo:
    return _loops(scene, 1, "/bin/true")


def _overload(scene: Scene) -> Undo:
    return _loops(scene, 6, ":")


def _loops(scene: Scene, count: int, command: str) -> Undo:
    scene.on_victim(
        f"for i in $(seq {count}); do systemd-run -q --collect --unit=lab-load-$i -p RuntimeMaxSec=300"
        f" /bin/sh -c 'while :; do {command}; done'; done"
    )
    return lambda: scene.on_victim("systemctl stop 'lab-load-*'")


def _no_fault(_scene: Scene) -> Undo:
    return _nothing


# Here the victim is also the balancer of all hosts, whose weights are lowered meanwhile.
_BALANCER = "balancer stopped"
_DRAIN = ("--drain", "50%", "-e", json.dumps({"drain_min_active": 0, "drain_wait": 0}))
#: Name: what makes it happen. To add a fault, add its function here.
FAULTS: dict[str, Callable[[Scene], Undo]] = {
    "none": _no_fault,
    "controller killed": _kill_controller,
    "stapio killed": _kill_stapio,
    "host program killed": _kill_host_program,
    "sshd session killed": _kill_sshd_session,
    "network cut": _cut_network,
    "reboot": _reboot,
    "disk full": _fill_disk,
    "two sweeps": _second_sweep,
    _BALANCER: _stop_balancer,
    "clock step": _step_clock,
    "overload": _overload,
    "output flood": _flood,
}
# No report is asked of a command that was killed.
_WITHOUT_REPORT = ("controller killed",)
_WITHOUT_VICTIM = ("none", "two sweeps", _BALANCER)


def schedule(seed: int, hosts: Sequence[str], faults: Sequence[str] = tuple(FAULTS)) -> Iterator[Round]:
    """Yield rounds without end: each fault once in random order, then all again; victims at random."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    number = 0
    while True:
        for fault in chance.sample(faults, len(faults)):
            number += 1
            yield Round(number, fault, chance.choice(hosts))


@dataclass
class Tally:
    """Counts of a soak. leaks: a sentence each."""

    sweeps: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)
    leaks_of: Counter[str] = field(default_factory=Counter)

    def count(self, done: Round, leaks: Sequence[str]) -> None:
        """Add one round and what was left after it."""
        self.sweeps += 2 if done.fault == "two sweeps" else 1
        self.faults[done.fault] += 1
        self.leaks_of[done.fault] += len(leaks)
        self.leaks += [f"round {done.number}, {done.fault} on {done.victim}: {leak}" for leak in leaks]

    def lines(self) -> list[str]:
        """Return the table of faults, a line for each leak, and the sums."""
        width = max(map(len, [*self.faults, "fault"]))
        table = [f"{'fault':{width}}  rounds  leaks"]
        table += [
            f"{name:{width}}  {self.faults[name]:6}  {self.leaks_of[name]:5}" for name in sorted(self.faults)
        ]
        injected = sum(count for name, count in self.faults.items() if name != "none")
        return [*table, *self.leaks, f"{self.sweeps} sweeps, {injected} faults, {len(self.leaks)} leaks"]


def coverage_leaks(report: object, hosts: Sequence[str], well: Sequence[str]) -> list[str]:
    """Return what a report owes: a row for each of `hosts`, and results of those that are `well`."""
    if not isinstance(report, dict):
        return ["no report was made"]
    rows = {str(row.get("host")): row for row in report.get("coverage", ())}
    lost = [f"{host} is not in the coverage" for host in hosts if host not in rows]
    with_results = ("probed", "degraded")
    return lost + [
        f"{host}, which had no fault, is {rows[host].get('status')}: {rows[host].get('reason')}"
        for host in well
        if host in rows and rows[host].get("status") not in with_results
    ]


def run(minutes: float, seed: int) -> int:
    """Soak the lab that runs for so many minutes; print the table. 0 if nothing leaked, else 1."""
    lab = boot.running()
    hosts = [name for name in machines_data.WEB if name in lab.machines]
    if len(hosts) < 2:
        raise FleetdiagError("the soak needs two web machines or more; `fleetdiag lab up` boots them")
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="fleetdiag-soak-") as folder:
        soak = _Soak(Path(folder), hosts)
        soak.sweep_once(lab)  # builds what all sweeps use
        end = time.monotonic() + 60 * minutes
        try:
            for planned in schedule(seed, hosts):
                if time.monotonic() >= end:
                    break
                try:
                    leaks = soak.round(planned)
                except (FleetdiagError, subprocess.TimeoutExpired) as error:
                    leaks = [f"the round ended early: {error}"]
                tally.count(planned, leaks)
                said = "; ".join(leaks) or "nothing left"
                print(f"{planned.number:4} {planned.fault} on {planned.victim}: {said}", flush=True)
        except KeyboardInterrupt:
            print("fleetdiag: interrupted; this is what there is", file=sys.stderr)
    print("\n".join(tally.lines()))
    return 1 if tally.leaks or not tally.sweeps else 0


class _Soak:
    """The sweeps of one soak, their catalog and run directories below one folder."""

    def __init__(self, folder: Path, hosts: Sequence[str]) -> None:
        self.folder, self.hosts = folder, hosts
        probe = folder / "catalog" / _PROBE
        probe.mkdir(parents=True)
        (probe / "probe.yml").write_text(_MANIFEST)
        (probe / f"{_PROBE}.stp").write_text(_SCRIPT)

    def sweep_once(self, lab: Lab) -> None:
        """Sweep without any fault; FleetdiagError if that does not work."""
        runs = self.folder / "first"
        status = _wait(self._start(lab, runs))
        if missing := coverage_leaks(_report(runs), self.hosts, self.hosts):
            raise FleetdiagError(f"a sweep without faults ended with status {status}: {'; '.join(missing)}")

    def round(self, planned: Round) -> list[str]:
        """Sweep with one fault; what was left."""
        lab = boot.running()
        before = {host: lab.ssh(host, _SYSCTLS).stdout for host in self.hosts}
        runs = self.folder / f"{planned.number}"
        more: list[str] = []
        if planned.fault == _BALANCER:
            more = ["-i", str(balancer.start(lab, planned.victim, self.hosts, self.folder)), *_DRAIN]
        command = self._start(lab, runs, *more)
        scene = Scene(
            lab, planned.victim, command, lambda: self._start(lab, self.folder / f"{planned.number}b")
        )
        opened = _opens(command, runs, planned.victim)
        undo = FAULTS[planned.fault](scene) if opened else _nothing
        try:
            _wait(command)
        finally:
            undo()
        leaks = [] if opened else ["its window never opened"]
        if planned.fault == "reboot":
            lab = boot.again(planned.victim)
        leaks += self._left(lab, planned, before)
        if planned.fault not in _WITHOUT_REPORT:
            well = [host for host in self.hosts if planned.fault in _WITHOUT_VICTIM or host != planned.victim]
            leaks += coverage_leaks(_report(runs), self.hosts, well)
        if more:
            balancer.end(lab, planned.victim)
        self._forget(lab)
        return leaks

    def _start(self, lab: Lab, runs: Path, *more: str) -> subprocess.Popen[str]:
        runs.mkdir()
        words = [
            *(sys.executable, "-m", "fleetdiag", "sweep", "-i", str(lab.inventory), "--runs-dir", str(runs)),
            *("-l", ",".join(self.hosts), "--window", f"{_WINDOW_S}s"),
            *("--catalog", str(self.folder / "catalog"), "--probe", _PROBE),
            *("--retry-crashed", *more),  # after a reboot
        ]
        with (runs / "said").open("w") as said:
            return subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, text=True, start_new_session=True
            )

    def _left(self, lab: Lab, planned: Round, before: dict[str, str]) -> list[str]:
        """Wait until every host is clean; what is not so in time."""
        deadline = time.monotonic() + _CLEAN_S
        while (left := {host: lab.ssh(host, _LEFT).stdout.split() for host in self.hosts}) and any(
            left.values()
        ):
            if time.monotonic() > deadline:
                break
            time.sleep(1)
        leaks = [f"{host} still has {', '.join(names)}" for host, names in left.items() if names]
        for host in self.hosts:
            now = lab.ssh(host, _SYSCTLS).stdout
            if now != before[host] and not (planned.fault == "reboot" and host == planned.victim):
                leaks.append(f"{host}: sysctls were {before[host].split()}, are {now.split()}")
        return leaks

    def _forget(self, lab: Lab) -> None:
        """Remove what sweeps have left to be collected, so that disks do not fill."""
        for host in self.hosts:
            lab.ssh(host, "rm -rf /var/lib/fleetdiag/sweeps/*")


def _opens(command: subprocess.Popen[str], runs: Path, victim: str) -> bool:
    """Wait until the victim has its window; False if the sweep ends before."""
    deadline = time.monotonic() + _OPENS_S
    while time.monotonic() < deadline and command.poll() is None:
        if any(has_window(run, victim, time.time()) for run in runs.glob("*/")):
            return True
        time.sleep(0.2)
    return False


def has_window(run: Path, host: str, now: float) -> bool:
    """Return whether a host of this run was told its window, or was armed before its window began at `now` or earlier.

    A window that is told with the arming is never told again: there is no go.json then.
    """
    folder = run / "hosts" / host
    if (folder / "go.json").exists():
        return True
    window = read.window(run)
    begun = window is not None and window.start is not None and window.start <= now
    return begun and (folder / "arm.json").exists()


def _wait(command: subprocess.Popen[str]) -> int:
    try:
        return command.wait(_ENDS_S)
    except subprocess.TimeoutExpired:
        _end_group(command)
        raise FleetdiagError(f"a sweep did not end within {_ENDS_S} s") from None


def _end_group(command: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(command.pid, signal.SIGKILL)
    command.wait()


def _report(runs: Path) -> object:
    """Return the report of the newest run directory below `runs`; None if there is none."""
    reports = sorted(runs.glob("*/report.json"))
    return json.loads(reports[-1].read_text()) if reports else None
