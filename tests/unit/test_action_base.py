# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps as Ansible runs them, on a run directory with damaged records: one host's never cost the others."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from fakehost import FakeHost, act

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import REPORT_IT, within
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.module_cache import ModuleStore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import host_cache

SWEEP = "20261123_071502_1f3a"
HOSTS = ("web1", "web2", "web3")
FACTS: dict[str, Any] = {
    "kernel": "6.12.107+deb13-amd64",
    "kernel_build_id": "",
    "staprun": "5.1",
    "boot_id": "5e3f2a10-9f2a-4a5a-8d36-0123456789ab",
    "clock": {"offset_s": 0.0, "error_s": 0.1},
    "verdict": "ok",
    "free_mb": 5000,
    "mem_available_mb": 700,
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    probe = {"name": "slow_open", "manifest": {}, "parameters": {}, "nonce": "00"}
    sweep = {"id": SWEEP, "hosts": list(HOSTS), "builders": [], "window_s": 30, "probes": [probe]}
    return write.create(tmp_path / "runs", sweep)


def play(tmp_path: Path, task: str, *, once: bool = True, **args: object) -> dict[str, dict[str, Any]]:
    """Run one step of the sweep on three hosts that are this machine; {host: its result}, warnings under ""."""
    wanted = {
        "name": "Build | Try",
        f"fleetdiag.systemtap.{task}": args,
        "run_once": once,
        "register": "result",
        "ignore_errors": True,
    }
    path = str(tmp_path / "{{ inventory_hostname }}.json")
    told = {"ansible.builtin.copy": {"dest": path, "content": "{{ result }}"}}
    (tmp_path / "play.yml").write_text(
        json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [wanted, told]}])
    )
    inventory = {"all": {"hosts": {host: {"ansible_connection": "local"} for host in HOSTS}}}
    (tmp_path / "inventory.yml").write_text(json.dumps(inventory))
    ansible = "from ansible.cli.playbook import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", ansible, "-i", str(tmp_path / "inventory.yml"), str(tmp_path / "play.yml")],
        env={**os.environ, "HOME": str(tmp_path), "ANSIBLE_PYTHON_INTERPRETER": sys.executable},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    results = {host: json.loads((tmp_path / f"{host}.json").read_text()) for host in HOSTS}
    return {**results, "": {"warnings": " ".join((done.stdout + done.stderr).split())}}


def test_a_plan_leaves_out_the_host_whose_record_breaks_a_rule_and_says_so(tmp_path: Path, run: Path) -> None:
    for host, change in zip(HOSTS, ({}, {"kernel": "../../evil"}, {}), strict=True):
        write.write_host(run, host, "preflight", {**FACTS, **change})
    done = play(tmp_path, "sweep_plan_batches", run_dir=str(run), canary="", batch="1")
    assert not done["web1"].get("failed")
    assert [batch["hosts"] for batch in done["web1"]["batches"]] == [["web1"], ["web3"]]
    assert "web2: is left out" in done[""]["warnings"]
    (event,) = read.read_events(run)
    assert (event.host, event.status, event.phase) == ("web2", "failed", "build")
    assert "kernel='../../evil'" in event.message


def test_a_memory_that_breaks_a_rule_costs_no_other_host(tmp_path: Path, run: Path) -> None:
    for host, change in zip(HOSTS, ({}, {"free_mb": [1]}, {"kernel": 5}), strict=True):
        host_cache.HostMemory().put(host, {"facts": {**FACTS, **change}})
    done = play(tmp_path, "sweep_use_known_hosts", run_dir=str(run))
    assert (done["web1"].get("failed"), done["web1"]["known"]) == (False, {})


@pytest.mark.parametrize("signed", [True, False])
def test_a_host_is_known_only_by_modules_that_are_signed_as_they_shall_be(
    tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch, signed: bool
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kernel = FACTS["kernel"]
    good = {**FACTS, "uid": "0", "systemd": "257", "init": "systemd"}
    for host, signer in (("web1", "33d2"), ("web2", "")):
        facts = {**good, "sig_enforce": "Y" if signer else "N", "signed": bool(signer)}
        host_cache.HostMemory().put(host, {"facts": facts, "stap": "5.6", "signer": signer})
        for source in sources.sources(
            read.open_run(run).request, stap="5.6", kernel=kernel, build_id="", signer=signer
        ):
            ModuleStore().put(source.key, b"module", {})
    done = play(tmp_path, "sweep_use_known_hosts", run_dir=str(run), signed=signed)
    assert done["web1"]["known"] == {"web1" if signed else "web2": kernel}


def test_an_exception_of_one_host_is_a_sentence_of_that_host(run: Path) -> None:
    done = act("sweep_preflight", FakeHost().says("", ValueError("odd")), run_dir=str(run))
    assert done["failed"] is True
    assert done["msg"] == f"fleetdiag.systemtap.sweep_preflight: ValueError: odd; {REPORT_IT}"


ROOM: dict[str, Any] = {"most_bytes": 1 << 40, "large": "too large"}


def _try_for_ever() -> None:
    """As Ansible's connections do: whatever Exception ends it, it is tried again."""
    while True:
        with contextlib.suppress(Exception):
            subprocess.run(["yes"], stdout=subprocess.DEVNULL, check=False)


def test_what_never_ends_is_ended_and_the_timeout_of_the_task_goes_on() -> None:
    signal.alarm(5000)
    try:
        with pytest.raises(FleetdiagError, match="too late"), within(1, "too late", **ROOM):
            _try_for_ever()
        assert 1000 < signal.alarm(0) <= 5000
    finally:
        signal.alarm(0)


def test_what_fills_the_memory_is_ended() -> None:
    taken: list[bytes] = []

    def take() -> None:
        """What is taken beyond the most that this process ever had, at a pace that a busy machine can follow."""
        while len(taken) < 250:
            taken.append(b"x" * (4 << 20))
            threading.Event().wait(0.01)

    with (
        pytest.raises(FleetdiagError, match="too large"),
        within(600, "too late", most_bytes=32 << 20, large="too large"),
    ):
        take()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_timeout_of_the_task_ends_what_would_have_longer() -> None:
    def of_the_task(*_: object) -> None:
        raise TimeoutError("of the task")

    before = signal.signal(signal.SIGALRM, of_the_task)
    signal.alarm(1)
    try:
        with pytest.raises(TimeoutError, match="of the task"), within(600, "too late", **ROOM):
            threading.Event().wait(60)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_what_ends_in_time_is_left_alone() -> None:
    with within(1000, "too late", **ROOM):
        pass
    assert signal.alarm(0) == 0
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
