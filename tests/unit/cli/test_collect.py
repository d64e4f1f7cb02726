# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag collect`: whom it goes to, and what it says where there is nothing to bring. test_flow brings something."""

from __future__ import annotations

import importlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.cli import collect

rundirs: Any = importlib.import_module("rundirs")


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """A sweep of three hosts: the first was collected, the second was not, the third was never armed."""
    made = rundirs.Builder(tmp_path, ["web1", "web2", "web3"])
    made.window()
    made.build()
    made.whole("web1", {"slow_open": made.out()})
    made.preflight("web2")
    made.arm("web2")
    made.go("web2")
    made.preflight("web3")
    return made.path


def test_a_host_on_which_no_session_could_be_started_has_nothing(tmp_path: Path) -> None:
    made = rundirs.Builder(tmp_path, ["web1"])
    made.window()
    made.arm("web1", failed=dict.fromkeys(made.probes, "ERROR: no room"))
    assert collect.still_there(made.path, time.time()) == []


def test_only_hosts_that_were_armed_and_not_collected_have_something(interrupted: Path) -> None:
    assert collect.still_there(interrupted, time.time()) == ["web2"]


def test_of_a_sweep_in_shards_each_is_asked(interrupted: Path) -> None:
    whole = interrupted.with_name("20261123_080000_0000")
    shards = whole / "shards"
    shards.mkdir(parents=True)
    shutil.copy(interrupted / "sweep.json", whole)
    other = rundirs.Builder(shards, ["web4"], sweep_id="20261123_080000_0001")
    other.window()
    other.preflight("web4")
    other.arm("web4")
    own = interrupted.rename(shards / interrupted.name)
    assert collect.left_on_hosts(whole, time.time()) == {other.path: ["web4"], own: ["web2"]}


def test_a_window_that_is_open_is_not_cut_short(interrupted: Path) -> None:
    end = rundirs.START + rundirs.WINDOW_S
    with pytest.raises(FleetdiagError, match="its window is still open; collect in 11 seconds"):
        collect.still_there(interrupted, end - 10)


def test_a_host_of_another_inventory_is_named(
    fleetdiag: Callable[..., Any], interrupted: Path, home: Path
) -> None:
    done = fleetdiag("collect", str(interrupted), "-i", str(home / "hosts.yml"))
    assert done.returncode == 2
    assert done.stderr == (
        "fleetdiag: output was left on 1 host (web2), none of them in this inventory and limit; name the inventory of"
        " the sweep\n"
    )


def test_a_host_that_does_not_answer_says_why_and_the_report_is_made(
    fleetdiag: Callable[..., Any], interrupted: Path, home: Path
) -> None:
    (home / "hosts.yml").write_text("all: {hosts: {web2: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n")
    done = fleetdiag("collect", str(interrupted), "-i", "hosts.yml")
    assert done.returncode == 3
    assert "fleetdiag: web2: " in done.stderr
    assert "Connection refused" in done.stderr
    assert "fleetdiag collect" in done.stdout  # what to do about web2
    assert (interrupted / "report.html").exists()


def test_where_nothing_is_left_the_report_is_made_again(
    fleetdiag: Callable[..., Any], interrupted: Path, home: Path
) -> None:
    for path in interrupted.glob("hosts/*/arm.json"):
        if json.loads(path.read_text())["host"] == "web2":
            path.unlink()
    done = fleetdiag("collect", str(interrupted), "-i", str(home / "hosts.yml"))
    assert done.returncode == 3
    assert "nothing is left on the hosts" in done.stderr


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_what_is_no_run_directory_is_said(fleetdiag: Callable[..., Any], home: Path, name: str) -> None:
    done = fleetdiag("collect", name, "-i", str(home / "hosts.yml"))
    assert done.returncode == 2
    assert {"nowhere": "no such run in", ".": "name one that a sweep has left"}[name] in done.stderr


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("hosts/web2/arm.json", {"sessions": [1]}),
        ("hosts/web2/arm.json", {"sessions": {"slow_open": 5}}),
        ("hosts/web2/arm.json", {"sessions": "x"}),
        ("window.json", {"end": "x"}),
        ("window.json", {"end": []}),
        ("window.json", {"end": 10**400}),
        ("window.json", {"end": "@1e400@"}),
    ],
)
def test_a_damaged_run_directory_is_one_sentence(
    fleetdiag: Callable[..., Any], interrupted: Path, home: Path, file: str, change: dict[str, Any]
) -> None:
    path = interrupted / file
    text = json.dumps({**json.loads(path.read_text()), **change}).replace('"@1e400@"', "1e400")
    path.write_text(text)
    done = fleetdiag("collect", str(interrupted), "-i", str(home / "hosts.yml"))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "damaged" in done.stderr
    assert "fleetdiag abort" in done.stderr
