# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of guard.sh: what it asks, and what it accepts from a host that cannot be trusted."""

from __future__ import annotations

import gzip
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


@pytest.mark.parametrize(("redact", "word"), [(True, "yes"), (False, "no")])
def test_arm_says_whether_secrets_are_taken_out(redact: bool, word: str) -> None:
    host = Host("verdict=ok\n")
    hostctl.Guard(host, script=b"").arm(SWEEP, ttl_s=1, timeout_s=1, smoke="", plans=[], redact=redact)
    assert f"redact {word}\n".encode() in (host.asked[0][1] or b"")


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


def test_no_command_goes_without_standard_input_so_that_no_terminal_mixes_in() -> None:
    host = Host("collect=complete\ngo nettop ok\n")
    one = hostctl.Guard(host, script=b"x")
    one.collect(SWEEP, {})
    assert one.go(SWEEP, 1, 2) == {"nettop": True}
    one.forget(SWEEP)
    assert [bool(data) for _, data in host.asked] == [True, True, True]
