# SPDX-License-Identifier: GPL-3.0-or-later
"""When the window starts, over real ssh to hosts that are this machine (see loopback): as soon as it can.

What hosts are remembered to take is written into their memory here: nothing depends on how quick this machine is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import PROGRAMS, Fleet, fleet, lacking
from loopsweeps import PROBES, sweep, verbs
from sweeps import SWEPT, coverage, newest, report_of

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.window import SMALL_FLEET

pytestmark = pytest.mark.skipif(bool(lacking()), reason=f"needs root and {', '.join(PROGRAMS)}")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Return as many known hosts as a start is foreseen for."""
    with fleet(tmp_path_factory.mktemp("many"), SMALL_FLEET) as made:
        made.build(list(PROBES))
        done = sweep(made, made.folder / "first")
        assert done.returncode == 0, done.stdout + done.stderr
        yield made


def remember(made: Fleet, seconds: float) -> None:
    """Let the controller believe that each host took so long to be armed."""
    for path in made.folder.glob("state/fleetdiag/hosts/*.json"):
        memory = json.loads(path.read_text())
        for arming in memory["arming"].values():
            arming["seconds"] = seconds
        path.write_text(json.dumps(memory))


def armings(made: Fleet) -> list[dict[str, Any]]:
    """Return what the controller remembers of how long each host took."""
    memories = [json.loads(path.read_text()) for path in made.folder.glob("state/fleetdiag/hosts/*.json")]
    return [arming for memory in memories for arming in memory["arming"].values()]


def sessions(run: Path) -> list[dict[str, Any]]:
    """Return what the hosts said of their sessions when they were armed."""
    armed = [json.loads(path.read_text()) for path in run.glob("hosts/*/arm.json")]
    return [session for host in armed for session in host["sessions"].values()]


def last_armed(run: Path) -> float:
    return max(float(json.loads(path.read_text())["ended"]) for path in run.glob("hosts/*/arm.json"))


def start_of(run: Path) -> float:
    return float(json.loads((run / "window.json").read_text())["start"])


def test_a_foreseen_start_is_told_with_the_arming_and_who_is_not_armed_then_is_late(
    many: Fleet, tmp_path: Path
) -> None:
    remember(many, 0.001)
    many.forget_commands()
    # Longer than any start lies ahead of hosts that are thought to be armed at once.
    many.sessions.arming_s.update(dict.fromkeys(many.names, 10.0))
    sweep(many, tmp_path)
    many.clear()
    for number in range(1, SMALL_FLEET + 1):
        assert verbs(many, number)[:2] == ["arm", "collect"]
    assert {session["status"] for session in sessions(newest(tmp_path))} == {"late"}
    assert all(arming["seconds"] > 0.001 and arming["hosts"] == SMALL_FLEET for arming in armings(many))


def test_a_start_that_was_foreseen_too_far_ahead_is_brought_forward(many: Fleet, tmp_path: Path) -> None:
    remember(many, 500.0)
    many.forget_commands()
    done = sweep(many, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert start_of(newest(tmp_path)) - last_armed(newest(tmp_path)) < 250.0
    for number in range(1, SMALL_FLEET + 1):
        assert verbs(many, number) == ["arm", "go", "collect", "forget"]
    assert {row["status"] for row in coverage(report_of(newest(tmp_path))).values()} <= SWEPT
    assert max(arming["seconds"] for arming in armings(many)) < 500.0


def test_a_host_that_is_known_to_arm_slowly_delays_nobody(many: Fleet, tmp_path: Path) -> None:
    """It is late by what it takes longer; the others have their whole window, long before it is armed."""
    slow, *others = many.names[:3]
    remember(many, 5.0)
    path = many.folder / "state" / "fleetdiag" / "hosts" / f"{slow}.json"
    path.write_text(path.read_text().replace('"seconds": 5.0', '"seconds": 60.0'))
    many.sessions.arming_s[slow] = 3600.0
    before = len(many.sessions.sessions)
    done = sweep(many, tmp_path, "-l", ",".join((slow, *others)))
    many.clear()
    assert done.returncode == 3, done.stdout + done.stderr
    rows = coverage(report_of(newest(tmp_path)))
    assert {rows[name]["status"] for name in others} <= SWEPT
    assert rows[slow]["status"] not in SWEPT
    opened = [one for one in many.sessions.sessions[before:] if one.started_at is not None]
    assert len(opened) == len(others) * len(PROBES)
