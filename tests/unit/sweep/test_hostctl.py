# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of guard.sh: what it asks, and what it accepts from a host that cannot be trusted."""

from __future__ import annotations

import base64
import gzip
import hashlib
import time

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import hostctl

SWEEP = "20261123_071502_1f3a"


class Host:
    """Answers one command with what it was given, and keeps what it was asked."""

    def __init__(self, out: str = "", code: int = 0, err: str = "") -> None:
        self.answer = (code, out, err)
        self.asked: list[tuple[str, bytes | None]] = []

    def __call__(self, command: str, data: bytes | None) -> tuple[int, str, str]:
        self.asked.append((command, data))
        return self.answer


def packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data)).decode()


def answer(
    out: bytes = b"rows\n",
    *,
    probe: str = "nettop",
    sha256: str = "",
    result: str = "success 0 120000",
    redacted: str = "9 1",
) -> list[str]:
    sha256 = sha256 or hashlib.sha256(out).hexdigest()
    return [
        f"session {probe} {result} {len(out)} {sha256} {redacted}",
        f"out {probe} {packed(out)}",
        f"err {probe} {packed(b'WARNING: x')}",
        "collect=complete",
    ]


def test_preflight_installs_the_script_and_reads_the_facts() -> None:
    host = Host("uid=0\nkernel=6.12.107+deb13-amd64\nstaprun=\n")
    facts = hostctl.Guard(host, script=b"echo hi").install_and_preflight()
    assert facts == {"uid": "0", "kernel": "6.12.107+deb13-amd64", "staprun": ""}
    command, data = host.asked[0]
    assert data == b"echo hi"
    assert command.endswith(" preflight")
    assert "/tmp" not in command


def test_arm_sends_one_line_per_probe_and_reads_every_session() -> None:
    host = Host(
        "smoke=passed\nsession nettop armed 3\nsession disktop failed 1 ERROR: no probe\x1b[2J\nverdict=ok\n"
    )
    plans = [
        hostctl.SessionPlan("nettop", "a" * 64, 64, [("fd_nonce", "00ff"), ("interval_s", "5")]),
        hostctl.SessionPlan("disktop", "b" * 64, 64, []),
    ]
    reply = hostctl.Guard(host, script=b"").arm(SWEEP, ttl_s=200, timeout_s=60, smoke="", plans=plans)
    assert host.asked[0][1] is not None
    assert f"probe nettop {'a' * 64} 64 fd_nonce=00ff interval_s=5\n" in host.asked[0][1].decode()
    assert reply.verdict == "ok"
    assert reply.smoke == "passed"
    assert reply.sessions["nettop"] == ("armed", 3.0, "")
    assert reply.sessions["disktop"] == ("failed", 1.0, "ERROR: no probe\\x1b[2J")


def test_arm_names_the_modules_the_host_lacks() -> None:
    reply = hostctl.Guard(Host("missing= " + "b" * 64), script=b"").arm(
        SWEEP, ttl_s=1, timeout_s=1, smoke="", plans=[]
    )
    assert reply.missing == ["b" * 64]


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        (
            Host("error=cannot write /var/lib/fleetdiag: free space or remount it writable\n", 1),
            "cannot write",
        ),
        (Host("", 127, "sh: 0: cannot open /var/lib/fleetdiag/guard/x.sh"), "arm failed on the host: sh: 0"),
    ],
)
def test_what_the_host_complains_of_is_one_sentence(host: Host, sentence: str) -> None:
    with pytest.raises(FleetdiagError, match=sentence) as caught:
        hostctl.Guard(host, script=b"").arm(SWEEP, ttl_s=1, timeout_s=1, smoke="", plans=[])
    assert "\n" not in str(caught.value)


def test_collected_output_is_whole_and_its_unit_is_known() -> None:
    collected = hostctl.read_collected(["residue fd_x_nettop", *answer()], {"nettop": 100})
    (session,) = collected.sessions
    assert gzip.decompress(session.out_gz) == b"rows\n"
    assert session.err == b"WARNING: x"
    assert (session.result, session.status, session.cpu_s, session.out_bytes) == ("success", "0", 0.12, 5)
    assert (session.printed_bytes, session.redacted_lines) == (9, 1)
    assert collected.residue == ["fd_x_nettop"]


