# SPDX-License-Identifier: GPL-3.0-or-later
"""Each layer that ends a session, with the layers above it out of the way, on a real kernel."""

from __future__ import annotations

import gzip
import hashlib
import json
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweeps import left_behind, newest, sweep, wait_until

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.module_cache import ModuleStore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl import Guard, SessionPlan
from fleetdiag.lab.model import Lab

pytestmark = pytest.mark.lab

HOST = "web2"
SWEEP = "20261123_071502_1f3a"
OTHER = "20261123_071502_2222"
PROBE, OTHER_PROBE = "tick", "flood"


@pytest.fixture(scope="module")
def modules(lab: Lab, catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Two compiled probes for the kernel of HOST, as a sweep makes them."""
    runs = tmp_path_factory.mktemp("runs")
    words = [word for probe in (PROBE, OTHER_PROBE) for word in ("--probe", probe)]
    sweep(lab, runs, "-l", HOST, "--window", "2s", "--catalog", str(catalog), *words)
    (build,) = (newest(runs) / "builds").iterdir()
    built = json.loads(build.read_text())["probes"]
    return {probe: ModuleStore().read(built[probe]["sha256"]) for probe in (PROBE, OTHER_PROBE)}


@pytest.fixture(scope="module")
def module(modules: dict[str, bytes]) -> bytes:
    return modules[PROBE]


@pytest.fixture
def guard(lab: Lab) -> Iterator[Guard]:
    def run(command: str, data: bytes | None) -> tuple[int, str, str]:
        done = subprocess.run(
            lab.ssh_command(HOST, ["/bin/sh", "-c", shlex.quote(command)], shared=True),
            input=data or b"",
            capture_output=True,
            check=False,
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    one = Guard(run)
    one.install_and_preflight()
    yield one
    for sweep_id in (SWEEP, OTHER):
        one.forget(sweep_id)
    assert left_behind(lab, HOST) == ""


def armed(
    guard: Guard,
    *modules: bytes,
    sweep_id: str = SWEEP,
    ttl_s: int = 300,
    own_ttl_s: int | None = None,
) -> str:
    """Arm the session of PROBE, with a second module that of OTHER_PROBE, too; return the first module's name.

    own_ttl_s: the modules' own limit, where it is not that of their units.
    """
    own_ms = (ttl_s if own_ttl_s is None else own_ttl_s) * 1000
    own = [("fd_nonce", "00ff00ff00ff00ff"), ("fd_ttl_ms", str(own_ms))]
    by_probe = dict(zip((PROBE, OTHER_PROBE), modules, strict=False))
    plans = [SessionPlan(probe, sha256_of(module), 1, own) for probe, module in by_probe.items()]
    wanted = {"ttl_s": ttl_s, "timeout_s": 60, "smoke": "", "plans": plans, "by": "ann@controller1"}
    reply = guard.arm(sweep_id, **wanted)
    if reply.missing:
        for module in modules:
            guard.put(sha256_of(module), module)
        reply = guard.arm(sweep_id, **wanted)
    assert {reply.sessions[probe][0] for probe in by_probe} == {"armed"}, reply
    return f"fd_{sweep_id}_{PROBE}"


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def loaded(lab: Lab, name: str) -> bool:
    return name in lab.ssh(HOST, "cat /proc/modules").stdout


def test_a_session_that_is_never_given_a_window_ends_itself(lab: Lab, guard: Guard, module: bytes) -> None:
    # Longer than a busy machine takes from loading it to saying that it is armed.
    name = armed(guard, module, ttl_s=15)
    wait_until(lambda: not loaded(lab, name), "its own time limit", 40)
    (session,) = guard.collect(SWEEP, {PROBE: 1 << 20}).sessions
    assert session.result == "success"


def test_a_killed_session_is_unloaded_by_its_unit(lab: Lab, guard: Guard, module: bytes) -> None:
    name = armed(guard, module)
    lab.ssh(HOST, f"systemctl kill --kill-whom=main --signal=KILL fd-{SWEEP}-{PROBE}.service")
    wait_until(lambda: not loaded(lab, name), "ExecStopPost", 60)
    (session,) = guard.collect(SWEEP, {PROBE: 1 << 20}).sessions
    assert (session.result, session.status) == ("signal", "KILL")


def test_a_session_that_does_not_end_itself_is_ended_by_its_unit(
    lab: Lab, guard: Guard, module: bytes
) -> None:
    name = armed(guard, module, ttl_s=15, own_ttl_s=3600)
    wait_until(lambda: not loaded(lab, name), "RuntimeMaxSec=", 120)
    (session,) = guard.collect(SWEEP, {PROBE: 1 << 20}).sessions
    assert session.result == "timeout"


@pytest.mark.long("three minutes until a timer comes")
def test_modules_that_their_units_have_left_are_unloaded_by_the_timer(
    lab: Lab, guard: Guard, modules: dict[str, bytes]
) -> None:
    """A killed stapio leaves its module loaded, one that detaches (QUIT) also running; their units do nothing there."""
    left = {PROBE: "KILL", OTHER_PROBE: "QUIT"}
    armed(guard, *modules.values(), ttl_s=30, own_ttl_s=3600)
    units = {probe: f"fd-{SWEEP}-{probe}.service" for probe in left}
    drop_ins = [f"/run/systemd/system/{unit}.d" for unit in units.values()]
    defeat = "[Service]\\nExecStopPost=\\nRuntimeMaxSec=infinity\\n"
    lab.ssh(
        HOST,
        f"mkdir -p {' '.join(drop_ins)}; for d in {' '.join(drop_ins)}; do printf '{defeat}' >$d/defeat.conf; done;"
        "systemctl daemon-reload;"
        + ";".join(
            f"systemctl kill --kill-whom=main --signal={left[probe]} {unit}" for probe, unit in units.items()
        ),
    )
    try:
        wait_until(
            lambda: (
                "active"
                not in lab.ssh(HOST, f"systemctl is-active {' '.join(units.values())}").stdout.split()
            ),
            "staprun is gone",
            30,
        )
        assert all(loaded(lab, f"fd_{SWEEP}_{probe}") for probe in left)
        wait_until(lambda: not loaded(lab, f"fd_{SWEEP}"), "the timer", 180)
        lab.ssh(HOST, f"rm -r {' '.join(drop_ins)}")
        # Nothing else came: the timer is over, and its service has run to its end.
        wait_until(lambda: f"fd-{SWEEP}" not in left_behind(lab, HOST), "units are gone", 30)
        assert "fleetdiag.lock" not in left_behind(lab, HOST)
    finally:
        lab.ssh(HOST, f"rm -rf {' '.join(drop_ins)}; systemctl daemon-reload")


def test_what_an_administrator_sets_meanwhile_is_not_set_back(lab: Lab, guard: Guard, module: bytes) -> None:
    """staprun makes 1 of any kptr_restrict: only that is undone."""
    kptr = "/proc/sys/kernel/kptr_restrict"
    before = lab.ssh(HOST, f"cat {kptr}").stdout
    try:
        for administrator, afterwards in (("", "2"), ("0", "0")):
            lab.ssh(HOST, f"echo 2 >{kptr}")
            armed(guard, module)
            assert lab.ssh(HOST, f"cat {kptr}").stdout.strip() == "1"
            if administrator:
                lab.ssh(HOST, f"echo {administrator} >{kptr}")
            guard.forget(SWEEP)
            assert lab.ssh(HOST, f"cat {kptr}").stdout.strip() == afterwards
    finally:
        lab.ssh(HOST, f"echo {before.strip()} >{kptr}")


def test_a_spool_nobody_came_back_for_is_removed_after_a_week(lab: Lab, guard: Guard) -> None:
    old, young = (f"/var/lib/fleetdiag/sweeps/{sweep_id}" for sweep_id in (SWEEP, OTHER))
    lab.ssh(HOST, f"mkdir -p {old}/tick {young}/tick; touch -d '9 days ago' {old}")
    guard.install_and_preflight()
    assert lab.ssh(HOST, "ls /var/lib/fleetdiag/sweeps").stdout.split() == [OTHER]


def test_abort_ends_every_sweep_and_leaves_what_was_sampled(lab: Lab, guard: Guard, module: bytes) -> None:
    ours, other = armed(guard, module), f"fd_{OTHER}_{PROBE}"
    # Of another sweep only the module is left: no spool, no unit that would end it.
    lab.ssh(
        HOST,
        f"sed s/fd_00000000_000000_0000_/fd_{OTHER}_/g /var/lib/fleetdiag/modules/{sha256_of(module)}.ko"
        f" >/run/{other}.ko; staprun -L /run/{other}.ko fd_ttl_ms=300000; rm /run/{other}.ko",
    )
    assert loaded(lab, other)
    aborted = guard.install_and_abort()
    assert aborted.sweeps == {SWEEP: 1, OTHER: 1}
    assert not aborted.residue
    assert not loaded(lab, ours)
    assert not loaded(lab, other)
    assert guard.install_and_abort().sweeps == {SWEEP: 0}  # its spool
    (session,) = guard.collect(SWEEP, {PROBE: 1 << 20}).sessions
    assert session.out_bytes > 0


def test_abort_ends_all_where_nothing_can_be_written(lab: Lab, guard: Guard, module: bytes) -> None:
    name = armed(guard, module)
    lab.ssh(
        HOST,
        "echo u >/proc/sysrq-trigger; until grep -q '^/dev/[a-z0-9]* / ext4 ro' /proc/mounts; do sleep 0.2; done",
    )
    try:
        guard.install_and_abort()
        assert not loaded(lab, name)
        left = left_behind(lab, HOST)
        assert "fd-" not in left
        assert "fleetdiag.lock" not in left
        (session,) = guard.collect(SWEEP, {PROBE: 1 << 20}).sessions
        assert session.out_bytes > 0
    finally:
        lab.ssh(HOST, "mount -o remount,rw /")


def test_a_second_sweep_is_told_who_holds_the_host(guard: Guard, module: bytes) -> None:
    armed(guard, module)
    plan = SessionPlan(PROBE, sha256_of(module), 1, [])
    reply = guard.arm(OTHER, ttl_s=60, timeout_s=10, smoke="", plans=[plan])
    assert reply.verdict == "busy"
    assert reply.reason == f"sweep {SWEEP} of ann@controller1 runs on this host"


def test_a_module_with_another_checksum_is_not_kept(guard: Guard, module: bytes) -> None:
    with pytest.raises(FleetdiagError, match="another checksum"):
        guard.put("0" * 64, module)


def test_a_cached_module_that_was_altered_is_not_loaded(lab: Lab, guard: Guard, module: bytes) -> None:
    name = armed(guard, module)
    guard.forget(SWEEP)
    lab.ssh(
        HOST,
        "for f in /var/lib/fleetdiag/modules/*.ko; do printf x | dd of=$f bs=1 seek=4000 conv=notrunc; done",
    )
    sha256 = sha256_of(module)
    reply = guard.arm(SWEEP, ttl_s=60, timeout_s=10, smoke="", plans=[SessionPlan(PROBE, sha256, 1, [])])
    assert reply.sessions[PROBE][0] == "failed"
    assert "damaged" in reply.sessions[PROBE][2]
    assert not loaded(lab, name)


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        ("printf x | dd of=$file bs=1 seek=4000 conv=notrunc", "damaged"),
        ("chmod g+w $file", "can be written by others"),
        ("chown 1 $file", "belongs to another user"),
        ("mv $file /run/fd-moved.ko; ln -s /run/fd-moved.ko $file", "no regular file but a link"),
        ("chmod g+w /var/lib/fleetdiag/modules", "no directory that root alone can write"),
    ],
)
def test_what_may_have_been_tampered_with_is_not_loaded(
    lab: Lab, guard: Guard, module: bytes, tamper: str, named: str
) -> None:
    sha256 = sha256_of(module)
    guard.put(sha256, module)
    lab.ssh(HOST, f"file=/var/lib/fleetdiag/modules/{sha256}.ko; {tamper}")
    try:
        reply = guard.arm(SWEEP, ttl_s=60, timeout_s=10, smoke="", plans=[SessionPlan(PROBE, sha256, 1, [])])
        said = reply.sessions[PROBE][2]
        assert reply.manifest == "verified"
    except FleetdiagError as error:
        said = str(error)
    finally:
        lab.ssh(HOST, "rm -f /run/fd-moved.ko; chmod 700 /var/lib/fleetdiag/modules")
    assert named in said
    assert not loaded(lab, f"fd_{SWEEP}_{PROBE}")


def test_the_window_is_sampled_and_both_ends_are_marked(lab: Lab, guard: Guard, module: bytes) -> None:
    armed(guard, module)
    began = time.monotonic()
    now_ms = int(float(lab.ssh(HOST, "date +%s.%N").stdout) * 1000)
    asking_s = time.monotonic() - began  # telling it takes as long, seconds on a busy machine
    start = now_ms + 5000 + int(4000 * asking_s)
    end = start + 3000
    assert guard.go(SWEEP, start, end) == {PROBE: True}
    wait_until(
        lambda: int(float(lab.ssh(HOST, "date +%s.%N").stdout) * 1000) > end + 1500, "the window is over", 30
    )
    (session,) = guard.collect(SWEEP, {PROBE: 1 << 20}).sessions
    records = [line.split("\t") for line in gzip.decompress(session.out_gz).decode().splitlines()]
    kinds = [record[2] for record in records]
    assert kinds[0] == "@armed"
    assert kinds[1] == "@start"
    assert kinds[-1] == "@end"
    assert records[-1][-1] == "window"
    assert start - 100 <= int(records[1][4]) < end
    assert 1 <= kinds.count("ticks") <= 7
    assert [int(record[1]) for record in records] == list(range(1, len(records) + 1))


def armed_with_window(lab: Lab, guard: Guard, module: bytes, ahead_s: int) -> int:
    """Load the module with a window of 3 s that begins so long from now; return its start by the host's clock, in ms."""
    sha256 = sha256_of(module)
    plan = SessionPlan(PROBE, sha256, 1, [("fd_nonce", "00ff00ff00ff00ff"), ("fd_ttl_ms", "900000")])
    start = int(float(lab.ssh(HOST, "date +%s.%N").stdout) * 1000) + ahead_s * 1000
    reply = guard.arm(
        SWEEP,
        ttl_s=900,
        timeout_s=60,
        smoke="",
        plans=[plan],
        window_ms=(start, start + 3000),
        modules={sha256: module},
    )
    assert reply.sessions[PROBE][0] == "armed"
    return start


def sampled(lab: Lab, guard: Guard) -> list[list[str]]:
    """Return what a session printed, once its window is over."""
    wait_until(lambda: not loaded(lab, f"fd_{SWEEP}_{PROBE}"), "it ends with its window", 150)
    (session,) = guard.collect(SWEEP, {PROBE: 1 << 20}).sessions
    records = [line.split("\t") for line in gzip.decompress(session.out_gz).decode().splitlines()]
    assert [record[2] for record in records[:2]] == ["@armed", "@start"]
    assert (records[-1][2], records[-1][-1]) == ("@end", "window")
    return records


def test_a_session_that_is_loaded_with_its_window_need_not_be_told(
    lab: Lab, guard: Guard, module: bytes
) -> None:
    start = armed_with_window(lab, guard, module, 60)
    assert start - 100 <= int(sampled(lab, guard)[1][4]) < start + 3000


def test_a_window_that_was_told_can_be_brought_forward(lab: Lab, guard: Guard, module: bytes) -> None:
    start = armed_with_window(lab, guard, module, 600)
    sooner = int(float(lab.ssh(HOST, "date +%s.%N").stdout) * 1000) + 10_000
    assert guard.go(SWEEP, sooner, sooner + 3000) == {PROBE: True}
    assert sooner - 100 <= int(sampled(lab, guard)[1][4]) < start


def test_a_host_that_is_not_as_it_was_remembered_starts_nothing(guard: Guard, module: bytes) -> None:
    plan = SessionPlan(PROBE, sha256_of(module), 1, [])
    wanted = {"ttl_s": 60, "timeout_s": 10, "smoke": "", "plans": [plan]}
    booted = guard.arm(SWEEP, **wanted, boot_id="another")
    assert booted.stale == "boot"
    assert booted.clock is not None
    now = guard.install_and_preflight()
    assert {key: booted.facts[key] for key in ("kernel", "boot_id", "staprun", "modules_held")} == {
        key: now[key] for key in ("kernel", "boot_id", "staprun", "modules_held")
    }
    assert guard.arm(SWEEP, **wanted, least={"free_mb": 99_999_999}).stale == "free_mb"
