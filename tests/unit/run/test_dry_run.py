# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag sweep --dry-run`: what would be done is said, and nothing is done or left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import Command

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import (
    KernelBuild,
    ModuleBuild,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import EventRecord
from fleetdiag.run import dry_run, shards, sweep

ASKED = ("sweep", "-i", "hosts.yml", "-l", "web", "--probe", "slow_open", "--runs-dir", "runs")


def asked(path: Path, builders: list[str]) -> Path:
    """Make the run directory of a sweep of three hosts that only asked: one was refused, one did not answer."""
    path.mkdir()
    hosts = ["web1", "web2", "web3"]
    probes = [{"name": "nettop", "manifest": {}, "parameters": {}, "nonce": "0" * 16}]
    write.write_json(
        path, "sweep.json", {"format": 1, "hosts": hosts, "builders": builders, "probes": probes}
    )
    ok = {"verdict": "ok", "reason": "", "remedy": "", "kernel": "6.12.1", "host": "web1", "staprun": "5.6"}
    write.write_host(path, "web1", "preflight", ok)
    refused = {"verdict": "refused", "reason": "no room", "remedy": "free some", "kernel": "6.1.0"}
    write.write_host(path, "web2", "preflight", refused)
    said = "ssh: No route to host"
    write.append_event(path, EventRecord(1.0, "web3", phase="preflight", status="unreachable", message=said))
    return path


@pytest.mark.parametrize(("builders", "where"), [(["build1"], "build1"), ([], "web1 itself")])
def test_each_host_and_kernel_has_its_line(tmp_path: Path, builders: list[str], where: str) -> None:
    first, second, third, kernel, last = dry_run.lines(asked(tmp_path / "run", builders))
    assert first == "web1  would be probed, on kernel 6.12.1; 2 modules sent"
    assert second == "web2  would not be probed as it is: no room -> free some"
    assert third.startswith(
        "web3  would not be probed as it is: unreachable at preflight: ssh: No route to host -> "
    )
    assert kernel == f"for 6.12.1: nettop, compiled by {where}"
    assert last == "1 of 3 hosts would be probed as they are; nothing was installed, compiled, sent or loaded"


def test_what_was_compiled_before_is_not_compiled_and_what_a_host_holds_is_not_sent(tmp_path: Path) -> None:
    run = asked(tmp_path / "run", ["build1"])
    modules = {"smoke": ModuleBuild("cached", "a" * 64), "nettop": ModuleBuild("cached", "b" * 64)}
    write.build(run, KernelBuild("6.12.1", probes=modules))
    facts = {"verdict": "ok", "kernel": "6.12.1", "host": "web1", "modules_held": ["a" * 64, "b" * 64]}
    write.write_host(run, "web1", "preflight", facts)
    first, *_, kernel, _last = dry_run.lines(run)
    assert first == "web1  would be probed, on kernel 6.12.1; nothing sent"
    assert kernel == "for 6.12.1: nothing to compile; kept from before: nettop"


@pytest.mark.parametrize("option", ["--dry-run", "--check", "--preflight-only"])
def test_the_command_asks_and_leaves_nothing(fleetdiag: Command, home: Path, option: str) -> None:
    done = fleetdiag(*ASKED, option)
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.splitlines()
    assert first.startswith("web1  would not be probed as it is: unreachable at preflight: ")
    assert last.startswith("0 of 1 host would be probed as they are; ")
    assert list((home / "runs").iterdir()) == []


def test_shards_cannot_be_dry(home: Path) -> None:
    request = sweep.Request(
        inventory=[str(home / "hosts.yml")],
        probes=["slow_open"],
        window="5s",
        dry_run=True,
        sharding=shards.Sharding(shards=2),
    )
    with pytest.raises(FleetdiagError, match=r"--dry-run: .* leave out --shards"):
        sweep.check(request)
