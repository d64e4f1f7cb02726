# SPDX-License-Identifier: GPL-3.0-or-later
"""What each shipped probe costs the host it runs on, measured on a machine of the lab and written into its manifest.

    make bench-overhead [PROBES="slow_open nettop"]

A fixed workload (overhead_workload.c) does a little of everything: files, loopback network, system calls, processes.
With and without the probe take turns, and each turn with it is compared with the two around it; what counts is the
iterations for each second of processor time that the machine's emulator really got, so that other work on this computer
does not count. The session's own processor time is that of its unit during the workload. The modules are built with
SystemTap's timing (`stap -t`), which gives hits and cycles of every handler, and lie in a cache of their own on the
builder: nothing of it touches the modules that sweeps use.

Each probe takes a minute. A manifest has its figures as soon as they are there, and probes that have some are left out
unless they are named: what was interrupted goes on where it was.

On an emulated machine traps and clock reads cost far more than on hardware, in proportion to everything else: the
figures say what is cheap and what is not, and are an upper bound.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "src")]

import results

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import (
    FleetdiagError,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.sources import Source
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import (
    catalog,
    cost,
    parameters,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import SweepRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import (
    arming,
    request,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl import Guard
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl_replies import Session
from fleetdiag.lab import boot, machines, model, nfs

TIMING = ["-t", "-DSTP_FORCE_STDOUT_TTY"]  # without a terminal SystemTap leaves the report out
METHOD = (
    "iterations of a mixed workload for each processor second, {} turns of {} s with and without; stap -t"
)
# Every function of a file system takes minutes to arm on an emulated machine; these are a fair part of them.
SETTINGS: dict[str, dict[str, Any]] = {"fs_calltrace": {"functions": "ext4_[a-f]*"}}
BUILDER_CACHE = "/var/cache/fleetdiag-bench"
WORKLOAD = "/var/lib/fleetdiag/bench"
DIRECTORY = "/var/tmp/fleetdiag-bench"
_FIRST = -15

_HANDLER = re.compile(
    r"^(?P<point>.+), \((?P<place>[^()]*)\), hits: (?P<hits>\d+), cycles: \d+min/(?P<avg>\d+)avg/\d+max"
)


def main() -> int:
    """Measure the probes named, or all."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("probes", nargs="*", help="names of shipped probes; without, all not yet measured")
    arguments.add_argument("--host", default="web2", help="machine of the lab")
    arguments.add_argument("--turns", type=int, default=3)
    arguments.add_argument("--seconds", type=int, default=4, help="length of one run of the workload")
    arguments.add_argument("--again", action="store_true", help="also those that were measured")
    arguments.add_argument("--build-only", action="store_true", help="compile and stop")
    arguments.add_argument("--keep-manifests", action="store_true", help="do not write the figures into them")
    asked = arguments.parse_args()
    running = boot.running()
    lab = running if asked.host in running.machines else boot.up()
    shipped = [catalog.shipped()]
    probes = catalog.find(asked.probes or catalog.names(shipped), shipped)
    if not asked.probes and not asked.again:
        probes = [probe for probe in probes if not probe.overhead]
    with tempfile.TemporaryDirectory(prefix="fd-") as sockets:
        details = dict(Bench(lab, asked.host, Path(sockets)).measured(probes, asked))
    if asked.build_only:
        return 0
    return results.write(result(catalog.find(catalog.names(shipped), shipped), details))


def result(probes: list[Probe], details: dict[str, Any]) -> results.Result:
    """What all manifests say now; details: all figures of what was measured this time."""
    return results.Result(
        name="overhead",
        what="Share of a processor that the handlers of a probe took, of what its manifest allows it.",
        ratios=[
            results.Ratio(
                probe.name,
                round(float(probe.overhead["handlers_percent"]) / probe.limits.overload_percent, 3),
                1.0,
            )
            for probe in probes
            if probe.overhead
        ],
        figures={"measured": {probe.name: dict(probe.overhead) for probe in probes}, "details": details},
    )


@dataclass(frozen=True)
class Run:
    """One run of the workload. processor_s: what the emulator got meanwhile; session_us: what the session used."""

    iterations: int
    cycles: int
    elapsed_s: float
    session_us: int
    processor_s: float

    @property
    def speed(self) -> float:
        return self.iterations / self.processor_s


