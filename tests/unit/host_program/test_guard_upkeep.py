# SPDX-License-Identifier: GPL-3.0-or-later
"""What guard.sh does on a host besides loading: what it removes, and what it takes for trouble of the kernel."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import time
from pathlib import Path
from typing import BinaryIO

import pytest
from modulehost import MODULE, PROBE, SHA256, SWEEP, Host

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.host_program import FILES
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl import SessionPlan

OLD = time.time() - 40 * 86400
HOURS_AGO = time.time() - 7200
KERNEL = """\
BUG: kernel NULL pointer dereference, address: 0000000000000008
BUG: unable to handle page fault for address: ffffb0e000000000
BUG: Bad page state in process python3  pfn:12345
BUG: KASAN: slab-use-after-free in ext4_find+0x1/0x2
BUG: spinlock bad magic on CPU#0, python3/77
Oops: 0000 [#1] PREEMPT SMP NOPTI
Oops: 0002 [#1]
Oops: Oops: 0000 [#1] SMP NOPTI
Oops: general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP
general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP
invalid opcode: 0000 [#1] PREEMPT SMP NOPTI
Internal error: Oops: 0000000096000004 [#1] SMP
Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008
WARNING: CPU: 1 PID: 77 at kernel/rcu/tree.c:12 rcu_x+0x1/0x2
WARNING: kernel/rcu/tree.c:12 at rcu_x+0x1/0x2, CPU#1: python3/77
WARNING: CPU: 1 UID: 0 PID: 77 at kernel/rcu/tree.c:12 rcu_x+0x1/0x2
WARNING: at rcu_x+0x1/0x2, CPU#1: python3/77
WARNING: possible circular locking dependency detected
kernel BUG at fs/ext4/inode.c:1234!
watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [python3:77]
NMI watchdog: Watchdog detected hard LOCKUP on cpu 1
rcu: INFO: rcu_preempt self-detected stall on CPU
rcu: INFO: rcu_sched detected stalls on CPUs/tasks:
INFO: task kworker/0:1:77 blocked for more than 120 seconds.
""".splitlines()
NAMES = (
    *(
        "BUG: Bad page",
        "BUG: Bad page s",
        "BUG: kernel NUL",
        "BUG: x",
        "BUG: KASAN: a",
        "Oops",
        "Oops: 0000 [#1]",
    ),
    *(
        "WARNING: CPU: 1",
        "WARNING: a.c:12",
        "WARNING: at a+0",
        "kernel BUG at a",
        "INFO: task a:1",
        "rcu: INFO: rcu_a",
        "a: 0000 [#1] S",
    ),
    *("general protect", "Internal error:", "Unable to handl", "soft lockup"),
)
"""What a process may be called, to be taken for the kernel: 15 characters."""
ABOUT = (
    *(
        "{}[42]: segfault at 0 ip 55d0 sp 7ffd error 4 in x[55d0+1000]",
        "{} invoked oom-killer: gfp_mask=0xcc0",
    ),
    *(
        "traps: {}[42] general protection fault ip:55d0 sp:7ffd error:0 in x[55d0+1000]",
        "{} (42): drop_caches: 3",
    ),
    *("{}: page allocation failure: order:9, mode:0x40dc0", 'audit: type=1701 comm="{}" exe="/tmp/x" sig=11'),
    *("process '{}' launched '/bin/sh' with NULL argv: empty string added", "{}/42 is trapping"),
)


def sum_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def troubles(lines: list[str]) -> list[str]:
    """Return those that guard.sh takes for trouble of the kernel."""
    shell = 'eval "$(sed -n \'/^KERNEL_TROUBLE=/,/)"$/p\' "$1")"; exec grep -E "$KERNEL_TROUBLE"'
    words = ["sh", "-c", shell, "sh", str(FILES / "guard" / "base.part")]
    found = subprocess.run(
        words, input="".join(f"{x}\n" for x in lines), capture_output=True, text=True, check=False
    )
    assert found.stderr == ""
    return found.stdout.splitlines()


@pytest.mark.parametrize("begin", ["[   12.345678] ", "[123456.345678][  T77] "])
def test_what_the_kernel_says_of_itself_is_its_trouble(begin: str) -> None:
    lines = [begin + line for line in KERNEL]
    assert troubles(lines) == lines


def test_what_it_says_of_a_process_is_not_whatever_that_is_called() -> None:
    lines = [f"[   12.345678] {about.format(name[:15])}" for name in NAMES for about in ABOUT]
    lines += [f"[   12.345678] {name[:14]}" for name in NAMES]  # behind which a line feed has room
    assert troubles(lines) == []


def test_arm_removes_what_nobody_came_back_for(host: Host) -> None:
    spool = host.home / "sweeps" / "20260101_000000_aaaa"
    spool.mkdir()
    os.utime(spool, (OLD, OLD))
    assert host.arm().verdict == "ok"
    assert not spool.exists()


def test_the_oldest_spools_make_room(tmp_path: Path) -> None:
    host = Host(tmp_path, {"KEEP_SPOOL_MB=4096": "KEEP_SPOOL_MB=4"})
    spools = [host.home / "sweeps" / f"202611{day}_000000_aaaa" for day in (20, 21, 22, 23)]
    for spool in spools:
        (spool / PROBE).mkdir(parents=True)
        (spool / PROBE / "out").write_bytes(bytes(3 << 19))
        os.utime(spool, (HOURS_AGO, HOURS_AGO))
    os.utime(spools[0], None)  # somebody may be about to collect it
    host.arm()
    assert [spool.exists() for spool in spools] == [True, False, True, True]


def test_programs_that_nothing_uses_any_more_are_removed(host: Host) -> None:
    ours = sorted((host.home / "guard").iterdir())
    assert {path.suffix for path in ours} == {".sh", ".sed", ".words", ".signers", ".sums"}
    other, left = (host.home / "guard" / name for name in ("0123456789abcdef.sh", "0123456789abcdef.sh.42"))
    for path in (*ours, other, left):
        path.touch()
        os.utime(path, (OLD, OLD))
    host.arm()  # by which ours are used
    host.run(f"exec /bin/sh {host.guard.path} preflight", None)
    assert sorted((host.home / "guard").iterdir()) == ours


def test_the_module_that_was_not_used_for_longest_makes_room(tmp_path: Path) -> None:
    host = Host(tmp_path, {"KEEP_MODULES=64": "KEEP_MODULES=2"})
    older, newer, newest = (host.home / "modules" / f"{sum_of(data)}.ko" for data in (MODULE, b"2", b"3"))
    host.guard.put(newer.stem, b"2")
    for age, path in enumerate((newer, older)):
        os.utime(path, (HOURS_AGO - age, HOURS_AGO - age))
    host.arm()
    host.guard.put(newest.stem, b"3")
    assert [path.exists() for path in (older, newer, newest)] == [True, False, True]


@pytest.mark.parametrize(("kernel", "state"), [(os.uname().release, "armed"), ("6.1.0-1-amd64", "failed")])
def test_a_module_for_another_kernel_is_not_loaded(host: Host, kernel: str, state: str) -> None:
    module = MODULE + f"\0vermagic={kernel} SMP preempt mod_unload modversions \0".encode()
    host.guard.put(sum_of(module), module)
    found, _, said = host.arm(sum_of(module)).sessions[PROBE]
    assert found == state
    assert host.loaded.exists() == (state == "armed")
    assert said == (
        ""
        if state == "armed"
        else f"its module is compiled for kernel {kernel}, and {os.uname().release} runs here: sweep again"
    )


def test_what_a_cut_transfer_left_is_removed_with_the_next(host: Host) -> None:
    old, new = (host.home / "modules" / name for name in (".new.old", ".new.running"))
    for path in (old, new):
        path.touch()
    os.utime(old, (OLD, OLD))
    host.guard.put(SHA256, MODULE)
    assert (old.exists(), new.exists()) == (False, True)


def test_a_value_is_no_pattern_of_names_of_files(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "filter=evil").touch()
    monkeypatch.chdir(tmp_path)
    value = "e*$HOME%n"
    host.program("staprun", f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/words\n')
    host.program("systemctl", f"#!/bin/sh\ncp {host.units}/*.service {tmp_path}/unit\n")
    plan = SessionPlan(PROBE, SHA256, 1, [("filter", value)])
    host.guard.arm(SWEEP, ttl_s=60, timeout_s=1, smoke="", plans=[plan])
    (start,) = re.findall("^ExecStart=(.*)$", (tmp_path / "unit").read_text(), re.MULTILINE)
    subprocess.run(["sh", "-c", start.replace("$$", "$")], check=True)  # as systemd reads it
    assert (tmp_path / "words").read_text().splitlines()[-1] == f"filter={value}"


@pytest.mark.skipif(Path("/proc/systemtap").exists(), reason="a module of SystemTap is loaded here")
def test_modules_are_loaded_once_the_first_of_them_is(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that make /proc/systemtap at the same moment have the kernel warn."""
    host.program("systemctl", f"#!/bin/sh\ncp {host.units}/*.service {tmp_path}/\n")
    out = host.home / "sweeps" / SWEEP / PROBE / "out"
    host.program("staprun", f"#!/bin/sh\n[ ! -s {out} ] || echo loaded >{tmp_path}/after\n")
    sleep = tmp_path / "programs" / "sleep"
    sleep.parent.mkdir()
    sleep.write_text(f"#!/bin/sh\nread -r line <{tmp_path}/go\n")
    sleep.chmod(0o755)
    os.mkfifo(tmp_path / "go")
    other = MODULE + b"another"
    sums = {PROBE: SHA256, "other": hashlib.sha256(other).hexdigest()}
    host.guard.put(sums["other"], other)
    plans = [SessionPlan(probe, sha256, 1, []) for probe, sha256 in sums.items()]
    host.guard.arm(SWEEP, ttl_s=60, timeout_s=1, smoke="", plans=plans)
    (unit,) = tmp_path.glob("*-other.service")
    (start,) = re.findall("^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
    monkeypatch.setenv("PATH", f"{sleep.parent}:{os.environ['PATH']}")
    with subprocess.Popen(["sh", "-c", start.replace("$$", "$")]) as second:
        go = open_when_read(tmp_path / "go", second)
        out.write_text("armed")
        go.write(b"\n")
        go.close()
        assert second.wait() == 0
    assert (tmp_path / "after").exists()


def open_when_read(fifo: Path, reader: subprocess.Popen[bytes]) -> BinaryIO:
    """Return the writing end once somebody reads; fail where the reader has ended instead."""
    while True:
        try:
            return os.fdopen(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK), "wb")
        except OSError:
            assert reader.poll() is None, "it has not waited"


def test_a_session_whose_answer_cannot_be_kept_is_started_and_says_so(host: Host, tmp_path: Path) -> None:
    module = MODULE + b"data.json"
    sha256 = hashlib.sha256(module).hexdigest()
    host.guard.put(sha256, module)
    watcher_fails = "#!/bin/sh\ncase $* in *-json*) echo 'no more units' >&2; exit 1 ;; esac\n"
    host.program("systemd-run", watcher_fails)
    now = int(time.time() * 1000)
    plan = SessionPlan(PROBE, sha256, 1, [])
    reply = host.guard.arm(SWEEP, ttl_s=60, timeout_s=1, smoke="", plans=[plan], window_ms=(now, now + 60000))
    state, _, why = reply.sessions[PROBE]
    assert state == "armed"
    assert "its answer will be lost" in why
    assert "no more units" in why
