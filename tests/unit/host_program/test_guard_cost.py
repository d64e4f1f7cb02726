# SPDX-License-Identifier: GPL-3.0-or-later
"""How many programs guard.sh starts on a host: each costs a busy host time, and a count is the same on any machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import guardhost
import pytest
from guardhost import HOME, GuardHost

pytestmark = pytest.mark.skipif(
    bool(guardhost.lacking()), reason=f"a host in a namespace needs {', '.join(guardhost.lacking())}"
)

BEFORE, SWEEP = "20261123_071502_1f3a", "20261123_081502_1f3b"
PROBES = ("nettop", "slow_open", "disktop", "iotop", "a_a", "b_b", "c_c", "d_d")


@pytest.fixture(params=["dash", "busybox"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GuardHost]:
    """Return a host that holds the modules of all probes, as one that was swept before."""
    with guardhost.guardhost(tmp_path / "host", shell=request.param) as made:
        made.guard.install_and_preflight()
        made.arm(BEFORE, *PROBES)
        made.guard.forget(BEFORE)
        (made.run / "prints").write_text("a plain line\n")
        made.count_programs()
        yield made


def armed(host: GuardHost, probes: tuple[str, ...]) -> list[str]:
    """Arm these probes and return the programs that were started for it, without sessions and what waits for them."""
    reply = host.arm(SWEEP, *probes, send=False)
    assert [state for state, _, _ in reply.sessions.values()] == ["armed"] * len(probes)
    return [name for name in host.started() if name not in ("staprun", "sleep")]


@pytest.mark.parametrize(("count", "most"), [(1, 18), (8, 25)])
def test_arming(host: GuardHost, count: int, most: int) -> None:
    started = armed(host, PROBES[:count])
    assert len(started) <= most, started


@pytest.mark.parametrize(("count", "most"), [(1, 13), (8, 27)])
def test_handing_over(host: GuardHost, count: int, most: int) -> None:
    probes = PROBES[:count]
    armed(host, probes)
    for probe in probes:
        host.end_session(SWEEP, probe)
        host.path(f"{HOME}/sweeps/{SWEEP}/{probe}/result").write_text("success 0 1500\n")
    host.started()
    collected = host.collect(SWEEP, *probes)
    assert [session.probe for session in collected.sessions] == sorted(probes)
    started = host.started()
    assert len(started) <= most, started


def test_the_end_of_a_session(host: GuardHost) -> None:
    """The step that its unit runs when it has ended."""
    armed(host, PROBES[:1])
    host.end_session(SWEEP, PROBES[0])
    assert len(started := host.started()) <= 2, started