@dataclass(frozen=True)
class Handler:
    """A line of SystemTap's own timing."""

    point: str
    place: str
    hits: int
    cycles: int


class Bench:
    """One machine, and the builder that compiles for it."""

    def __init__(self, lab: model.Lab, host: str, sockets: Path) -> None:
        self._lab = lab
        self._host = host
        self._sockets = sockets
        self._guard = Guard(lambda command, data: self._ssh(host, command, data))
        self._pid = lab.machines[host].pid

    def measured(
        self, probes: list[Probe], asked: argparse.Namespace
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """(probe, everything that was measured) as it comes; each is in its manifest by then."""
        facts = self._guard.install_and_preflight()
        stap = self._out(
            "builder", "stap -V 2>&1 | sed -n 's/.*version \\([0-9.]*\\).*/\\1/p' | head -n 1"
        ).strip()
        for probe in probes:
            sweep = new_sweep(probe, asked.seconds)
            source = next(
                source
                for source in sources.sources(
                    sweep, stap=stap, kernel=facts["kernel"], build_id=facts["kernel_build_id"]
                )
                if source.name == probe.name
            )
            module = self._compiled(source, facts["kernel"])
            if asked.build_only:
                continue
            try:
                figures = self._measure(probe, sweep, module, facts, asked)
            except FleetdiagError as error:
                print(f"{probe.name}: {error}", file=sys.stderr)
                continue
            if not asked.keep_manifests:
                assert probe.folder is not None
                path = probe.folder / "probe.yml"
                path.write_text(cost.written_into(path.read_text(), figures["overhead"]))
            print(f"{probe.name}: {cost.cost_of(figures['overhead'])}: {cost.sentence(figures['overhead'])}")
            yield probe.name, figures

    def _measure(
        self,
        probe: Probe,
        sweep: SweepRecord,
        module: bytes,
        facts: dict[str, str],
        asked: argparse.Namespace,
    ) -> dict[str, Any]:
        self._guard.put(hashlib.sha256(module).hexdigest(), module)
        with self._files(probe) as directory, self._workload(directory) as workload, self._first():
            workload.run(1000)
            without, turns, handlers = [workload.run(asked.seconds * 1000)], [], []
            for _ in range(asked.turns):
                run, session = self._with(workload, probe, sweep, module, asked.seconds)
                turns.append(run)
                handlers.append(read_timing(session))
                without.append(workload.run(asked.seconds * 1000))
        ratios = [
            100 * run.speed / mean((before.speed, after.speed))
            for run, (before, after) in zip(turns, pairwise(without), strict=True)
        ]
        hits = sum(handler.hits for turn in handlers for handler in turn)
        cycles = sum(handler.hits * handler.cycles for turn in handlers for handler in turn)
        clock_hz = sum(run.cycles for run in turns) / sum(run.elapsed_s for run in turns)
        elapsed_s = sum(run.elapsed_s for run in turns)
        emulated = b"tcg" in Path(f"/proc/{self._pid}/cmdline").read_bytes()
        settings = " ".join(f"{name}={value}" for name, value in SETTINGS.get(probe.name, {}).items())
        figures = {
            "method": METHOD.format(asked.turns, asked.seconds),
            "machine": f"{'emulated' if emulated else 'virtual'} {facts['arch']}, {facts['cpus']} CPU",
            "emulated": emulated,
            "kernel": facts["kernel"],
            "throughput_percent": round(median(ratios), 1),
            "throughput_least": round(min(ratios), 1),
            "throughput_most": round(max(ratios), 1),
            "session_cpu_percent": round(median(run.session_us / run.elapsed_s for run in turns) / 1e4, 1),
            "hits_per_second": round(hits / elapsed_s),
            "cycles_per_hit": round(cycles / hits) if hits else 0,
            "handlers_percent": round(100 * cycles / clock_hz / elapsed_s, 2),
            **({"parameters": settings} if settings else {}),
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
        }
        return {
            "overhead": figures,
            "clock_hz": round(clock_hz),
            "without": [asdict(run) for run in without],
            "with": [asdict(run) for run in turns],
            "handlers": [[asdict(handler) for handler in turn] for turn in handlers],
        }

    @contextmanager
    def _first(self) -> Iterator[None]:
        """The machine goes before all else on this computer: a handler's cycles count while it has to wait, too."""
        machines.set_nice(self._pid, _FIRST)
        try:
            yield
        finally:
            machines.set_nice(self._pid)

    @contextmanager
    def _files(self, probe: Probe) -> Iterator[str]:
        """The directory that the workload uses; of the probes of NFS one that is mounted."""
        if probe.topic != "nfs":
            yield DIRECTORY
            return
        nfs.start(self._lab, self._host)
        try:
            yield f"{nfs.MOUNT}/bench"
        finally:
            nfs.stop(self._lab, self._host)

    def _with(
        self, workload: Workload, probe: Probe, sweep: SweepRecord, module: bytes, seconds: int
    ) -> tuple[Run, Session]:
        """One run inside the window of a session of this probe."""
        timeout = probe.limits.arm_seconds + 60
        (entry,) = sweep.probes
        sha256 = hashlib.sha256(module).hexdigest()
        plans = arming.sessions(
            [probe],
            {probe.name: entry},
            {probe.name: sha256},
            ttl=timeout + 120,
            window_s=seconds + 2,
        )
        try:
            reply = self._guard.arm(
                sweep.id, ttl_s=timeout + 120, timeout_s=timeout, smoke="", plans=plans, redact=False
            )
            state, _, said = reply.sessions.get(probe.name, (reply.verdict or "missing", 0, reply.reason))
            if state != "armed":
                raise FleetdiagError(f"its session is {state}: {said}")
            start = workload.now_ms() + 500
            self._guard.go(sweep.id, start, start + seconds * 1000 + 1500)
            time.sleep(max(0, start - workload.now_ms()) / 1000)
            unit = f"/sys/fs/cgroup/system.slice/fd-{sweep.id}-{probe.name}.service/cpu.stat"
            run = workload.run(seconds * 1000, unit)
            (session,) = self._guard.collect(sweep.id, {probe.name: 1 << 28}).sessions
        finally:
            self._guard.forget(sweep.id)
        return run, session

    @contextmanager
    def _workload(self, directory: str) -> Iterator[Workload]:
        source = Path(__file__).with_name("overhead_workload.c").read_bytes()
        name = hashlib.sha256(source).hexdigest()[:16]
        built = f"{BUILDER_CACHE}/{name}"
        flags = "-O2 -static -nostdlib -fno-stack-protector"
        program = self._out(
            "builder",
            f"mkdir -p {BUILDER_CACHE}; cat >{built}.c; gcc {flags} -o {built} {built}.c && base64 {built}",
            source,
        )
        self._out(
            self._host,
            f"mkdir -p {WORKLOAD}; cat >{WORKLOAD}/work; chmod +x {WORKLOAD}/work",
            base64.b64decode(program),
        )
        process = subprocess.Popen(
            self._command(self._host, f"exec {WORKLOAD}/work {shlex.quote(directory)}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield Workload(process, self._pid)
        finally:
            process.communicate(timeout=30)
            self._out(self._host, f"rm -rf {shlex.quote(directory)} {WORKLOAD}")

    def _compiled(self, source: Source, kernel: str) -> bytes:
        """The module, from a cache of its own on the builder; SystemTap's answers about the kernel are copied there."""
        flags = [flag for flag in source.flags if "OVERLOAD" not in flag] + ["-DSTP_NO_OVERLOAD", *TIMING]
        source = replace(source, flags=flags)
        key = hashlib.sha256(json.dumps([asdict(source), sources.tapset(), kernel]).encode()).hexdigest()[:24]
        files = {source.file: source.script, "control": source.control}
        files |= {f"tapset/{name}": text for name, text in sources.tapset().items()}
        name = f"fd_{'00000000_000000_0000'}_{source.name}"
        words = ["stap", "-p4", "-r", kernel, "-m", name, "-I", "tapset", *source.flags]
        script = f"""
            set -eu
            home={BUILDER_CACHE}/{re.sub("[^a-z0-9._-]", "_", kernel.lower())}
            work=$home/work-{key} kept=$home/{key}.ko
            mkdir -p $work/tmp
            known=/var/cache/fleetdiag/$(basename $home)/systemtap
            [ -d $home/systemtap ] || cp -a $known $home/ || mkdir $home/systemtap
            cd $work
            tar x
            [ -e $kept ] || {{
                SYSTEMTAP_DIR=$home/systemtap TMPDIR=$work/tmp LC_ALL=C.UTF-8 \
                    {shlex.join(words)} -E "$(cat control)" {shlex.join([source.file, *source.args])} >&2
                mv {name}.ko $kept
            }}
            cd / ; rm -rf $work
            gzip -1nc $kept | base64
        """
        began = time.monotonic()
        module = gzip.decompress(
            base64.b64decode(self._out("builder", script, packed(files), timeout_s=1500))
        )
        print(
            f"{source.name}: {len(module)} bytes, {time.monotonic() - began:.0f} s",
            file=sys.stderr,
        )
        return module

    def _command(self, name: str, script: str) -> list[str]:
        command = self._lab.ssh_command(name, [script])
        # One connection: a handshake takes an emulated machine a second.
        shared = [
            "-o",
            "ControlMaster=auto",
            "-o",
            f"ControlPath={self._sockets}/{name}",
            "-o",
            "ControlPersist=20",
        ]
        return [command[0], *shared, *command[1:]]

    def _ssh(
        self, name: str, script: str, data: bytes | None, timeout_s: float = 300
    ) -> tuple[int, str, str]:
        done = subprocess.run(
            self._command(name, script),
            input=data or b"",
            capture_output=True,
            check=False,
            timeout=timeout_s,
        )
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    def _out(self, name: str, script: str, data: bytes | None = None, timeout_s: float = 300) -> str:
        code, out, err = self._ssh(name, script, data, timeout_s)
        if code:
            raise FleetdiagError(f"{name}: {(err or out).strip()[-2000:]}")
        return out


class Workload:
    """The workload's program, waiting for its next order."""

    def __init__(self, process: subprocess.Popen[str], emulator: int) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._orders, self._answers, self._emulator = process.stdin, process.stdout, emulator
        self._offset_ms = float(self._answer("ready")[0]) * 1000 - time.time() * 1000

    def now_ms(self) -> int:
        """The machine's clock."""
        return round(time.time() * 1000 + self._offset_ms)

    def run(self, milliseconds: int, usage: str = "") -> Run:
        """Work for that long. usage: the cpu.stat to look at before and after."""
        self._orders.write(f"{milliseconds} {usage}\n")
        self._orders.flush()
        self._answer("begin")
        before = processor_s(self._emulator)
        iterations, cycles, elapsed_us, used_us = map(int, self._answer("end"))
        return Run(iterations, cycles, elapsed_us / 1e6, used_us, processor_s(self._emulator) - before)

    def _answer(self, word: str) -> list[str]:
        words = self._answers.readline().split()
        if words[:1] != [word]:
            raise FleetdiagError(f"the workload said {' '.join(words)!r} instead of {word}")
        return words[1:]


def processor_s(pid: int) -> float:
    """Processor time of a process and all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def new_sweep(probe: Probe, seconds: int) -> SweepRecord:
    """sweep.json of a sweep of one probe, as far as building and arming read it."""
    values = parameters.check(probe, SETTINGS.get(probe.name, {}))
    return request.new_sweep(
        now=datetime.now(UTC),
        version="",
        probes=[probe],
        values={probe.name: values},
        window_s=seconds,
        hosts=["bench"],
        peers={},
        conditions={},
    )


def read_timing(session: Session) -> list[Handler]:
    """What SystemTap printed of every handler but those of control.stp (given with -E, so that its file is <input>)."""
    text = gzip.decompress(session.out_gz).decode("utf-8", "backslashreplace")
    found = [match for line in text.splitlines() if (match := _HANDLER.match(line))]
    if not found:
        raise FleetdiagError("SystemTap printed no timing; was the module built with -t?")
    return [
        Handler(match["point"], match["place"], int(match["hits"]), int(match["avg"]))
        for match in found
        if not match["place"].startswith("<input")
    ]


def packed(files: dict[str, str]) -> bytes:
    """A tar archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except FleetdiagError as error:
        raise SystemExit(f"bench_overhead: {error}") from error
