# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sweep costs with many hosts, over real ssh, against the least that Ansible can do and against a plain playbook.

    make bench-scale [HOSTS="10 50 200"] [FORKS=25]

The hosts are this machine (tests/integration/loopback.py says what of them is real): controller and hosts share its
processors, so only ratios within one run mean anything. Wall time is less the window. Goals are processor time of the
controller, without what runs behind sshd: of a whole command, and, from the smallest and the largest fleet, what a host
more costs and what is the same for all.

    floor   two `raw` tasks on each host that do nothing: two round trips of Ansible without Python on the host
    sweep   modules are on the hosts; until the output of every host is on the controller
    pushed  the same, with modules that must be sent first
    naive   a playbook that copies a script, runs it in a task for ten seconds, fetches what it wrote; forks 10
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("src", ".collections", "tests/integration", "tests/bench")]

from loopback import MODULE_BYTES, Fleet, fleet
from results import Ratio, Result, as_installed, write

PROBES = ("nettop", "slow_open")
WINDOW_S = 10
NAIVE_FORKS = 10
GOAL_WARM, GOAL_PUSHED, GOAL_NAIVE, GOAL_SPREAD_MS = 1.5, 2.5, 5.0, 100.0
GOAL_EACH, GOAL_SAME_S = 1.3, 2.0
NAIVE_FROM = 50

FLOOR = """
- hosts: web
  gather_facts: false
  tasks:
    - ansible.builtin.raw: "true"
    - ansible.builtin.raw: "true"
"""
NAIVE = """
- hosts: web
  tasks:
    - ansible.builtin.copy: {{src: {script}, dest: /run/naive.sh, mode: "0700"}}
    - ansible.builtin.command: /run/naive.sh
    - ansible.builtin.fetch: {{src: /run/naive.out, dest: {out}/}}
"""
NAIVE_SCRIPT = "#!/bin/sh\nsleep {window}\ncat <<'END' >/run/naive.out\n{recording}\nEND\n"


@dataclass(frozen=True)
class Cost:
    """One command. wall_s is all of it; cpu_s that of the controller's processes; peak_mb of its main process."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    figures: dict[str, object] = {"window_s": WINDOW_S, "forks": options.forks, "module_bytes": MODULE_BYTES}
    all_found: dict[int, dict[str, float]] = {}
    for count in sorted(options.hosts):
        with _folder() as folder, fleet(folder, count) as made:
            made.build(list(PROBES))
            found = _measure(made, options.forks, naive=not options.skip_naive)
        figures[str(count)], all_found[count] = found, found
        print(json.dumps({count: found}, indent=1), file=sys.stderr, flush=True)
    what = "A sweep of many hosts over real ssh, against two raw tasks on each and against a plain playbook"
    return write(Result("scale", what, ratios(all_found), figures, _versions()), options.out)


def _measure(made: Fleet, forks: int, *, naive: bool) -> dict[str, float]:
    hosts = len(made.names)
    floor = _run(made, _playbook(made, FLOOR, forks), "ansible-playbook")
    first = _first_sweep(made, forks)
    warm = _sweep(made, forks)
    made.remove_modules()
    _forget_modules(made)
    pushed = _sweep(made, forks)
    same_forks = _sweep(made, NAIVE_FORKS)
    found = {
        "floor_s": floor.wall_s,
        "floor_cpu_ms_per_host": 1000 * floor.cpu_s / hosts,
        "first_contact_cpu_ms_per_host": 1000 * first.cpu_s / hosts,
        "warm_s": warm["collected_s"],
        "warm_with_report_s": warm["wall_s"],
        "warm_cpu_ms_per_host": 1000 * warm["cpu_s"] / hosts,
        "warm_peak_mb": warm["peak_mb"],
        "pushed_s": pushed["collected_s"],
        "pushed_cpu_ms_per_host": 1000 * pushed["cpu_s"] / hosts,
        "warm_spread_ms": warm["spread_ms"],
        "late": warm["late"],
        "spread_forks_10_ms": same_forks["spread_ms"],
        "warm_forks_10_s": same_forks["collected_s"],
    }
    if naive:
        found["naive_s"] = (
            _run(made, _playbook(made, _naive(made), NAIVE_FORKS), "ansible-playbook").wall_s - WINDOW_S
        )
    return {name: round(value, 3) for name, value in found.items()}


def ratios(found: dict[int, dict[str, float]]) -> list[Ratio]:
    """Return the goals; found: figures of _measure by number of hosts."""
    few, many = min(found), max(found)
    made = [_cpu(found, count, "warm", "modules there", GOAL_WARM) for count in dict.fromkeys((few, many))]
    made.append(_cpu(found, many, "pushed", "modules pushed", GOAL_PUSHED))
    if few != many:
        warm, floor = _each(found, "warm", few, many), _each(found, "floor", few, many)
        same_s = few * (found[few]["warm_cpu_ms_per_host"] - warm) / 1000
        made.append(
            Ratio("controller CPU for one host more, over the floor", round(warm / floor, 2), GOAL_EACH)
        )
        made.append(Ratio("controller CPU that is the same for all (s)", round(same_s, 2), GOAL_SAME_S))
    for forks, name in (("", "warm_spread_ms"), (", forks 10", "spread_forks_10_ms")):
        of = f"{many} hosts{forks}: 99 % of starts within (ms)"
        made.append(Ratio(of, found[many][name], GOAL_SPREAD_MS))
    for count, figures in found.items():
        if count >= NAIVE_FROM and "naive_s" in figures:
            whole = (figures["naive_s"] + WINDOW_S) / (figures["warm_forks_10_s"] + WINDOW_S)
            of = f"{count} hosts, forks 10: a plain playbook over the sweep"
            made.append(Ratio(of, round(whole, 2), GOAL_NAIVE, at_most=False))
    return made


def _cpu(found: dict[int, dict[str, float]], count: int, name: str, of: str, goal: float) -> Ratio:
    over = found[count][f"{name}_cpu_ms_per_host"] / found[count]["floor_cpu_ms_per_host"]
    return Ratio(f"{count} hosts, {of}: controller CPU over the floor", round(over, 2), goal)


def _each(found: dict[int, dict[str, float]], name: str, few: int, many: int) -> float:
    """Return what one host more costs the controller, in ms of a processor."""
    whole = {count: count * found[count][f"{name}_cpu_ms_per_host"] for count in (few, many)}
    return (whole[many] - whole[few]) / (many - few)


def _first_sweep(made: Fleet, forks: int) -> Cost:
    """A sweep after which all is known of the hosts. Its sessions must know their window when they start."""
    known = made.folder / "state" / "fleetdiag" / "hosts"
    ahead = 20 + 0.4 * len(made.names)
    for _ in range(4):
        cost = _run(made, _command(made, forks, sweep_start=round(time.time() + ahead)), "ansible-playbook")
        if known.is_dir() and len(list(known.glob("*.json"))) == len(made.names):
            return cost
        ahead *= 2
    raise SystemExit(f"not all hosts could be swept once:\n{(made.folder / 'said').read_text()[-3000:]}")


def _command(made: Fleet, forks: int, **variables: object) -> list[str]:
    words = [word for probe in PROBES for word in ("--probe", probe)]
    return [
        *(sys.executable, "-m", "fleetdiag", "sweep", "-i", str(made.inventory), "--no-become"),
        *("--forks", str(forks), "--window", f"{WINDOW_S}s", *words),
        *("-e", json.dumps({"sweep_install": False, **variables})),
    ]


def _sweep(made: Fleet, forks: int) -> dict[str, float]:
    """One sweep: its cost, when the last output had come, and how the sessions' starts were spread."""
    before = len(made.sessions.sessions)
    began = time.time()
    cost = _run(made, _command(made, forks), "ansible-playbook")
    run = max((made.folder / "state" / "fleetdiag" / "runs").glob("*/sweep.json")).parent
    window = json.loads((run / "window.json").read_text())
    collected = max(path.stat().st_mtime for path in run.glob("hosts/*/collect.json"))
    opened = [session.started_at or 0.0 for session in made.sessions.sessions[before:]]
    off = sorted(abs(at - window["start"]) for at in opened)
    return {
        **asdict(cost),
        "collected_s": collected - began - WINDOW_S,
        "spread_ms": 1000 * off[int(0.99 * (len(off) - 1))],
        "late": float(sum(one > 0.25 for one in off)),
    }


