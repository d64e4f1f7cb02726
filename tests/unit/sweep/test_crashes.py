# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that went down while it was probed is not probed with that probe again. guard.sh runs here, on boots of the
test's own; the controller's list lies in a directory of the test's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from modulehost import PROBE, SHA256, SWEEP, Host

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import PreflightRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import crashes, preflight
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl import SessionPlan
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl_replies import (
    ArmReply,
    read_collected,
)

LATER = "20261124_071502_00aa"
BOOT = "/proc/sys/kernel/random/boot_id"


class Booted(Host):
    """guard.sh on a host that can be booted again, and whose sessions live until then."""

    def __init__(self, folder: Path) -> None:
        self.boot, self.modules, self.loaded = folder / "boot_id", folder / "modules", folder / "loaded"
        self.boots(1)
        super().__init__(folder, {BOOT: str(self.boot), "/sys/module/": f"{self.modules}/"})

    def boots(self, number: int) -> None:
        self.boot.write_text(f"00000000-0000-4000-8000-{number:012d}\n")
        self.loaded.unlink(missing_ok=True)
        self.unload()

    def unload(self) -> None:
        for module in self.modules.glob("*"):
            module.rmdir()

    def armed(self, sweep: str, **more: object) -> ArmReply:
        (self.modules / f"fd_{sweep}_{PROBE}").mkdir(parents=True)  # what systemd-run will have started
        plan = SessionPlan(PROBE, SHA256, 1, [("fd_nonce", "00ff")])
        return self.guard.arm(sweep, ttl_s=60, timeout_s=1, smoke="", plans=[plan], **more)  # type: ignore[arg-type]

    def facts(self) -> dict[str, str]:
        record = preflight.record("web1", self.guard.install_and_preflight(), None)
        return dict(record.crashed)


@pytest.fixture
def host(tmp_path: Path) -> Booted:
    return Booted(tmp_path)


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_a_probe_with_which_the_host_went_down_is_not_loaded_again(host: Booted) -> None:
    assert host.armed(SWEEP).sessions[PROBE][0] == "armed"
    host.boots(2)
    reply = host.armed(LATER)
    state, _, said = reply.sessions[PROBE]
    assert state == "failed"
    assert SWEEP in said
    assert "--retry-crashed" in said
    assert not host.loaded.exists()
    assert host.facts() == {PROBE: SWEEP}  # also after the next preflight, which may remove old spools


@pytest.mark.parametrize("verb", ["preflight", "arm"])
def test_a_crash_is_remembered_though_nobody_came_back_for_a_week(host: Booted, verb: str) -> None:
    host.armed(SWEEP)
    host.boots(2)
    spool = host.home / "sweeps" / SWEEP
    os.utime(spool, (0, 0))
    if verb == "arm":
        assert host.armed(LATER).sessions[PROBE][0] == "failed"
    assert host.facts() == {PROBE: SWEEP}
    assert not spool.exists()


def test_who_collects_hears_of_it_once(host: Booted) -> None:
    host.armed(SWEEP)
    host.boots(2)
    (host.home / "sweeps" / SWEEP / PROBE / "err").touch()
    _, out, _ = host.run(f"exec /bin/sh {host.guard.path} collect {SWEEP}", None)
    collected = read_collected(out.splitlines(), {PROBE: 1 << 20})
    assert collected.crashed == [PROBE]
    assert any("--retry-crashed" in line for line in collected.kernel)
    assert host.facts() == {PROBE: SWEEP}


def test_a_session_that_was_ended_before_the_boot_is_no_crash(host: Booted) -> None:
    host.armed(SWEEP)
    host.unload()
    host.run(f"exec /bin/sh {host.guard.path} stop {SWEEP}", None)
    host.boots(2)
    assert host.armed(LATER).sessions[PROBE][0] == "armed"
    assert host.facts() == {}


def test_somebody_may_say_that_it_is_loaded_all_the_same(host: Booted) -> None:
    host.armed(SWEEP)
    host.boots(2)
    assert host.armed(LATER, retry_crashed=True).sessions[PROBE][0] == "armed"
    assert host.facts() == {}


def test_what_the_controller_knows_counts_where_the_host_has_forgotten(host: Booted) -> None:
    assert host.armed(LATER, crashed={PROBE: SWEEP}).sessions[PROBE][0] == "failed"
    assert not host.loaded.exists()


def test_the_controller_learns_from_the_host_and_forgets_on_demand() -> None:
    facts = preflight.record("web1", {"crashed": f"{PROBE}:{SWEEP} ../x:{SWEEP} nettop:soon"}, None)
    assert facts.crashed == {PROBE: SWEEP}
    assert crashes.for_arming("web1", facts, [PROBE], retry=False) == {"crashed": {PROBE: SWEEP}}
    assert crashes.for_arming("web1", PreflightRecord(), [PROBE], retry=False) == {"crashed": {PROBE: SWEEP}}
    assert crashes.for_arming("web2", PreflightRecord(), [PROBE], retry=False) == {"crashed": {}}
    assert crashes.for_arming("web1", facts, [PROBE], retry=True) == {"retry_crashed": True}
    assert crashes.known("web1") == {}


def test_what_is_only_remembered_teaches_nothing() -> None:
    facts = PreflightRecord(remembered=True, crashed={PROBE: SWEEP})
    assert crashes.for_arming("web1", facts, [PROBE], retry=False) == {"crashed": {}}
