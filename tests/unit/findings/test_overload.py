# SPDX-License-Identifier: GPL-3.0-or-later
"""Times on a host that was overloaded say less, and what lies between client and server says least of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from bothsides import ADDRESSES, Rows, asked, served
from bothsides import evidence as nfs
from fleets import evidence, measure, simple, sums

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import find, overload
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.client_server.join import join
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.overload import Load
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import HostLoad

HOSTS = ["web1", "web2", "web3", "web4", "web5", "web6"]
WHY = "overloaded: load 9.2 on 2 processors"
BUSY = {"web3": Load(9.2, 2), "web1": Load(1.5, 2)}


def said(result: find.Found) -> str:
    """Return what the verdict says of overload."""
    return overload.sentence(result.overloaded, result.findings)


def totals(kind: str, load: Mapping[str, Load] = BUSY) -> find.Found:
    figures = {host: [10 * (9 if host == "web3" else 1)] * 20 for host in HOSTS}
    return find.find([evidence(simple(measure("sum", kind)), sums(**figures))], {}, load=load)


def test_a_time_on_an_overloaded_host_is_marked_and_the_verdict_says_so() -> None:
    result = totals("duration")
    (finding,) = result.findings
    assert (finding.host, finding.mark) == ("web3", WHY)
    assert said(result) == "web3 was overloaded (load 9.2 on 2 processors), which weakens 1 finding"


def test_what_is_counted_does_not_depend_on_it() -> None:
    result = totals("int")
    assert [finding.mark for finding in result.findings] == [""]
    assert said(result) == "web3 was overloaded (load 9.2 on 2 processors)"


@pytest.mark.parametrize("load", [{}, {"web3": Load(7.9, 2)}, {"web3": Load(9.2, 0)}])
def test_a_host_that_is_only_busy_is_not(load: dict[str, Load]) -> None:
    result = totals("duration", load)
    assert [finding.mark for finding in result.findings] == [""]
    assert said(result) == ""


def test_a_check_of_a_probe_may_measure_it_in_the_window() -> None:
    check = {"measure": "it", "above": 0.02, "severity": "warning", "overload": True}
    waits = evidence(
        {**simple(measure("mean", "duration")), "checks": [check]}, sums(web2=[0.045] * 9, web1=[0.001] * 9)
    )
    result = find.find([waits], {})
    assert said(result).startswith("web2 was overloaded (it 45 ms, above 20 ms)")
    assert all("overloaded" not in finding.mark for finding in result.findings), "it is the finding itself"


def story(load: Mapping[str, Load], *, took: float = 0.18, below: float = 0.17) -> find.Found:
    """web1 waits 400 ms, of which most is neither its own nor the server's."""
    requests: dict[str, Rows] = {"requests": {"web1": [asked("nfs1", 0.400, 0.398)]}}
    known = [
        nfs("nfs_client", requests),
        nfs("nfs_server", {"operations": {"nfs1": [served("10.77.0.11", took, below)]}}),
    ]
    return find.find(known, {}, join(known, ADDRESSES), load)


def seen(**more: float) -> HostLoad:
    """Return 30 s of a host with two processors that have half as much to do as they could."""
    idle = HostLoad(30.0, 2, 1.0, 1.0, busy_s=30.0, stolen_s=0.0, late_s=0.1, latest_s=0.02)
    return replace(idle, **more)


CROWDED = {"load_before": 1.0, "load_after": 5.5, "busy_s": 59.0}
"""12.4 tasks at a time, of which the average of the last minute says 5.5."""


@pytest.mark.parametrize(
    ("sessions", "why"),
    [
        ([seen(**CROWDED)], "12.4 tasks at a time on 2 processors"),
        ([seen(), seen(**CROWDED), seen()], "12.4 tasks at a time on 2 processors"),
        (
            [seen(**{**CROWDED, "busy_s": 30.0}, late_s=15.0, latest_s=0.25)],
            "12.4 tasks at a time on 2 processors, its timers were late for 50% of the window, at most 250 ms",
        ),
        ([seen(stolen_s=9.0)], "other machines had 15% of its processors' time"),
        ([seen(late_s=3.6, latest_s=0.41)], "its timers were late for 12% of the window, at most 410 ms"),
        (
            [seen(**CROWDED, stolen_s=6.0)],
            "12.4 tasks at a time on 2 processors, other machines had 10% of its processors' time",
        ),
    ],
)
def test_sessions_measure_in_the_window_that_a_host_is_overloaded(sessions: list[HostLoad], why: str) -> None:
    result = totals("duration", {"web3": Load(0.2, 2, tuple(sessions))})
    assert [finding.mark for finding in result.findings] == [f"overloaded: {why}"]
    assert said(result) == f"web3 was overloaded ({why}), which weakens 1 finding"


@pytest.mark.parametrize(
    "load",
    [
        Load(9.2, 2, (seen(),)),  # it was, before the window
        Load(0.2, 2, (seen(**{**CROWDED, "busy_s": 20.0}),)),  # they wait for a disk
        Load(0.2, 2, (seen(load_before=12.0, load_after=7.9, busy_s=59.0),)),  # the rest of the minute before
        Load(0.2, 2, (seen(stolen_s=5.0, late_s=2.9),)),
        Load(None, 0, (seen(seconds=0.0), seen(processors=0))),
        Load(None, 0),
    ],
)
def test_what_a_session_saw_is_more_than_what_was_before(load: Load) -> None:
    assert said(totals("duration", {"web3": load})) == ""


def test_of_a_short_window_the_load_before_it_is_judged() -> None:
    short = seen(seconds=5.0, **CROWDED)
    assert said(totals("duration", {"web3": Load(0.2, 2, (short,))})) == ""
    assert "(load 9.2 on 2 processors)" in said(totals("duration", {"web3": Load(9.2, 2, (short,))}))


@pytest.mark.parametrize("busy", ["web1", "nfs1"])
def test_the_network_is_not_blamed_for_what_waited_for_a_processor(busy: str) -> None:
    (finding,) = story({}).findings
    assert "on the network and in queues; " in finding.sentence
    result = story({busy: Load(12, 1)})
    (finding,) = result.findings
    assert finding.host == "nfs1"
    assert "170 ms of it (43%) in its file system and on its disk; " in finding.sentence
    assert "on the network and in queues 218 ms" in finding.sentence
    assert finding.mark == f"{busy} overloaded: load 12 on 1 processor"
    assert said(result) == f"{busy} was overloaded (load 12 on 1 processor), which weakens 1 finding"


def test_where_nothing_else_is_slow_the_way_is_named_with_the_mark() -> None:
    (finding,) = story({"web1": Load(12, 1)}, took=0.004, below=0.003).findings
    assert "on the network and in queues; " in finding.sentence
    assert finding.mark == "web1 overloaded: load 12 on 1 processor"
