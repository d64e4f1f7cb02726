# SPDX-License-Identifier: GPL-3.0-or-later
"""guard.sh on hosts in trouble: what is hostile there cannot forge its answers, and its brake works on any disk."""

from __future__ import annotations

import fcntl
import gzip
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import guardhost
import pytest
from guardhost import HOME, GuardHost

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import host_program
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.host_program import FILES

pytestmark = pytest.mark.skipif(
    bool(guardhost.lacking()), reason=f"a host in a namespace needs {', '.join(guardhost.lacking())}"
)

SWEEP = "20261123_071502_1f3a"
LATER = "20261123_081502_1f3b"
HOSTILE = [r"\nresidue a", r"\\nerror=x\c", r"\\\\nstale=boot", r"\0101\012error=x %s%n"]
Make = Callable[..., GuardHost]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as stack:
        yield lambda **how: stack.enter_context(guardhost.guardhost(tmp_path / "host", **how))


@pytest.fixture(params=["dash", "busybox"])
def host(request: pytest.FixtureRequest, make: Make) -> GuardHost:
    made = make(shell=request.param)
    made.guard.install_and_preflight()
    return made


# --- what is said of data is said as it is


@pytest.mark.parametrize("said", HOSTILE)
def test_a_kernel_message_is_one_line_of_the_answer(host: GuardHost, said: str) -> None:
    host.arm(SWEEP, "nettop")
    up = float(Path("/proc/uptime").read_text().split()[0]) + 5
    (host.run / "dmesg").write_text(
        f"[{up:.6f}] INFO: task {said}:7 blocked for more than 120 seconds.\n[{up:.6f}] Oops: 0000 [#1]\n"
    )
    collected = host.collect(SWEEP, "nettop")
    assert [session.probe for session in collected.sessions] == ["nettop"]
    assert collected.residue == []
    first, second = collected.kernel
    assert said in first
    assert second.rstrip().endswith("Oops: 0000 [#1]")


@pytest.mark.parametrize("said", HOSTILE)
def test_what_a_session_complains_of_is_one_line_of_the_answer(host: GuardHost, said: str) -> None:
    (host.run / "fails").write_text(f"WARNING: {said}\n")
    reply = host.arm(SWEEP, "nettop", "disktop")
    assert (reply.verdict, reply.stale) == ("ok", "")
    assert {probe: state for probe, (state, _, _) in reply.sessions.items()} == {
        "nettop": "failed",
        "disktop": "failed",
    }
    assert all(said in words for _, _, words in reply.sessions.values())


@pytest.mark.parametrize("said", HOSTILE)
def test_what_systemd_complains_of_is_one_line_of_the_answer(host: GuardHost, said: str) -> None:
    host.arm(SWEEP, "slow_open")  # its timer is set, so that only the session is refused now
    (host.run / "refuses").write_text(f"Failed to start: {said}\n")
    reply = host.arm(SWEEP, "nettop", "disktop")
    assert (reply.verdict, reply.stale) == ("ok", "")
    assert all(state == "failed" and said in words for state, _, words in reply.sessions.values())
    assert len(reply.sessions) == 2


def lines_of_the_program() -> Iterator[tuple[str, int, str]]:
    """Yield (name of the part, number in it, line) of the whole host program."""
    for part in host_program.PARTS:
        text = (FILES / "guard" / f"{part}.part").read_text()
        yield from ((part, number, line) for number, line in enumerate(text.splitlines(), 1))


def test_nothing_that_is_not_constant_is_echoed() -> None:
    for part, number, line in lines_of_the_program():
        code = re.sub(r"(^|\s)#.*", "", line)
        assert not re.search(r"\becho\b[^;|&>)]*[$`]", code), (
            f"{part}:{number}: say it, echo reads backslashes"
        )
        assert not re.search(r"(?:^|[\s;&|({]):\s*>", code), (
            f"{part}:{number}: `: >` ends dash where it fails"
        )


# --- the brake, on a disk that takes nothing more


def fill(host: GuardHost) -> None:
    host.call(f"cat /dev/zero >{HOME}/filler 2>/dev/null; cat /dev/zero >{HOME}/filler2 2>/dev/null")
    assert host.call(f"echo x >{HOME}/more")[0] != 0


def make_read_only(host: GuardHost) -> None:
    """As a disk error does it."""
    host.sh("d=$(findmnt -no SOURCE /var/lib/fleetdiag); echo 1 >/sys/fs/ext4/${d##*/}/trigger_fs_error")
    assert host.call(f"echo x >{HOME}/more")[0] != 0


