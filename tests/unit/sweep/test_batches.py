# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is probed when, and when the others are not."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import windows
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    ArmRecord,
    CollectRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import WindowFile
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import batches
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.batches import Batch, Watched

WEB = [f"web{number}" for number in range(1, 11)]
NFS = ["nfs1", "nfs2"]
PEERS = {**dict.fromkeys(WEB, "web"), **dict.fromkeys(NFS, "nfs")}


def hosts_of(canary: object = "", batch: object = "", hosts: list[str] | None = None) -> list[list[str]]:
    return [list(one.hosts) for one in batches.plan(hosts or [*WEB, *NFS], PEERS, canary=canary, batch=batch)]


def test_without_either_there_are_no_batches() -> None:
    assert hosts_of() == hosts_of("0", "0%") == []


def test_canaries_are_the_first_of_each_set_of_peers_and_the_rest_follows_at_once() -> None:
    planned = batches.plan([*WEB, *NFS], PEERS, canary=1, batch="")
    assert [one.canary for one in planned] == [True, False]
    assert list(planned[0].hosts) == ["web1", "nfs1"]
    assert list(planned[1].hosts) == [*WEB[1:], "nfs2"]


def test_a_per_cent_is_at_least_one_host() -> None:
    assert hosts_of("20%")[0] == ["web1", "web2", "nfs1"]
    assert len(hosts_of(batch="1%")) == 12


def test_batches_follow_in_the_order_of_the_inventory() -> None:
    assert hosts_of(batch="5") == [WEB[:5], WEB[5:], NFS]
    assert hosts_of("1", "50%") == [["web1", "nfs1"], WEB[1:7], [*WEB[7:], "nfs2"]]


def test_where_all_are_canaries_nobody_is_left() -> None:
    assert hosts_of("10", hosts=WEB) == [WEB]


def test_every_host_is_in_one_batch() -> None:
    for canary in ("", "1", "30%", "99"):
        for batch in ("", "1", "7", "100%"):
            listed = [host for one in hosts_of(canary, batch) for host in one]
            assert sorted(listed) == (sorted([*WEB, *NFS]) if canary or batch else [])


@pytest.mark.parametrize("given", ["some", "-1", "101%", "1.5", "5 %"])
def test_what_is_no_number_of_hosts_is_refused(given: str) -> None:
    with pytest.raises(
        FleetdiagError, match=r"sweep_batch: .* is no number of hosts; say for instance 1 or 10%"
    ):
        batches.plan(WEB, PEERS, canary="", batch=given)


# --- whether to go on


ARMED = {"verdict": "ok", "sessions": {"tick": {"status": "armed", "seconds": 4}}}
COLLECTED = {"sessions": {"tick": {"result": "success", "cpu_s": 0.5}}, "residue": []}
OVERLOAD = "ERROR: probe overhead (1000 cycles) exceeded threshold (100 cycles) in last 10 cycles"


def watched(host: str = "web1", **more: Any) -> Watched:
    files = {"arm": ARMED, "collect": COLLECTED, **more}
    files["arm"] = ArmRecord.from_json(files["arm"]) if files["arm"] is not None else None
    files["collect"] = CollectRecord.from_json(files["collect"]) if files["collect"] is not None else None
    return Watched(host, 10.0, **files)


def said(*hosts: Watched, canary: bool = True, failed: int = 50) -> str:
    batch = Batch(tuple(host.host for host in hosts), canary=canary)
    return batches.verdict(batch, hosts, max_failed_percent=failed, max_cpu_percent=50)


def test_a_canary_without_trouble_lets_the_others_be_probed() -> None:
    assert said(watched()) == ""


def session(**more: Any) -> dict[str, Any]:
    return {**COLLECTED, "sessions": {"tick": {**COLLECTED["sessions"]["tick"], **more}}}  # type: ignore[index]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"arm": None}, "was not armed: it did not answer"),
        ({"arm": {"verdict": "refused", "reason": "no room"}}, "was not armed: no room"),
        ({"collect": None}, "nothing came back from it; it may have lost its network"),
        ({"collect": {**COLLECTED, "kernel": ["its kernel said: BUG: x"]}}, "its kernel said: BUG: x"),
        ({"collect": {**COLLECTED, "residue": ["fd_x"]}}, "module fd_x is still loaded"),
        ({"errors": {"tick": OVERLOAD}}, "tick cost too much and was ended by SystemTap"),
        ({"collect": session(result="oom-kill")}, "tick ended with oom-kill"),
        ({"collect": session(cpu_s=9)}, "tick used 64 % of a processor, more than 50 %"),
        (
            {"arm": {**ARMED, "sessions": {"tick": {"status": "failed", "error": "no"}}}},
            "tick could not be armed: no",
        ),
        ({"kept_out": "it cannot be given less traffic"}, "it cannot be given less traffic"),
    ],
)
def test_any_trouble_of_a_canary_keeps_the_others_out(more: dict[str, Any], why: str) -> None:
    assert said(watched(**more)) == f"canary web1: {why}"


def test_of_several_canaries_one_is_enough() -> None:
    assert said(watched(), watched("nfs1", collect=None)).startswith("canary nfs1: nothing came back")
    assert said(watched(collect=None), watched("nfs1", collect=None)).endswith("(and 1 more canary)")


def test_of_another_batch_more_than_a_share_must_have_trouble() -> None:
    hosts = [watched("web1", collect=None), *(watched(host) for host in ("web2", "web3", "web4"))]
    assert said(*hosts, canary=False, failed=25) == ""
    assert said(*hosts, canary=False, failed=24) == (
        "1 of 4 hosts of the batch before failed: web1: nothing came back from it; it may have lost its network"
    )


def test_a_host_that_was_left_out_for_its_weight_is_no_trouble_of_a_batch() -> None:
    assert said(watched(kept_out="its weight", arm=None), canary=False, failed=0) == ""


# --- window.json


def test_each_batch_has_its_own_window() -> None:
    data = batches.planned(batches.plan(["a", "b", "c"], {}, canary=1, batch=1))
    assert windows.window_of(data, "a") is None
    data = batches.opened(data, 1, {"start": 10.0, "end": 20.0})
    data = batches.opened(data, 2, {"start": 30.0, "end": 40.0})
    own = [windows.window_of(data, host) for host in ("a", "b", "c")]
    assert [window and (window["start"], window["end"]) for window in own] == [(10, 20), (30, 40), None]
    whole = WindowFile.from_json(data)
    assert (whole.start, whole.end, whole.reached) == (10, 40, 2)
    assert batches.part(data, 2, ["a", "b", "c"]) == (("b",), own[1])
    assert whole.part(2, ["a", "b", "c"]) == (("b",), whole.of_host("b"))


def test_without_batches_the_one_window_is_everybodys() -> None:
    data = {"start": 1.0, "end": 2.0}
    assert windows.window_of(data, "x") == data
    whole = WindowFile.from_json(data)
    assert batches.part(data, 0, ["x"]) == (["x"], data)
    assert whole.part(0, ["x"]) == (["x"], whole)
    assert windows.window_of(None, "x") is None
    assert (whole.reached, whole.why_not("x")) == (0, "")


def test_only_those_who_were_waiting_are_told_why() -> None:
    data = batches.planned(batches.plan(["a", "b"], {}, canary=1, batch=""))
    data = {**batches.opened(data, 1, {"start": 10.0, "end": 20.0}), "stopped": "canary a: oops"}
    whole = WindowFile.from_json(data)
    assert [whole.why_not(host) for host in ("a", "b")] == ["", "canary a: oops"]
