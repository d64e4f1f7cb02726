# SPDX-License-Identifier: GPL-3.0-or-later
"""A sweep dealt out to several workers of ansible-runner: the same report, whatever becomes of one of them."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from commands import Command, command_line, environment

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import EventRecord
from fleetdiag.run import shards
from fleetdiag.run.shards import Sharding

HERE = f"env PATH={Path(sys.executable).parent}:/usr/bin:/bin {sys.executable} -m ansible_runner worker"
ASKED = ("sweep", "-i", "hosts.yml", "--probe", "nettop", "--window", "5", "--runs-dir", "runs")


def ghosts(home: Path, port: int = 1) -> None:
    """Four hosts, in two groups, that never answer."""
    groups = {"web": ["web1", "web2", "web3"], "db": ["db1"]}
    children = {name: {"hosts": {host: {} for host in hosts}} for name, hosts in groups.items()}
    # A server that says nothing is waited for longer than any test takes.
    reach = {"ansible_host": "127.0.0.1", "ansible_port": port, "ansible_ssh_timeout": 300}
    inventory = {"all": {"vars": reach, "children": children}}
    (home / "hosts.yml").write_text(json.dumps(inventory), encoding="utf-8")


def told(folder: Path) -> dict[str, Any]:
    """What a report says, but for what tells one sweep from another."""
    data: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return {name: data[name] for name in data if name not in ("generated", "runs", "homes")}


def of_shards(home: Path) -> Path:
    (folder,) = (home / "runs").glob("*_*")
    return folder


def test_the_report_of_shards_is_that_of_one_sweep(fleetdiag: Command, home: Path) -> None:
    ghosts(home)
    whole = fleetdiag(*ASKED[:-1], "alone")
    (alone,) = (home / "alone").glob("*_*")
    done = fleetdiag(*ASKED, "--shards", "2")
    assert (done.returncode, whole.returncode) == (3, 3), done.stderr
    folder = of_shards(home)
    sent = [read.open_run(path).hosts for path in read.parts(folder)]
    assert sorted(sent) == [["web1", "web3"], ["web2", "db1"]]
    assert read.open_run(folder).hosts == ["db1", "web1", "web2", "web3"]
    one, other = told(alone), told(folder)
    assert [row["status"] for row in other["coverage"]] == ["unreachable"] * 4
    assert other["peers"] == {"web1": "web", "web2": "web", "web3": "web", "db1": "db"}
    assert other == one


def test_a_named_sweep_in_shards_is_one_run_of_that_name(fleetdiag: Command, home: Path) -> None:
    ghosts(home)
    done = fleetdiag(*ASKED, "--shards", "2", "--name", "nightly")
    assert done.returncode == 3, done.stderr
    (run,) = json.loads(fleetdiag("runs", "--json", "--runs-dir", "runs").stdout)
    assert (run["id"], run["sweep"], run["hosts"]) == (of_shards(home).name, "nightly", 4)
    news = json.loads((of_shards(home) / "news.json").read_text())
    assert (news["name"], news["coverage"]["unknown"]) == ("nightly", ["db1", "web1", "web2", "web3"])
    again = fleetdiag("report", "nightly", "--runs-dir", "runs")
    assert (again.returncode, "4 unreachable" in again.stdout) == (3, True), again.stderr


def test_hosts_of_lost_shards_are_not_probed(fleetdiag: Command, home: Path) -> None:
    ghosts(home)
    lost = {
        "sh -c 'exit 7'": "its worker ended with exit code 7",
        f"sh -c '{HERE} | head -c 3000; kill -9 $$'": "its worker was killed by signal 9",
        "/no/such/worker": "its worker cannot be started (/no/such/worker: No such file or directory)",
    }
    workers = [word for worker in (HERE, *lost) for word in ("--worker", worker)]
    done = fleetdiag(*ASKED, "--shards", "4", *workers)
    assert done.returncode == 3, done.stderr
    rows = {row["host"]: row for row in told(of_shards(home))["coverage"]}
    assert rows.pop("web1")["status"] == "unreachable"
    for number, (host, why) in enumerate(zip(("web2", "web3", "db1"), lost.values(), strict=True), 2):
        assert f"fleetdiag: shard {number} ({host}) is lost: {why}" in done.stderr
        row = rows[host]
        assert (row["status"], row["remedy"]) == ("not probed", "sweep again")
        assert row["reason"] == f"its shard of the sweep was lost: {why}"


def test_a_sweep_of_which_no_shard_came_back_says_why(fleetdiag: Command, home: Path) -> None:
    ghosts(home)
    done = fleetdiag(*ASKED, "--shards", "2", "--worker", "false")
    assert done.returncode == 2
    assert "the sweep could not start: no shard came back" in done.stderr
    assert "shard 2: its worker ended with exit code 1" in done.stderr


def test_an_interrupt_ends_all_shards_and_makes_the_report(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ghosts(home, silent.getsockname()[1])
        command = command_line(*ASKED, "--shards", "2")
        variables = environment(home)
        with subprocess.Popen(command, cwd=home, env=variables, stderr=subprocess.PIPE, text=True) as running:
            assert running.stderr is not None
            for line in running.stderr:
                if "preflight (" in line:
                    break
            silent.settimeout(60)
            client, _ = silent.accept()  # ssh of the first host has come: all have begun
            with client:
                running.send_signal(signal.SIGINT)
                said = running.stderr.read()
                assert running.wait(timeout=60) == 130, said
    assert "Traceback" not in said
    rows = told(of_shards(home))["coverage"]
    assert {row["status"] for row in rows} == {"not probed"}
    assert "interrupted" in rows[0]["reason"]


def test_hosts_are_dealt_out_in_turn() -> None:
    assert shards.dealt(["a", "b", "c", "d", "e"], 2) == [["a", "c", "e"], ["b", "d"]]
    assert shards.dealt(["a", "b"], 5) == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (Sharding(shards=0), "--shards 0: is out of range"),
        (Sharding(shards=101), "--shards 101: is out of range"),
        (Sharding(workers=["a", "b"], shards=1), "2 workers for 1 shards"),
        (Sharding(workers=["'"]), "quote it as a shell would"),
        (Sharding(workers=[" "]), "--worker: is empty"),
    ],
)
def test_what_cannot_be_is_said(asked: Sharding, why: str) -> None:
    with pytest.raises(FleetdiagError, match=why):
        shards.check(asked)


def test_the_time_until_the_window_is_learned(tmp_path: Path) -> None:
    assert shards.learned_lead_s(tmp_path / "none") == shards.DEFAULT_LEAD_S
    for second, took in ((1, 500), (2, 90), (3, 100), (4, 100), (5, 100), (6, 100)):
        name = f"20261123_08000{second}_ab12"
        created = 1_795_420_800 + second
        iso = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(created))
        path = write.create(tmp_path, {"id": name, "created": iso})
        for seconds in (1, took):
            write.append_event(path, EventRecord(created + seconds, "web1", phase="arm", status="ok"))
    assert shards.learned_lead_s(tmp_path) == 150  # that of 500 s was too long ago
