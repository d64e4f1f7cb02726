# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions of a library and marks of a program, as the host has them, count what that host's processes do."""

from __future__ import annotations

import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sweeps import SWEPT, await_window, coverage, newest, probe, report_of, rows, sweep

from fleetdiag.lab.model import Lab

pytestmark = pytest.mark.lab

HOST = "web2"
LIBC = "/lib/x86_64-linux-gnu/libc.so.6"
CALLS, COLLECTIONS = 300, 40
SCRIPT = f"""\
global calls, marks
probe process("{LIBC}").function("getpriority") {{ calls[pid()]++ }}
probe process("/usr/bin/python3").mark("gc__start") {{ if ($arg1 == 1) marks[pid()]++ }}
probe end {{
  printf("%8s %8s %8s\\n", "PID", "CALLS", "MARKS")
  foreach (p in calls-) printf("%8d %8d %8d\\n", p, calls[p], marks[p])
}}
"""
VARIABLE = (
    f'global n\nprobe process("{LIBC}").function("getenv") {{ n += $name }}\nprobe end {{ println(n) }}\n'
)
ABSENT = 'global n\nprobe process("/usr/sbin/none").begin { n++ }\nprobe end { println(n) }\n'
STARTS = 'global n\nprobe process("PROGRAM").begin { n++ }\nprobe end { println(n) }\n'
WORK = (
    f"import gc, os; gc.disable(); [os.getpriority(0, 0) for i in range({CALLS})];"
    f" [gc.collect(1) for i in range({COLLECTIONS})]; print(os.getpid())"
)


def test_functions_and_marks_of_a_hosts_own_programs_are_counted(lab: Lab, tmp_path: Path) -> None:
    wanted = []
    for name, text in (("calls", SCRIPT), ("variable", VARIABLE), ("absent", ABSENT)):
        (tmp_path / f"{name}.stp").write_text(text)
        wanted += ["--probe", str(tmp_path / f"{name}.stp")]
    runs = tmp_path / "runs"
    with ThreadPoolExecutor(1) as pool:
        sweeping = pool.submit(sweep, lab, runs, "-l", HOST, "--window", "30s", *wanted)
        await_window(runs, HOST)
        worked = int(lab.ssh(HOST, f"python3 -c {shlex.quote(WORK)}").stdout)
        done = sweeping.result()
    report = report_of(newest(runs))
    counted = {row["pid"]: row for row in rows(report, "stp_calls")}
    assert (counted[worked]["calls"], counted[worked]["marks"]) == (CALLS, COLLECTIONS), done.stdout
    (build,) = (json.loads(path.read_text()) for path in (newest(runs) / "builds").iterdir())
    built = build["probes"]["stp_calls"]["programs"]
    assert [(path, file["host"], len(file["build_id"])) for path, file in built.items()] == [
        (LIBC, HOST, 40),
        ("/usr/bin/python3", HOST, 40),
    ]
    why = coverage(report)[HOST]["reason"]
    assert "stp_variable: not built (it asks what only the debuginfo of /usr/lib/x86_64" in why
    assert "/usr/sbin/none cannot be probed on any host with this kernel: there is no such file" in why
    assert probe(report, "stp_absent")["tables"] == []


@pytest.mark.long("two machines and a kernel's tracepoints once more")
def test_a_host_with_another_build_is_told_apart_and_not_probed_with_it(lab: Lab, tmp_path: Path) -> None:
    program = f"/usr/local/bin/{tmp_path.name}"
    (tmp_path / "starts.stp").write_text(STARTS.replace("PROGRAM", program))
    for host, like in (("web1", "sleep"), (HOST, "true")):
        lab.ssh(host, f"cp /usr/bin/{like} {program}")
    wanted = ("-l", f"web1,{HOST}", "--window", "5s", "--probe", str(tmp_path / "starts.stp"))
    done = sweep(lab, tmp_path / "runs", *wanted)
    for host in ("web1", HOST):
        lab.ssh(host, f"rm {program}")
    rows_of = coverage(report_of(newest(tmp_path / "runs")))
    assert rows_of["web1"]["status"] in SWEPT, done.stdout
    assert rows_of[HOST]["status"] == "refused"
    assert f"its {program} is not the one that the module is for: build id " in rows_of[HOST]["reason"]
    assert " on web1; bring them to one version" in rows_of[HOST]["reason"]
