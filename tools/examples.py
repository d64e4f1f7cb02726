#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run SystemTap's own examples, all that can be, on a machine of the lab; write collection/docs/examples.md.

    make examples                              all of them, a batch at a time: half an hour and more
    tools/examples.py --batches 2 --resume     the next two batches of a run that was begun
    tools/examples.py --render                 the page once more from the outcomes that are there

Each batch is one sweep as a person would start it, while the lab's workload runs. Outcomes are kept in
build/examples/ after every batch, beside the run directories; the page says nothing else than they do.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "src")]

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import (  # noqa: E402
    FleetdiagError,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import (  # noqa: E402
    examples,
    plain,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import builds  # noqa: E402
from fleetdiag.lab import boot, model, workload  # noqa: E402

HOST = "web1"
BATCH = 10
WINDOW_S = 12
TARGET = "apache2.service"  # what scripts watch that ask for a process; the workload's requests keep it busy
PAGE = ROOT / "collection" / "docs" / "examples.md"
OUTCOMES = ROOT / "build" / "examples" / "outcomes.json"
RUNS = OUTCOMES.parent / "runs"

# Arguments that say something on a machine of the lab, where SystemTap's own check gives none or others.
ARGUMENTS = {
    "general/callgraph": ['kernel.function("sock_*")'],
    "general/eventcount": ["syscall.openat", "syscall.close", "syscall.write"],
    "general/measureinterval": [
        *("gettimeofday_us()", "tid()", "@sum", "syscall.write", "syscall.write.return", "execname()"),
    ],
    "general/para-callgraph": ['kernel.function("sock_*")', 'kernel.function("sock_write_iter")'],
    "general/para-callgraph-verbose": ['kernel.function("sock_*")', 'kernel.function("sock_write_iter")'],
    "general/varwatch": ['kernel.function("vfs_write").call', "$count"],
    "io/traceio2": ["0xfe00"],
    "lwtools/fsslower-nd": ["1"],
    "network/connect_stat": ["127.0.0.1"],
    "process/chng_cpu": ["perl"],
    "process/errsnoop": ["5"],
    "process/migrate": ["perl"],
    "process/pstrace_exec": ["sleep"],
    "process/sigmon": ["SIGCHLD"],
    "profiling/functioncallcount": ["vfs_*"],
    "profiling/periodic": ["1"],
}


@dataclass(frozen=True)
class Outcome:
    """What became of one example. name: `network/nettop`; status: a key of STATUSES.

    form: table, rows, text, calltrace, empty if it printed nothing; lines: of a text, of a call trace the first hundred;
    why: one sentence, empty if all is well. types: "btf" if it ran with what the kernel tells of itself.
    """

    name: str
    title: str
    status: str
    form: str = ""
    rows: int = 0
    lines: int = 0
    why: str = ""
    arguments: str = ""
    types: str = ""

    @property
    def topic(self) -> str:
        return self.name.partition("/")[0]


STATUSES = {
    "ran": "ran and printed",
    "silent": "ran; what it watches did not happen in the window",
    "debuginfo": "need what neither the kernel's headers nor the kernel itself (BTF) tell: its debug symbols",
    "not built": "do not compile on this machine",
    "failed": "compiled and then failed on the host",
    "refused": "are refused before any host is touched",
}
RAN = ("ran", "silent")


# --- running


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", help="examples (network/nettop); default: all that the builder has"
    )
    parser.add_argument("--resume", action="store_true", help="leave out those with an outcome")
    parser.add_argument("--batches", type=int, default=1_000, help="end after so many sweeps")
    parser.add_argument("--batch", type=int, default=BATCH, help="so many in one sweep (%(default)s)")
    parser.add_argument("--render", action="store_true", help="run nothing")
    given = parser.parse_args()
    known = _known() if given.resume or given.render or given.names else {}
    if not given.render:
        known = _run(given.names, known, given)
    PAGE.write_text(page(known["outcomes"], known["conditions"]), encoding="utf-8")
    print(f"{PAGE}: {_summary(known['outcomes'])}")
    return 0


def _known() -> dict[str, Any]:
    if not OUTCOMES.is_file():
        return {}
    data = json.loads(OUTCOMES.read_text(encoding="utf-8"))
    return {**data, "outcomes": [Outcome(**entry) for entry in data["outcomes"]]}


def _run(wanted: Sequence[str], known: dict[str, Any], given: argparse.Namespace) -> dict[str, Any]:
    lab = boot.running()
    if not {HOST, "builder"} <= set(lab.machines):
        lab = boot.up(["builder", HOST])
    lab = replace(lab, machines={name: lab.machines[name] for name in ("builder", HOST)})
    with tempfile.TemporaryDirectory() as cache:
        folder, names = _bring(lab, wanted, Path(cache))
        outcomes = {outcome.name: outcome for outcome in known.get("outcomes", ())}
        todo = []
        for name in names:
            refused = _refused(name, folder)
            if refused is not None:
                outcomes[name] = refused
            elif not (given.resume and name in outcomes):
                todo.append(name)
        try:
            workload.start(lab)
            for at in range(0, min(len(todo), given.batches * given.batch), given.batch):
                for outcome, conditions in _sweep(lab, folder, todo[at : at + given.batch]):
                    outcomes[outcome.name] = outcome
                    known["conditions"] = conditions
                known["outcomes"] = sorted(outcomes.values(), key=lambda outcome: outcome.name)
                _save(known)
        finally:
            workload.stop(lab)
    return known


def _bring(lab: model.Lab, wanted: Sequence[str], cache: Path) -> tuple[Path, list[str]]:
    """Return (the folder with their scripts, all names or those that are wanted)."""
    found = examples.read_answer(_ask(lab, ()), ())
    names = [f"{plain.EXAMPLE}{name}" for name in found.names if not wanted or name in wanted]
    found = examples.read_answer(_ask(lab, names), names)
    return examples.keep(found, "builder", cache), [name.removeprefix(plain.EXAMPLE) for name in names]


def _ask(lab: model.Lab, names: Iterable[str]) -> str:
    done = lab.ssh("builder", examples.command(names))
    if done.returncode:
        raise FleetdiagError(f"the builder could not be asked for examples: {done.stderr.strip()[-200:]}")
    return done.stdout


def _refused(name: str, folder: Path) -> Outcome | None:
    try:
        plain.load(f"{plain.EXAMPLE}{name}", folder)
    except FleetdiagError as error:
        why = str(error).removeprefix(f"{plain.EXAMPLE}{name}: ")
        return Outcome(name, _meta(name, folder).get("title", ""), "refused", why=why)
    return None


def _meta(name: str, folder: Path) -> dict[str, str]:
    path = folder / f"{name}.meta"
    return plain.read_meta(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else {}


def _arguments(name: str, folder: Path) -> list[str]:
    if name in ARGUMENTS:
        return ARGUMENTS[name]
    file = f"{name.rpartition('/')[2]}.stp"
    return plain.check_arguments(file, _meta(name, folder))


def _sweep(lab: model.Lab, folder: Path, names: Sequence[str]) -> Iterator[tuple[Outcome, dict[str, str]]]:
    """Sweep these examples once; return what became of each."""
    arguments = {name: shlex.join(_arguments(name, folder)) for name in names}
    command = [sys.executable, "-m", "fleetdiag", "sweep", "-i", str(lab.inventory), "-l", HOST]
    command += ["--runs-dir", str(RUNS), "--window", f"{WINDOW_S}s", "--baseline", "0"]
    command += ["-e", f"sweep_target={TARGET}"]
    for name in names:
        command += ["--probe", f"{plain.EXAMPLE}{name}"]
        if arguments[name] and "args" in _parameters(name, folder):
            command += ["--param", f"{plain.EXAMPLE}{name}.args={arguments[name]}"]
        else:
            arguments[name] = ""
    print(f"--- {' '.join(names)}", flush=True)
    before = set(RUNS.glob("*/report.json"))
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    reports = set(RUNS.glob("*/report.json")) - before
    if not reports:
        raise FleetdiagError(f"the sweep of {', '.join(names)} left no report")
    made = reports.pop()
    report = json.loads(made.read_text(encoding="utf-8"))
    (build,) = (
        builds.KernelBuild.from_json(json.loads(file.read_text(encoding="utf-8")))
        for file in (made.parent / "builds").iterdir()
    )
    module_of = {entry["title"]: build.probes.get(entry["name"]) for entry in report["probes"]}
    conditions = _conditions(report)
    for name in names:
        outcome = outcome_of(name, _meta(name, folder).get("title", ""), arguments[name], report)
        module = module_of[f"{plain.EXAMPLE}{name}"]
        types = module.types if module and outcome.status in RAN else ""
        yield replace(outcome, types=types), conditions


def _parameters(name: str, folder: Path) -> Iterable[str]:
    return plain.load(f"{plain.EXAMPLE}{name}", folder).parameters


def outcome_of(name: str, title: str, arguments: str, report: Mapping[str, Any]) -> Outcome:
    """Return the outcome of an example, from report.json of the sweep that ran it."""
    (host,) = report["coverage"]
    section = next(entry for entry in report["probes"] if entry["title"] == f"{plain.EXAMPLE}{name}")
    session = host["sessions"].get(section["name"])
    if session is None:
        return Outcome(name, title, "failed", why=host["reason"], arguments=arguments)
    if session["status"] not in ("sampled", "degraded"):
        status, why = _fault(session)
        return Outcome(name, title, status, why=why, arguments=arguments)
    lines = sum(text["total"] for text in section["texts"])
    lines += sum(len(calls["lines"]) for calls in section["calls"])
    why = "; ".join(loss["text"] for loss in session["losses"])
    return Outcome(
        name=name,
        title=title,
        status="ran" if session["rows"] or lines else "silent",
        form=section["output"] if session["rows"] or lines else "",
        rows=session["rows"],
        lines=lines,
        why=why,
        arguments=arguments,
    )


def _fault(session: Mapping[str, Any]) -> tuple[str, str]:
    said = session["error"].strip()
    if said.startswith("needs debuginfo"):
        source = said.partition(" (")[2].partition("); ")[0]
        return "debuginfo", source
    why = re.sub(r"^\S+\.stp: ", "", builds.headline(said)) or session["status"]
    return ("not built" if session["status"] == "not built" else "failed"), why


def _conditions(report: Mapping[str, Any]) -> dict[str, str]:
    (host,) = report["coverage"]
    (stap,) = {build["stap"] for build in report["builds"]} or {""}
    return {
        "distribution": host["distribution"],
        "kernel": host["kernel"],
        "stap": stap,
        "window": f"{WINDOW_S} s",
        "machine": platform.machine(),
    }


def _save(known: Mapping[str, Any]) -> None:
    OUTCOMES.parent.mkdir(parents=True, exist_ok=True)
    data = {**known, "outcomes": [asdict(outcome) for outcome in known["outcomes"]]}
    OUTCOMES.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")


# --- the page


def page(outcomes: Iterable[Outcome], conditions: Mapping[str, str]) -> str:
    """Return the page; the same outcomes in any order give the same page."""
    return "\n".join(_page(sorted(outcomes, key=lambda outcome: outcome.name), conditions)) + "\n"


def _page(outcomes: Sequence[Outcome], conditions: Mapping[str, str]) -> Iterator[str]:
    yield "<!-- Written by tools/examples.py (make examples): do not edit. -->"
    yield ""
    yield "# SystemTap's examples"
    yield ""
    yield (
        f"{len(outcomes)} examples of SystemTap {conditions['stap']}, run unchanged as `example:TOPIC/NAME` on"
        f" {conditions['distribution']}, kernel {conditions['kernel']},"
        f" {conditions['window']} each, while web requests, a writer, a terminal and listings kept the machine busy."
    )
    btf = sum(outcome.types == "btf" for outcome in outcomes)
    yield (
        "No debug symbols of the kernel were installed. Where its headers do not do, what the kernel tells of itself"
        f" (BTF, [kernel_info.md](kernel_info.md)) was used: {btf} of those that ran, marked BTF."
    )
    yield ""
    yield "| examples | |"
    yield "| ---: | --- |"
    for status, meaning in STATUSES.items():
        yield f"| {sum(outcome.status == status for outcome in outcomes)} | {meaning} |"
    for topic, group in groupby(outcomes, key=lambda outcome: outcome.topic):
        yield ""
        yield f"## {topic}"
        yield ""
        yield "| example | what it shows | output | rows | lines | outcome |"
        yield "| --- | --- | --- | ---: | ---: | --- |"
        for outcome in group:
            yield _row(outcome)


def _row(outcome: Outcome) -> str:
    name = outcome.name.partition("/")[2]
    arguments = f" `{outcome.arguments}`" if outcome.arguments else ""
    words = {"debuginfo": "needs debuginfo", "not built": "does not compile"}
    said = words.get(outcome.status, outcome.status) + (" (BTF)" if outcome.types else "")
    if outcome.why:
        why = f"`{outcome.why}`" if outcome.status == "debuginfo" else outcome.why
        said += f": {why}"
    figures = [str(number) if outcome.form else "" for number in (outcome.rows, outcome.lines)]
    cells = [name + arguments, outcome.title, outcome.form, *figures, said]
    return "| " + " | ".join(_safe(cell) for cell in cells) + " |"


def _safe(cell: str) -> str:
    return cell.replace("|", "\\|") if "`" in cell else cell.replace("|", "\\|").replace("<", "&lt;")


def _summary(outcomes: Sequence[Outcome]) -> str:
    ran = [outcome for outcome in outcomes if outcome.status in RAN]
    topics = {outcome.topic for outcome in ran}
    return f"{len(ran)} of {len(outcomes)} examples ran, of {len(topics)} topics"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FleetdiagError as error:
        sys.exit(f"examples: {error}")