@pytest.mark.parametrize(
    ("line", "sentences"),
    [
        ("kernel taint 12288 12288", []),
        ("kernel taint 0 12288", []),  # a module of ours was loaded
        ("kernel taint 0 12800", ["its kernel is tainted by a warning since it was probed"]),
        ("kernel taint 512 12928", ["its kernel is tainted by an oops since it was probed"]),
        ("kernel booted", ["it was booted again while it was probed"]),
        ("kernel said [ 9.1] BUG: \x1b[2J", ["its kernel said: [ 9.1] BUG: \\x1b[2J"]),
        (
            "kernel full /var/lib/x",
            ["/var/lib/x has no room left: what its sessions printed may be lost; free space there"],
        ),
        ("kernel taint x", []),
    ],
)
def test_what_becomes_of_the_kernel_is_said(line: str, sentences: list[str]) -> None:
    assert hostctl.read_collected([line, *answer()], {"nettop": 100}).kernel == sentences


def test_output_from_which_nothing_was_taken_says_so() -> None:
    (session,) = hostctl.read_collected(answer(redacted="5 -"), {"nettop": 100}).sessions
    assert (session.printed_bytes, session.redacted_lines) == (5, None)


@pytest.mark.parametrize(("redact", "word"), [(True, "yes"), (False, "no")])
def test_arm_says_whether_secrets_are_taken_out(redact: bool, word: str) -> None:
    host = Host("verdict=ok\n")
    hostctl.Guard(host, script=b"").arm(SWEEP, ttl_s=1, timeout_s=1, smoke="", plans=[], redact=redact)
    assert f"redact {word}\n".encode() in (host.asked[0][1] or b"")


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (answer()[:-1], "did not arrive whole"),
        (answer(sha256="0" * 64), "another checksum"),
        (answer(b"x" * 101), "more output than its limit"),
        (answer(probe="../../../etc/passwd"), "nobody asked for"),
        (answer(result="success zero"), "cannot be read"),
        (answer(redacted="5 many"), "cannot be read"),
        (answer(redacted="5"), "cannot be read"),
        ([answer()[0], "out nettop AAAA", "collect=complete"], "not readable gzip"),
        ([answer()[0], "out nettop ~~~", "collect=complete"], "not readable base64"),
        ([answer()[0], "out nettop \x1f\udc8b\u2028", "collect=complete"], "not readable base64"),
        ([*answer()[:2], "err nettop AAAA", "collect=complete"], "what it said is not readable gzip"),
    ],
)
def test_a_bad_transfer_is_refused(lines: list[str], sentence: str) -> None:
    with pytest.raises(FleetdiagError, match=sentence):
        hostctl.read_collected(lines, {"nettop": 100})


def test_the_clock_is_taken_from_the_quickest_answer() -> None:
    times = iter([100.0, 101.0, 200.0, 200.2, 300.0, 302.0])
    answers = iter(["150.0", "250.1", "nonsense"])
    clock = hostctl.measure_clock(lambda: next(answers), now=lambda: next(times))
    assert clock.offset_s == pytest.approx(50.0)
    assert clock.error_s == pytest.approx(0.1)


def test_a_host_without_a_clock_is_an_error() -> None:
    with pytest.raises(FleetdiagError, match="clock could not be read"):
        hostctl.measure_clock(lambda: "date: not found")


def test_a_shell_that_greets_before_it_answers_does_not_hide_the_clock() -> None:
    clock = hostctl.measure_clock(lambda: "*** Authorized use only ***\n1000000050.0\n", now=lambda: 1e9)
    assert clock.offset_s == pytest.approx(50.0)


def test_a_shell_that_greets_on_the_line_of_its_answer_is_named() -> None:
    with pytest.raises(
        FleetdiagError, match=r"^its shell prints text .*\('hello there'\): let it .* \.bashrc"
    ):
        hostctl.measure_clock(lambda: "hello\nthere 1000000050.000000001\n", now=lambda: 1e9)


