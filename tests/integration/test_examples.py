# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts that were not written for fleetdiag, in one sweep of one host: SystemTap's examples and files of one's own.

`make examples` runs all examples; these are of different topics and print in different forms.
"""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sweeps import coverage, left_behind, newest, report_of, sweep

from fleetdiag.lab.model import Lab

pytestmark = pytest.mark.lab
LAB = ("builder", "web1", "web2")

HOST = "web1"
UNIT = "fleetdiag-test-examples"
FILE = "/var/tmp/lab-examples"
LOAD = f"while :; do dd if=/dev/zero of={FILE} bs=4096 count=4 conv=fsync 2>/dev/null; sleep 0.5; done"
START = f"systemd-run -q --collect --unit={UNIT} -p RuntimeMaxSec=900 sh -c {shlex.quote(LOAD)}"
STOP = f"systemctl stop {UNIT}; rm -f {FILE}"

CALLS = "example:process/syscalls_by_proc"
PACKETS = "example:network/netfilter_summary_json"
PROGRAMS = "example:lwtools/execsnoop-nd"
SIZES = "example:lwtools/bitesize-nd"
SIGNALS = "example:process/sigmon"
TIMES = "example:process/schedtimes"
DEBUGINFO = "example:io/slowvfs"
COUNTS = "example:general/eventcount"
EXAMPLES = (CALLS, PACKETS, PROGRAMS, SIZES, COUNTS, TIMES, DEBUGINFO)

# As an administrator has them.
OPENS = """\
global opens
probe syscall.openat { opens[execname()]++ }
probe timer.s(3) {
  printf("%-20s %10s\\n", "PROCESS", "OPENS")
  foreach (name in opens- limit 20) printf("%-20s %10d\\n", name, opens[name])
  delete opens
}
"""
WRONG = "probe syscall.openat { println(nothing_of_the_kind()) }\n"
# Nothing can be seen to be wrong with it before it is compiled.
IDLE = 'probe kernel.trace("no_such_event")? { println("seen") }\nprobe timer.s(1) { println("tick") }\n'


class Swept(NamedTuple):
    """The finished sweep. probes: the sections of the report by the names that were asked for."""

    command: subprocess.CompletedProcess[str]
    run: Path
    report: dict[str, Any]
    probes: dict[str, dict[str, Any]]

    def session(self, title: str) -> dict[str, Any]:
        """How the probe of this name went."""
        return dict(coverage(self.report)[HOST]["sessions"][self.probes[title]["name"]])

    def rows(self, title: str) -> list[list[Any]]:
        """Keys and figures of its first table, row by row."""
        return [[*row["key"], *row["values"]] for row in self.probes[title]["tables"][0]["rows"]]

    def lines(self, title: str) -> list[str]:
        """The text that it printed."""
        return [line for text in self.probes[title]["texts"] for line in text["lines"]]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """{kind: path} of three scripts of one's own."""
    folder = tmp_path_factory.mktemp("own")
    paths = {}
    for name, text in {"opens": OPENS, "idle": IDLE, "wrong": WRONG}.items():
        (folder / f"{name}.stp").write_text(text)
        paths[name] = str(folder / f"{name}.stp")
    return paths


@pytest.fixture(scope="module")
def swept(lab: Lab, own: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Swept:
    runs = tmp_path_factory.mktemp("runs")
    words = [word for name in (*EXAMPLES, *own.values()) for word in ("--probe", name)]
    words += ["--param", f"{COUNTS}.args=syscall.openat syscall.write", "--window", "12s"]
    started = lab.ssh(HOST, START)
    assert started.returncode == 0, started.stderr
    try:
        done = sweep(lab, runs, "-l", HOST, *words)
    finally:
        lab.ssh(HOST, STOP)
    run = newest(runs)
    report = report_of(run)
    return Swept(done, run, report, {section["title"]: section for section in report["probes"]})


def test_what_cannot_run_costs_the_others_nothing(swept: Swept, own: dict[str, str]) -> None:
    bad = {DEBUGINFO, own["idle"], own["wrong"]}
    assert set(swept.probes) == {*EXAMPLES, *own.values()}
    for title in swept.probes:
        status = swept.session(title)["status"]
        assert status == "not built" if title in bad else status in ("sampled", "degraded"), title


def test_each_fault_says_what_is_wrong(swept: Swept, own: dict[str, str]) -> None:
    assert swept.session(DEBUGINFO)["error"].startswith("needs debuginfo: ")
    assert "sweep_examples_debuginfo=true" in swept.session(DEBUGINFO)["error"]
    assert "no live probe point" in swept.session(own["idle"])["error"]
    assert "nothing_of_the_kind" in swept.session(own["wrong"])["error"]
    assert "needs debuginfo" in (swept.run / "report.txt").read_text()


def test_tables_become_tables(swept: Swept, own: dict[str, str]) -> None:
    for title in (CALLS, TIMES, own["opens"]):
        assert swept.probes[title]["output"] == "table", title
        assert any("dd" in row for row in swept.rows(title)), (title, swept.rows(title)[:5])
    (table,) = swept.probes[own["opens"]]["tables"]
    assert [column["name"] for column in table["columns"]] == ["process", "opens"]
    opened = next(row[1] for row in swept.rows(own["opens"]) if row[0] == "dd")
    assert opened > 10


def test_a_histogram_becomes_a_table_of_its_buckets(swept: Swept) -> None:
    assert swept.probes[SIZES]["output"] == "table"
    assert swept.rows(SIZES)


def test_json_becomes_rows(swept: Swept) -> None:
    assert swept.probes[PACKETS]["output"] == "rows"
    assert swept.rows(PACKETS), "ssh alone makes packets"


def test_a_trace_stays_text_with_its_times(swept: Swept) -> None:
    assert swept.probes[PROGRAMS]["output"] == "text"
    assert any("conv=fsync" in line or line.split()[-1:] == ["dd"] for line in swept.lines(PROGRAMS))
    for text in swept.probes[PROGRAMS]["texts"]:
        known = [time for time in text["times"] if time is not None]
        assert known == sorted(known)


def test_arguments_reach_the_script(swept: Swept) -> None:
    assert any("syscall.openat" in line for line in swept.lines(COUNTS)), swept.lines(COUNTS)[:5]


def test_nothing_stays_on_the_host(lab: Lab, swept: Swept) -> None:
    assert left_behind(lab, HOST) == ""


def test_what_is_missing_is_said_before_any_host_is_touched(lab: Lab, swept: Swept, tmp_path: Path) -> None:
    """Arguments, and an event to watch. The sweep before has brought the examples here."""
    done = sweep(lab, tmp_path, "-l", HOST, "--window", "2s", "--probe", SIGNALS)
    assert done.returncode == 2
    assert "args" in done.stderr
    assert "SIGKILL" in done.stderr, "what SystemTap's own check gives"
    (tmp_path / "dead.stp").write_text('probe timer.s(1) { println("tick") }\n')
    done = sweep(lab, tmp_path, "-l", HOST, "--window", "2s", "--probe", str(tmp_path / "dead.stp"))
    assert done.returncode == 2
    assert "dead.stp: has no live probe point: it probes only timer.s(1)" in done.stderr
    assert not list(tmp_path.glob("*/sweep.json"))
