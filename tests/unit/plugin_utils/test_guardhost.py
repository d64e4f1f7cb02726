# SPDX-License-Identifier: GPL-3.0-or-later
"""guard.sh on hosts in trouble: what is hostile there cannot forge its answers, and its brake works on any disk."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import guardhost
import pytest
from guardhost import HOME, GuardHost

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.guard import FILES

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
    (host.run / "dmesg").write_text(f"[{up:.6f}] BUG: {said}\n[{up:.6f}] Oops: second\n")
    collected = host.collect(SWEEP, "nettop")
    assert [session.probe for session in collected.sessions] == ["nettop"]
    assert collected.residue == []
    first, second = collected.kernel
    assert said in first
    assert second.rstrip().endswith("Oops: second")


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


def test_nothing_that_is_not_constant_is_echoed() -> None:
    for number, line in enumerate((FILES / "guard.sh").read_text().splitlines(), 1):
        code = re.sub(r"(^|\s)#.*", "", line)
        assert not re.search(r"\becho\b[^;|&>)]*[$`]", code), f"guard.sh:{number}: say it, echo reads backslashes"
        assert not re.search(r"(?:^|[\s;&|({]):\s*>", code), f"guard.sh:{number}: `: >` ends dash where it fails"