def _run(made: Fleet, command: list[str], main_process: str) -> Cost:
    """Run a command with its processes counted; a failure of it ends the benchmark."""
    environment = as_installed(made.environment(), made.folder / "compiled")
    environment["PYTHONPATH"] = f"{ROOT / 'src'}:{ROOT / '.collections'}"
    environment.update(ANSIBLE_PIPELINING="1", PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with (made.folder / "said").open("w") as said:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    peak = _Peak(process.pid, main_process)
    with peak:
        code = process.wait()
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if code not in (0, 2, 3):  # 2, 3: a start that was too early; whoever looks for what came of it sees that
        raise SystemExit(
            f"{' '.join(command[:4])} ended with {code}:\n{(made.folder / 'said').read_text()[-3000:]}"
        )
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, peak.mb)


class _Peak:
    """The most memory that the first process of a name below another one has had."""

    def __init__(self, parent: int, name: str) -> None:
        self.mb = 0.0
        self._parent, self._name = parent, name
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        pid = 0
        while not self._over.wait(0.5):
            with contextlib.suppress(OSError, StopIteration):  # processes come and go
                pid = pid or self._find(self._parent)
                lines = Path(f"/proc/{pid}/status").read_text().splitlines() if pid else []
                self.mb = int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024

    def _find(self, pid: int) -> int:
        """The process of that name, pid or one below it; 0 if there is none yet."""
        if self._name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return next((found for child in children if (found := self._find(int(child)))), 0)


def _playbook(made: Fleet, text: str, forks: int) -> list[str]:
    path = made.folder / "play.yml"
    path.write_text(text)
    return ["ansible-playbook", "-i", str(made.inventory), "-f", str(forks), str(path)]


def _naive(made: Fleet) -> str:
    script, out = made.folder / "naive.sh", made.folder / "fetched"
    recording = "\n".join(made.sessions.recordings["nettop"])
    script.write_text(NAIVE_SCRIPT.format(window=WINDOW_S, recording=recording))
    return NAIVE.format(script=script, out=out)


def _forget_modules(made: Fleet) -> None:
    """The controller knows that the hosts hold no modules, as it does when they come to a new probe."""
    for path in (made.folder / "state" / "fleetdiag" / "hosts").glob("*.json"):
        memory = json.loads(path.read_text())
        memory["facts"]["modules_held"] = []
        path.write_text(json.dumps(memory))


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="fd-scale-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _versions() -> dict[str, str]:
    import ansible.release

    ssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=False).stderr.split(",")[0]
    return {"ansible-core": ansible.release.__version__, "ssh": ssh}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=int, nargs="+", default=[10, 50, 200])
    parser.add_argument("--forks", type=int, default=25)
    parser.add_argument(
        "--skip-naive", action="store_true", help="leave out the plain playbook, which takes minutes"
    )
    parser.add_argument("--out", type=Path, help="default: build/bench/scale.json")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
