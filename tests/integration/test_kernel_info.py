# SPDX-License-Identifier: GPL-3.0-or-later
"""What one host tells of its kernel serves another boot of it; what is not of that kernel runs nowhere."""

from __future__ import annotations

import re
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sweeps
from sweeps import await_window, coverage, newest, report_of, rows, sweep

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import symbols
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import kernel_info
from fleetdiag.lab.model import Lab

pytestmark = pytest.mark.lab

HOST = "web1"
NOTES = "od -An -v -tx1 /sys/kernel/notes"
SCRIPT = 'global n\nprobe kernel.function("vfs_read") { n += $count }\nprobe end { println(n) }\n'

BOTH = (HOST, "web2")
BYTES, TIMES = 4321, 50
COUNTS = f"""\
global calls
probe kernel.function("vfs_read") {{ if ($count == {BYTES}) calls[pid()]++ }}
probe end {{
  printf("%8s %8s\\n", "PID", "CALLS")
  foreach (p in calls-) printf("%8d %8d\\n", p, calls[p])
}}
"""
WORK = f"import os; file = os.open('/dev/zero', 0); [os.read(file, {BYTES}) for i in range({TIMES})]; print(os.getpid())"


def exchanged(kallsyms: bytes, one: str, other: str) -> bytes:
    """Return the list with the addresses of two functions exchanged."""
    places = {
        name: re.search(rb"^([0-9a-f]+)(?= [tT] " + name.encode() + rb"$)", kallsyms, re.MULTILINE)
        for name in (one, other)
    }
    first, second = (found for found in places.values() if found)
    whole = bytearray(kallsyms)
    whole[slice(*first.span())], whole[slice(*second.span())] = second[0], first[0]
    return bytes(whole)


@pytest.mark.long("two minutes and a half: a builder that knows nothing")
def test_a_host_whose_symbols_are_not_its_kernels_is_refused(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its build id is right, and so are its types: only that vfs_write is said to be where another function is."""
    monkeypatch.setitem(sweeps.ENVIRONMENT, "XDG_CACHE_HOME", str(tmp_path / "cache"))
    build_id = symbols.build_id(bytes.fromhex(lab.ssh(HOST, NOTES).stdout))
    answer = lab.ssh(HOST, kernel_info.command(btf=False))
    told = kernel_info.handed_over(0, answer.stdout, answer.stderr, build_id=build_id, host=HOST)
    forged = told._replace(kallsyms=exchanged(told.kallsyms, "vfs_write", "vfs_fsync_range"))
    kernel_info.Store(tmp_path / "cache" / "fleetdiag").put(build_id, forged)
    script = tmp_path / "reads.stp"
    script.write_text(SCRIPT)
    wanted = ("--window", "5s", "--probe", str(script), "-e", f"builder_cache=/root/{tmp_path.name}")
    done = sweep(lab, tmp_path / "runs", "-l", HOST, *wanted)
    host = coverage(report_of(newest(tmp_path / "runs")))[HOST]
    assert host["status"] == "refused", done.stdout
    assert (
        "what the kernel tells of itself (BTF) is not so: stapio's own output was not seen" in host["reason"]
    )


@pytest.mark.long("a minute: two machines")
def test_what_one_boot_tells_serves_another_whose_kernel_lies_elsewhere(lab: Lab, tmp_path: Path) -> None:
    places = {lab.ssh(host, "grep -m1 ' _stext$' /proc/kallsyms").stdout for host in BOTH}
    assert len(places) == 2, f"both kernels lie at {places}"
    script = tmp_path / "counts.stp"
    script.write_text(COUNTS)
    runs = tmp_path / "runs"
    with ThreadPoolExecutor(1) as pool:
        sweeping = pool.submit(
            sweep, lab, runs, "-l", ",".join(BOTH), "--window", "20s", "--probe", str(script)
        )
        await_window(runs, *BOTH)
        worked = {host: int(lab.ssh(host, f"python3 -c {shlex.quote(WORK)}").stdout) for host in BOTH}
        done = sweeping.result()
    report = report_of(newest(runs))
    for host in BOTH:
        counted = {row["pid"]: row["calls"] for row in rows(report, "stp_counts", host=host)}
        assert counted == {worked[host]: TIMES}, done.stdout