@pytest.fixture(params=["full", "read-only"])
def spoilt(request: pytest.FixtureRequest, make: Make, tmp_path: Path) -> GuardHost:
    """Two sessions run on a host whose disk is then full, or read-only."""
    full = request.param == "full"
    made = make(place=guardhost.small_tmpfs(1200) if full else guardhost.ext4(tmp_path / "disk"))
    made.guard.install_and_preflight()
    (made.run / "prints").write_text("mysqld --password=hunter2\n" + "x" * 70_000 + "\nhalf a rec")
    armed = made.arm(SWEEP, "nettop", "slow_open")
    assert {state for state, _, _ in armed.sessions.values()} == {"armed"}
    assert len(made.loaded()) == 2
    assert made.sysctls() == {name: during for name, (_, during) in guardhost.SYSCTLS.items()}
    (fill if full else make_read_only)(made)
    return made


def assert_ended(host: GuardHost) -> None:
    assert host.loaded() == []
    assert host.units() == []
    assert host.sysctls() == {name: before for name, (before, _) in guardhost.SYSCTLS.items()}
    assert not (host.run / "fleetdiag.lock").exists()


def test_abort_ends_everything_whatever_the_disk_is_like(spoilt: GuardHost) -> None:
    aborted = spoilt.guard.install_and_abort()
    assert (aborted.sweeps, aborted.residue) == ({SWEEP: 2}, [])
    assert_ended(spoilt)
    assert [path.name for path in spoilt.path(f"{HOME}/guard").glob("*.sh.*")] == []


def test_abort_of_another_version_uses_the_program_that_is_there(spoilt: GuardHost) -> None:
    newer = guardhost.hostctl.Guard(spoilt.call, script=spoilt.program + b"# of another controller\n")
    assert newer.install_and_abort().sweeps == {SWEEP: 2}
    assert_ended(spoilt)
    assert [path.name for path in spoilt.path(f"{HOME}/guard").glob("*.sh.*")] == []


def test_abort_says_what_is_still_loaded_whatever_the_disk_is_like(spoilt: GuardHost) -> None:
    (spoilt.run / "stuck").touch()
    assert len(spoilt.guard.install_and_abort().residue) == 2


@pytest.mark.parametrize("verb", ["stop", "reap", "forget"])
def test_whatever_ends_a_sweep_ends_all_of_it(spoilt: GuardHost, verb: str) -> None:
    spoilt.guard._call(f"{verb} {SWEEP}", None)
    assert_ended(spoilt)


def test_what_can_be_read_is_handed_over_without_secrets(spoilt: GuardHost) -> None:
    collected = spoilt.collect(SWEEP, "nettop", "slow_open")
    assert_ended(spoilt)
    for session in collected.sessions:
        text = gzip.decompress(session.out_gz)
        assert b"hunter2" not in text
        assert b"mysqld --password=***\n" in text
        assert text.endswith(b"\nhalf a rec")
        assert session.redacted_lines == 1
        assert session.printed_bytes > session.out_bytes
    assert [session.probe for session in collected.sessions] == ["nettop", "slow_open"]
    (said,) = collected.kernel
    assert f"{HOME} could not be written" in said


def test_a_full_disk_is_said_though_its_last_blocks_took_the_notes(make: Make, tmp_path: Path) -> None:
    """Beyond what anybody may fill there is room for root alone: how sessions ended is noted, what they print is cut."""
    host = make(place=guardhost.ext4(tmp_path / "disk"))
    host.guard.install_and_preflight()
    host.arm(SWEEP, "nettop")
    host.sh(f"fallocate -l $(df -B1 --output=avail {HOME} | tail -n 1) {HOME}/filler")
    collected = host.collect(SWEEP, "nettop")
    assert [session.probe for session in collected.sessions] == ["nettop"]
    (said,) = collected.kernel
    assert said.startswith(f"{HOME} has no room left: ")


def test_what_can_not_be_read_costs_no_other_session(host: GuardHost) -> None:
    host.arm(SWEEP, "nettop", "slow_open")
    host.sh(f"cd {HOME}/sweeps/{SWEEP}/nettop; until [ -d out ]; do rm -f out; mkdir out; done")
    collected = host.collect(SWEEP, "nettop", "slow_open")
    assert [session.probe for session in collected.sessions] == ["slow_open"]
    assert any("what nettop printed could not be read" in said for said in collected.kernel)