def test_a_window_that_is_known_goes_along_with_the_plan_and_so_do_modules() -> None:
    now = time.time()
    host = Host(f"came={now - 0.5:.3f}\nsession nettop started 0\nverdict=ok\nleft={now:.3f}\n")
    reply = hostctl.Guard(host, script=b"").arm(
        *(SWEEP,),
        ttl_s=90,
        timeout_s=60,
        smoke="",
        plans=[hostctl.SessionPlan("nettop", "b" * 64, 64, [])],
        window_ms=(1000, 2000),
        boot_id="b1",
        least={"free_mb": 200},
        by="ann@ctl\nid x",
        modules={"a" * 64: b"module"},
    )
    said = host.asked[0][1] or b""
    text, _, packed_module = said.partition(f"module {'a' * 64} ".encode())
    assert text.decode().splitlines()[-4:-1] == ["boot b1", "least free_mb 200", "window 1000 2000"]
    assert b"by ann@ctl\\x0aid x\n" in text  # no line of somebody else's
    size, _, data = packed_module.partition(b"\n")
    assert int(size) == len(data)
    assert gzip.decompress(data) == b"module"
    assert reply.sessions["nettop"][0] == "started"


def test_a_host_that_changed_says_so_and_starts_nothing() -> None:
    reply = hostctl.Guard(Host("came=1\nstale=boot\nkernel=6.1\nboot_id=b2\nleft=2\n"), script=b"").arm(
        SWEEP, ttl_s=1, timeout_s=1, smoke="", plans=[]
    )
    assert (reply.stale, reply.sessions) == ("boot", {})
    assert reply.facts == {"kernel": "6.1", "boot_id": "b2"}


def test_what_a_host_does_meanwhile_costs_its_clock_no_exactness() -> None:
    # sent at 100, asked at 100.2, done 7 s later, received at 107.4; the host is 50 s ahead
    clock = hostctl._clock(["came=150.2", "out x came=1", "left=157.2"], 100.0, 107.4)
    assert clock is not None
    assert clock.offset_s == pytest.approx(50.0)
    assert clock.error_s == pytest.approx(0.2)


@pytest.mark.parametrize(
    "lines", [[], ["came=1"], ["came=x", "left=2"], ["came=nan", "left=2"], ["came=1", "left=99"]]
)
def test_a_host_that_says_no_times_has_no_clock(lines: list[str]) -> None:
    assert hostctl._clock(lines, 0.0, 1.0) is None


def test_two_looks_at_a_clock_are_better_than_one() -> None:
    near, far = hostctl.Clock(1.0, 0.5), hostctl.Clock(1.2, 0.5)
    both = hostctl.better_clock(near, far)
    assert both is not None
    assert (both.offset_s, both.error_s) == (pytest.approx(1.1), pytest.approx(0.4))
    assert hostctl.better_clock(near, hostctl.Clock(9.0, 0.1)) == hostctl.Clock(
        9.0, 0.1
    )  # it was set meanwhile
    assert hostctl.better_clock(None, near) == hostctl.better_clock(near, None) == near


def test_an_offset_within_its_own_error_corrects_nothing() -> None:
    assert hostctl.Clock(0.3, 0.5).correction_s == 0.0
    assert hostctl.Clock(-3600.0, 0.5).correction_s == -3600.0


def test_no_command_goes_without_standard_input_so_that_no_terminal_mixes_in() -> None:
    host = Host("collect=complete\ngo nettop ok\n")
    one = hostctl.Guard(host, script=b"x")
    one.collect(SWEEP, {})
    assert one.go(SWEEP, 1, 2) == {"nettop": True}
    one.forget(SWEEP)
    assert [bool(data) for _, data in host.asked] == [True, True, True]


def test_output_that_is_nothing_but_wrapping_is_not_kept() -> None:
    head = answer(b"")[0]
    members = base64.b64encode(gzip.compress(b"") * 100).decode()
    with pytest.raises(FleetdiagError, match="bytes were sent, packed, for 0 bytes of output; not kept"):
        hostctl.read_collected([head, f"out nettop {members}", "collect=complete"], {"nettop": 100_000})


def test_output_that_cannot_be_packed_is_kept() -> None:
    noise = b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(9000))
    (session,) = hostctl.read_collected(answer(noise), {"nettop": 300_000}).sessions
    assert gzip.decompress(session.out_gz) == noise
