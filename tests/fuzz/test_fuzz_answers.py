# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of hosts, mutated: each ends in a record that JSON can hold, or in one sentence; never in another exception.

FLEETDIAG_FUZZ_EXAMPLES: how many of each kind.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import assignment
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import (
    hostctl,
    preflight,
    window,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.clock import Clock

EXAMPLES = int(os.environ.get("FLEETDIAG_FUZZ_EXAMPLES", "150"))
SWEEP = "20261123_071502_1f3a"
OUT = b"rows\n"
PACKED = base64.b64encode(gzip.compress(OUT)).decode()
PREFLIGHT = [
    *("uid=0", "kernel=6.12.107+deb13-amd64", "arch=x86_64", "addresses=10.0.2.15 fd00::11"),
    *("kernel_build_id=0123456789abcdef0123456789abcdef01234567", "distribution=debian 13", "staprun=5.1"),
    *("boot_id=5e3f2a10-9f2a-4a5a-8d36-0123456789ab", "free_mb=5000", "mem_available_mb=700", "load1=0.25"),
    *("cpus=1", "lockdown=none", "sig_enforce=N", "modules_disabled=0", "fips=0", "container="),
    *("systemd=257", "init=systemd", f"modules_held={'a' * 64}"),
]
ARM = [
    "came=NOW.25",
    "manifest=verified",
    "smoke=passed",
    "session nettop armed 3",
    "verdict=ok",
    "left=NOW.75",
]
COLLECT = [
    *("came=NOW.25", "residue fd_x_nettop", "kernel taint 0 512", "kernel said BUG: x"),
    f"session nettop success 0 120000 {len(OUT)} {hashlib.sha256(OUT).hexdigest()} 9 1",
    *(f"out nettop {PACKED}", f"err nettop {PACKED}", "left=NOW.75", "collect=complete"),
]
GO = ["go nettop ok", "go slow_open failed"]
ABORT = [f"aborted {SWEEP} 2", "residue fd_x_nettop", "abort=complete"]
ODD = st.sampled_from(
    [
        *("", "²", "1e308", "nan", "-1", "9" * 400, "9" * 5000, "0x10", "\0", "../../evil", "a b -fprint c"),
        *("$(id)", "x\ry", "x\u2028y", "\udcff", "=", "==", "error=x", "stale=boot", "{0}", "None", "1" * 15),
    ]
)


@st.composite
def mutated(draw: st.DrawFn, good: list[str]) -> str:
    """Draw an answer of which some lines are dropped, repeated, in another place, or have another word in them."""
    lines = [line.replace("NOW", str(int(time.time()))) for line in good]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(lines) - 1)))
        kind = draw(st.sampled_from(["drop", "repeat", "move", "word", "value", "insert"]))
        if not lines or kind == "insert":
            lines.insert(at, draw(ODD | st.text(max_size=40)))
        elif kind == "drop":
            del lines[at]
        elif kind == "repeat":
            lines.insert(at, lines[at])
        elif kind == "move":
            lines.append(lines.pop(at))
        elif kind == "word":
            words = lines[at].split(" ")
            words[draw(st.integers(0, len(words) - 1))] = draw(ODD)
            lines[at] = " ".join(words)
        else:
            lines[at] = lines[at].partition("=")[0] + "=" + draw(ODD)
    return "\n".join(lines) + "\n"


def ends_well(step: Callable[[hostctl.Guard], object], out: str) -> None:
    """Run a step on a host that answers `out`: its record can be kept, or it is one sentence."""
    try:
        record = step(hostctl.Guard(lambda command, data: (0, out, ""), script=b""))
    except FleetdiagError as error:
        record = str(error)
        assert "\n" not in record
    json.dumps(record, allow_nan=False)


fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="FLEETDIAG_FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)


@fuzzed
@given(mutated(PREFLIGHT), ODD)
def test_preflights(out: str, clock: str) -> None:
    def asked(one: hostctl.Guard) -> object:
        now = f"{time.time():.3f}"
        record = preflight.ask(one, lambda: clock + now, "web1", min_free_mb=1, signed=False)
        assert preflight.unusable(record.to_json()) == ""  # whatever its verdict
        assert assignment.builds([record], [], ["smoke"]) or record.verdict == "refused"
        return record.to_json()

    ends_well(asked, out)


@fuzzed
@given(mutated(ARM) | mutated([*PREFLIGHT, "stale=boot", "came=NOW", "left=NOW"]))
def test_armings(out: str) -> None:
    plans = [hostctl.SessionPlan("nettop", "a" * 64, 64, [])]

    def armed(one: hostctl.Guard) -> object:
        reply = one.arm(SWEEP, ttl_s=1, timeout_s=1, smoke="", plans=plans)
        assert set(reply.sessions) <= {"nettop"}
        if reply.verdict == "ok" and not reply.stale:
            assert set(reply.sessions) == {"nettop"}
        clock = reply.clock or Clock(0.0, 0.0)
        window.on_host_clock(time.time(), clock.correction_s)
        return asdict(reply)

    ends_well(armed, out)


@fuzzed
@given(mutated(COLLECT))
def test_collections(out: str) -> None:
    def collected(one: hostctl.Guard) -> object:
        found = one.collect(SWEEP, {"nettop": 100})
        for session in found.sessions:
            assert gzip.decompress(session.out_gz) == OUT
        return [found.residue, found.kernel, [(s.cpu_s, s.out_bytes, s.result) for s in found.sessions]]

    ends_well(collected, out)


@fuzzed
@given(mutated(GO), mutated(ABORT))
def test_windows_and_aborts(go: str, abort: str) -> None:
    ends_well(lambda one: one.go(SWEEP, 1, 2), go)
    ends_well(lambda one: asdict(one.install_and_abort()), abort)