# --- a program that a power cut left empty or half


@pytest.mark.parametrize(
    "cut", ["program: empty", "program: half", "rules: half", "words: empty", "signers: empty"]
)
def test_a_program_that_is_not_whole_is_stale_and_heals(host: GuardHost, cut: str) -> None:
    what, how = cut.split(": ")
    name = host.guard.path.removesuffix("sh") + {"program": "sh", "rules": "sed"}.get(what, what)
    text = host.path(name).read_bytes()
    host.path(name).write_bytes(text[: len(text) // 2] if how == "half" else b"")
    assert host.arm(SWEEP, "nettop").stale == "guard"
    assert host.loaded() == []
    host.guard.install_and_preflight()
    assert host.arm(SWEEP, "nettop").sessions["nettop"][0] == "armed"


@pytest.mark.parametrize("part", [0.0, 0.5], ids=["empty", "half"])
def test_abort_ends_everything_where_the_program_is_not_whole(host: GuardHost, part: float) -> None:
    host.arm(SWEEP, "nettop")
    text = host.path(host.guard.path).read_bytes()
    host.path(host.guard.path).write_bytes(text[: int(len(text) * part)])
    assert host.guard.install_and_abort().sweeps == {SWEEP: 1}
    assert_ended(host)


def test_abort_writes_no_program_where_there_is_one(host: GuardHost) -> None:
    """A disk in trouble may hold for long who writes to it."""
    host.arm(SWEEP, "nettop")
    before = host.path(host.guard.path).stat().st_ino
    assert host.guard.install_and_abort().sweeps == {SWEEP: 1}
    assert host.path(host.guard.path).stat().st_ino == before


# --- sweeps that meet


def test_the_lock_of_a_sweep_that_came_meanwhile_stays(host: GuardHost) -> None:
    """Whoever ends a sweep waits for who is just taking the host."""
    host.arm(SWEEP, "nettop")
    lock = host.run / "fleetdiag.lock"
    taking = os.open(host.path(f"{HOME}/sweeps"), os.O_RDONLY)
    fcntl.flock(taking, fcntl.LOCK_EX)
    ending = threading.Thread(target=host.guard._call, args=(f"stop {SWEEP}", None))
    ending.start()
    waiter = re.compile(rf"-> FLOCK .*:{os.fstat(taking).st_ino} ")
    while ending.is_alive() and not waiter.search(Path("/proc/locks").read_text()):
        ending.join(0.05)
    try:
        assert lock.read_text().startswith(SWEEP)
        lock.write_text(f"{LATER} somebody\n")
    finally:
        os.close(taking)
        ending.join()
    assert lock.read_text().startswith(LATER)


# --- sweeps that were never collected


def test_an_older_sweep_leaves_the_signed_module_of_the_running_one_alone(host: GuardHost) -> None:
    signed = {"nettop": guardhost.module("nettop", b"\n~Module signature appended~\n")}
    host.arm(SWEEP, "nettop", modules=signed)
    host.guard._call(f"stop {SWEEP}", None)
    assert host.loaded() == []
    host.arm(LATER, "nettop", modules=signed)
    running = host.loaded()
    collected = host.collect(SWEEP, "nettop")
    host.guard.forget(SWEEP)
    assert collected.residue == []
    assert host.loaded() == running == ["fd_00000000_000000_0000_nettop"]
    host.guard._call(f"stop {LATER}", None)
    assert host.loaded() == []


# --- what everybody on a host can read


@pytest.mark.parametrize("signature", [b"", b"\n~Module signature appended~\n"], ids=["patched", "signed"])
def test_the_nonce_of_a_session_stands_on_no_command_line(host: GuardHost, signature: bytes) -> None:
    reply = host.arm(SWEEP, "nettop", modules={"nettop": guardhost.module("nettop", signature)})
    assert reply.sessions["nettop"][0] == "armed"
    lines = {name: (host.run / name).read_text() for name in ("staprun", "systemd-run", "sed")}
    assert all(SWEEP in text for name, text in lines.items() if name != "sed")
    assert [name for name, text in lines.items() if guardhost.NONCE in text] == []
    (session,) = host.collect(SWEEP, "nettop").sessions
    assert gzip.decompress(session.out_gz).startswith(f"{guardhost.NONCE}\t1\t@armed\t".encode())
    assert host.units() == []


def test_every_module_has_the_place_where_its_nonce_goes() -> None:
    (place,) = re.findall(r"^NONCE_PLACEHOLDER=(.*)$", host_program.text().decode(), re.MULTILINE)
    assert (FILES / "tapset" / "fleetdiag.stp").read_text().count(f'"{place}"') == 1
    assert len(place) == len(guardhost.NONCE)


# --- how sessions begin and end


def test_nothing_of_the_login_reaches_the_trivial_module(host: GuardHost) -> None:
    own = {"SYSTEMTAP_STAPRUN": "/tmp/evil", "STAP_FIPS_OVERRIDE": "1", "TMPDIR": "/tmp/evil", "GZIP": "-k"}
    host.set_environment(**own, LD_PRELOAD="/tmp/evil.so", SYSTEMTAP_REAL_UID="7")
    assert host.arm(SWEEP, "nettop", smoke=True).smoke == "passed"
    seen = dict(
        line.partition("=")[::2] for line in (host.run / "environment.smoke").read_text().splitlines()
    )
    assert seen.keys() <= {
        "PATH",
        "LC_ALL",
        "PWD",
        "SHLVL",
        "OLDPWD",
        "_",
    }  # those of the stand-in's own shell, too


def test_a_unit_that_systemd_refuses_costs_no_other_session(host: GuardHost) -> None:
    (host.run / f"refuses.fd-{SWEEP}-nettop.service").write_text("no such slice\n")
    reply = host.arm(SWEEP, "nettop", "disktop")
    assert {probe: (state, said) for probe, (state, _, said) in reply.sessions.items()} == {
        "nettop": ("failed", "no such slice "),
        "disktop": ("armed", ""),
    }
    assert len((host.run / "staprun").read_text().splitlines()) == 1


def test_a_sweep_that_was_aborted_meanwhile_starts_no_session(host: GuardHost) -> None:
    host.sh(f"mkdir -p {HOME}/sweeps/{SWEEP}; touch {HOME}/sweeps/{SWEEP}/aborted")
    reply = host.arm(SWEEP, "nettop", "disktop")
    assert {(state, said) for state, _, said in reply.sessions.values()} == {
        ("failed", "the sweep was aborted")
    }
    assert not (host.run / "staprun").exists()
    assert_ended(host)


def test_how_a_session_ended_is_known_though_the_disk_is_full(make: Make) -> None:
    host = make(place=guardhost.small_tmpfs(1200))
    host.guard.install_and_preflight()
    host.arm(SWEEP, "nettop")
    fill(host)
    host.end_session(SWEEP, "nettop")
    (session,) = host.collect(SWEEP, "nettop").sessions
    assert (session.result, session.status) == ("exit-code", "143")


def test_what_cannot_be_unloaded_is_tried_again_by_the_timer(host: GuardHost) -> None:
    host.arm(SWEEP, "nettop")
    assert (
        f"--unit=fd-{SWEEP}-reap --on-active=660 --on-unit-active=300 "
        in (host.run / "systemd-run").read_text()
    )
    (host.run / "stuck").touch()
    assert host.collect(SWEEP, "nettop").residue == [f"fd_{SWEEP}_nettop"]
    host.guard.forget(SWEEP)
    assert host.units() == [f"fd-{SWEEP}-reap.timer"]
    (host.run / "stuck").unlink()
    host.sh(f"/bin/sh {host.guard.path} reap {SWEEP}")
    assert (host.loaded(), host.units()) == ([], [])


def test_an_answer_that_is_kept_cannot_fill_the_disk(host: GuardHost) -> None:
    host.arm(SWEEP, "nettop")
    folder = host.run / "proc/systemtap" / f"fd_{SWEEP}_nettop"
    (folder / "window").touch()
    (folder / "data.json").touch()
    assert host.guard.go(SWEEP, 1, 2) == {"nettop": True}
    (watcher,) = re.findall("^.*-json.*$", (host.run / "systemd-run").read_text(), re.MULTILINE)
    assert " -p LimitFSIZE=1M " in watcher


def test_nobody_but_root_reads_what_is_kept_on_a_host(host: GuardHost) -> None:
    (host.run / "prints").write_text("mysqld --password=hunter2\n")
    host.arm(SWEEP, "nettop", "slow_open")
    host.collect(SWEEP, "nettop", "slow_open")
    assert host.sh(f"find {HOME} -type f | wc -l") != "0"
    assert host.sh(f"find {HOME} -perm /077") == ""
