# SPDX-License-Identifier: GPL-3.0-or-later
"""What balancers answered is added to balancers.json, one moment after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fakehost import FakeHost, act

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import balancers, read

LABEL = "/run/haproxy/admin.sock: web/web1"


def record(run: Path, moment: str, results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return act("sweep_record_balancers", FakeHost(), run_dir=str(run), moment=moment, results=results, **more)


def test_moments_are_added_in_order_and_only_what_is_worth_keeping(run: Path) -> None:
    lowered = {"lb1": {"weights": {LABEL: {"before": 100, "after": 50}}, "settled": True, "diff": ["x"]}}
    record(run, "lowered", lowered, weight="50%", servers={"web1": "web1"}, ttl=600)
    record(run, "restored", {"lb1": {"weights": {LABEL: {"after": 100}}, "left": {}, "owed": {}}})
    kept = read.read_json(run, balancers.FILE)
    assert kept is not None
    assert (kept["weight"], kept["servers"]) == ("50%", {"web1": "web1"})
    first, second = kept["moments"]
    assert (first["moment"], second["moment"]) == ("lowered", "restored")
    assert set(first["balancers"]["lb1"]) == {"weights", "settled", "until"}


def test_a_host_whose_weight_could_not_be_lowered_is_left_out_with_the_reason(run: Path) -> None:
    results = {"lb1": {"unfit": {"web1": "it is the last one"}}, "lb2": {}}
    done = record(run, "lowered", results, servers={"host1": "web1", "host2": "web2"})
    assert done["left_out"] == {"host1": "it cannot be given less traffic: it is the last one"}
    again = record(run, "lowered", results, servers={"host1": "web1"}, probe_unfit=True)
    assert again["left_out"] == done["left_out"]  # of the batch before
    assert "host1" in (read.read_json(run, balancers.FILE) or {})["full_weight"]


def test_trouble_of_one_balancer_keeps_every_host_of_the_batch_out(run: Path) -> None:
    results = {"lb1": {"trouble": "lb1 cannot be reached"}, "lb2": {}}
    done = record(run, "lowered", results, servers={"web1": "web1", "web2": "web2"})
    assert list(done["left_out"]) == ["web1", "web2"]


def test_check_mode_writes_nothing(run: Path) -> None:
    done = act("sweep_record_balancers", FakeHost(), check_mode=True, run_dir=str(run), moment="sweep")
    assert done["would_run"]
    assert read.read_json(run, balancers.FILE) is None
