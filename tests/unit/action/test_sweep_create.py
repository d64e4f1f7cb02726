# SPDX-License-Identifier: GPL-3.0-or-later
"""A sweep begins with its run directory, or with one sentence about what was asked and no run directory."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from fakehost import FakeHost, act
from fakesweep import HOSTS

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read


def create(folder: Path, *, only_looks: bool = False, **more: Any) -> dict[str, Any]:
    host = FakeHost("localhost")
    groups = {"all": [*HOSTS, "b1"], "web": list(HOSTS), "systemtap_builders": ["b1"]}
    hostvars: dict[str, dict[str, str]] = {"web3": {"sweep_peers": "old"}}
    args = {
        "probes": ["slow_open"],
        "window": "30s",
        "hosts": list(HOSTS),
        "runs_dir": str(folder / "runs"),
        **more,
    }
    known = {"groups": groups, "hostvars": hostvars, "ansible_check_mode": only_looks}
    done = act("sweep_create", host, task_vars=known, **args)
    assert host.asked == []
    return done


def test_a_run_directory_says_what_was_asked(tmp_path: Path) -> None:
    done = create(
        tmp_path,
        builders=["b1"],
        hosts=[*HOSTS, "b1"],
        parameters={"slow_open": {"threshold_ms": 5}},
        name="nightly",
    )
    assert (done["window_s"], done["in_batches"], done["at_once"]) == (30, False, True)
    run = read.open_run(Path(done["run_dir"]))
    assert (run.hosts, run.request.builders, run.request.name) == (list(HOSTS), ("b1",), "nightly")
    (probe,) = run.request.probes
    assert (probe.name, probe.parameters["threshold_ms"]) == ("slow_open", 5)
    peers = run.request.peers or {}
    assert peers["web1"] == peers["web2"] != peers["web3"]


def test_check_mode_makes_a_run_directory_that_is_no_sweep(tmp_path: Path) -> None:
    before = Path(create(tmp_path, only_looks=True)["run_dir"])
    os.utime(before, (1e9, 1e9))
    done = create(tmp_path, only_looks=True)
    run = Path(done["run_dir"])
    assert done["check"]
    assert read.open_run(run).request.check_mode
    assert list((tmp_path / "runs").iterdir()) == [run.parent]
    assert list(run.parent.iterdir()) == [run]  # the old one went
    assert create(tmp_path)["check"] is False


@pytest.mark.parametrize("more", [{"canary": "1"}, {"batch": "10%"}, {"drain": "50%", "balancers": ["lb1"]}])
def test_canaries_batches_and_less_traffic_make_batches(tmp_path: Path, more: dict[str, Any]) -> None:
    done = create(tmp_path, **more)
    assert (done["in_batches"], done["at_once"]) == (True, False)


def test_a_user_may_have_catalogs(tmp_path: Path) -> None:
    done = create(tmp_path, catalogs=[str(tmp_path / "none")])
    assert done["failed"]
    assert str(tmp_path / "none") in done["msg"]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"probes": []}, "no probe was named; say which"),
        ({"probes": ["slow_opne"]}, "slow_opne"),
        ({"window": "soon"}, "soon"),
        ({"start": 12.0}, "sweep_start 12: is "),
        ({"parameters": {"nettop": {}}}, "parameters for probe nettop: it is not part of this sweep"),
        ({"parameters": {"slow_open": {"treshold_ms": 5}}}, "treshold_ms"),
        ({"parameters": {"slow_open": {"threshold_ms": "often"}}}, "threshold_ms"),
        ({"overload_percent": 200}, "sweep_overload_percent: 200 is not a share of a processor"),
        ({"canary": "some"}, "sweep_canary: 'some' is no number of hosts"),
        ({"drain": "half", "balancers": ["lb1"]}, "sweep_drain: 'half' is no weight"),
        ({"drain": "50%"}, "sweep_drain: the inventory has no load balancer"),
        ({"builders": list(HOSTS)}, "no host is left to probe: the pattern names builders only"),
        ({"name": "../x"}, "../x"),
        (
            {"probes": ["example:network/nettop"], "examples_trouble": ["b1 could not be asked"]},
            "example:network/nettop: b1 could not be asked; install systemtap-doc",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence_before_anything_is_made(
    tmp_path: Path, more: dict[str, Any], sentence: str
) -> None:
    done = create(tmp_path, **more)
    assert done["failed"]
    assert sentence in done["msg"]
    assert "fault of fleetdiag" not in done["msg"]
    assert "\n" not in done["msg"]
    assert not (tmp_path / "runs").exists()


def test_a_start_to_come_is_a_start(tmp_path: Path) -> None:
    assert not create(tmp_path, start=time.time() + 3600).get("failed")


def test_the_programs_that_scripts_probe_are_named_or_refused(tmp_path: Path) -> None:
    text = 'global n\nprobe process({}).function("f") {{ n++ }}\nprobe end {{ println(n) }}\n'
    for name, path in (("one", '"/usr/b"'), ("two", "@1"), ("bad", '"nginx"')):
        (tmp_path / f"{name}.stp").write_text(text.format(path))
    both = [str(tmp_path / "one.stp"), str(tmp_path / "two.stp")]
    arguments = {both[1]: {"args": "/usr/a"}}
    assert create(tmp_path, probes=both, parameters=arguments)["programs"] == ["/usr/a", "/usr/b"]
    assert create(tmp_path)["programs"] == []
    done = create(tmp_path, probes=[str(tmp_path / "bad.stp")])
    assert "bad.stp: may not run: line 2 names a program without its folder" in done["msg"]
    done = create(tmp_path, probes=both, parameters={both[1]: {"args": "nginx"}})
    assert "names a program without its folder" in done["msg"]
