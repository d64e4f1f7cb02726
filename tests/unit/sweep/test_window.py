# SPDX-License-Identifier: GPL-3.0-or-later
"""Who builds for whom, what is armed, and when: the plan of a sweep."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import assignment
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Limits, Parameter, Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import arming, request
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import window as sweep_window
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.window import (
    LEAD_PER_HOST_S,
    Contact,
    answer_s,
    check_start,
    contact_s,
    foreseen_window,
    given_window,
    in_proportion,
    on_host_clock,
    place_s,
)

NOW = datetime(2026, 11, 23, 7, 15, 2, tzinfo=UTC)


def facts(host: str, kernel: str, verdict: str = "ok") -> dict[str, str]:
    return {"host": host, "kernel": kernel, "kernel_build_id": "ab", "verdict": verdict, "staprun": "5.1"}


def probe(name: str = "slow_open") -> Probe:
    return Probe(
        name=name,
        description="d",
        question="q?",
        output="rows",
        cost="low",
        limits=Limits(output_mb=7, arm_seconds=20),
        parameters={
            "threshold_ms": Parameter("threshold_ms", "int", 1000, "d"),
            "process": Parameter("process", "string", "", "d"),
            "module": Parameter("module", "string", "ext4", "d", when="compile"),
        },
    )


def test_a_sweep_id_fits_file_unit_and_module_names() -> None:
    assert re.fullmatch(r"20261123_071502_[0-9a-f]{4}", request.new_id(NOW))


NAMES = ["smoke", "slow_open", "nettop"]


def test_each_kernel_is_built_once_and_shared_among_the_builders() -> None:
    hosts = [facts("w1", "6.12"), facts("w2", "6.12"), facts("w3", "7.2"), facts("w4", "6.1", "refused")]
    builds = assignment.builds(hosts, ["b1", "b2"], NAMES)
    assert [(b.kernel, b.leader, b.builders) for b in builds] == [
        ("6.12", "w1", ["b1", "b2"]),
        ("7.2", "w3", ["b2", "b1"]),
    ]
    assert not any(build.target_mode for build in builds)
    assert all(build.whole and build.names == NAMES for build in builds)
    assert builds[0].stapruns == ["5.1"]


def test_more_builders_than_kernels_share_the_modules_of_one_as_far_as_there_are_hosts_to_lead() -> None:
    hosts = [facts("w1", "6.12"), facts("w2", "6.12"), facts("w3", "7.2"), facts("w4", "6.1", "refused")]
    builds = assignment.builds(hosts, ["b1", "b2", "b3", "b4"], NAMES)
    assert [(b.kernel, b.leader, b.builders, b.names) for b in builds] == [
        ("6.12", "w1", ["b1", "b3", "b2", "b4"], ["smoke", "nettop"]),
        ("6.12", "w2", ["b3", "b1", "b2", "b4"], ["slow_open"]),
        ("7.2", "w3", ["b2", "b4", "b3", "b1"], NAMES),  # no host is left to lead its other half
    ]
    assert [build.whole for build in builds] == [False, False, True]


@pytest.mark.parametrize("kernels", [1, 2, 3, 5])
@pytest.mark.parametrize("builders", [1, 2, 3, 7])
def test_every_module_is_built_by_one_builder_and_every_builder_can_take_over(
    kernels: int, builders: int
) -> None:
    hosts = [facts(f"w{number}", f"6.{number % kernels}") for number in range(20)]
    asked = [f"b{number}" for number in range(builders)]
    builds = assignment.builds(hosts, asked, NAMES)
    modules = [(build.kernel, name) for build in builds for name in build.names]
    assert sorted(modules) == sorted((f"6.{kernel}", name) for kernel in range(kernels) for name in NAMES)
    assert all(sorted(build.builders) == asked for build in builds)
    assert len({build.leader for build in builds}) == len(builds)
    assert len({build.builders[0] for build in builds}) == min(builders, len(builds))


def test_without_a_builder_the_first_host_of_each_kernel_builds() -> None:
    builds = assignment.builds([facts("w1", "6.12"), facts("w2", "6.12")], [], NAMES)
    assert [(b.builders, b.leader, b.target_mode, b.names) for b in builds] == [(["w1"], "w1", True, NAMES)]


def test_a_session_gets_its_load_parameters_and_no_empty_or_compile_ones() -> None:
    recorded = {
        "slow_open": {"nonce": "00ff", "parameters": {"threshold_ms": 500, "process": "", "module": "xfs"}}
    }
    (session,) = arming.sessions(
        [probe(), probe("nettop")], recorded, {"slow_open": "a" * 64}, ttl=200, window_s=30
    )
    assert session.probe == "slow_open"
    assert session.output_mb == 7
    assert session.values == [("fd_nonce", "00ff"), ("fd_ttl_ms", "200000"), ("threshold_ms", "500")]


def test_an_unmodified_script_is_told_the_time_and_only_what_it_does_not_know() -> None:
    script = replace(probe(), output="auto", unmodified=True)
    values = {name: parameter.default for name, parameter in script.parameters.items()}
    recorded = {"slow_open": {"nonce": "00ff", "parameters": values}}

    def loaded(window_s: int) -> list[tuple[str, str]]:
        (session,) = arming.sessions([script], recorded, {"slow_open": "a" * 64}, ttl=1, window_s=window_s)
        return list(session.values)

    assert loaded(30) == [("fd_nonce", "00ff"), ("fd_ttl_ms", "1000"), ("fd_stamp_ms", "100")]
    assert ("fd_stamp_ms", "1200") in loaded(3600)
    values["threshold_ms"] = 7
    assert ("threshold_ms", "7") in loaded(30)


def test_the_text_of_a_script_that_is_in_no_catalog_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "my.stp"
    path.write_text("probe begin {}")
    script = replace(probe(), unmodified=True, script=path)
    sweep = request.new_sweep(
        now=datetime.now(UTC),
        version="0",
        probes=[script, probe("nettop")],
        values={},
        window_s=1,
        hosts=[],
        peers={},
        conditions={},
    )
    assert sweep["probes"][0]["script"] == "probe begin {}"
    assert "script" not in sweep["probes"][1]


def test_arming_may_take_what_all_probes_need_together_and_a_session_outlives_it() -> None:
    timeout = arming.arm_timeout_s([probe(), probe("nettop")])
    assert timeout == 70
    assert arming.ttl_s(timeout, 30) > 2 * timeout + 30


@pytest.mark.parametrize(
    ("hosts", "forks", "answer", "lead"), [(3, 25, 0.2, 3.0), (200, 25, 0.5, 6.0), (10, 5, 2.0, 6.0)]
)
def test_the_window_starts_after_the_last_host_has_heard_of_it(
    hosts: int, forks: int, answer: float, lead: float
) -> None:
    window = sweep_window.window(1000.0, 30, armed_hosts=hosts, forks=forks, answer_s=answer)
    assert window["start"] == pytest.approx(1000.0 + lead)
    assert window["end"] - window["start"] == 30


def test_no_armed_host_means_no_window() -> None:
    with pytest.raises(FleetdiagError, match="no host is armed"):
        sweep_window.window(1000.0, 30, armed_hosts=0, forks=5, answer_s=0.1)


def test_the_window_is_told_in_the_hosts_own_time() -> None:
    assert on_host_clock(1000.5, -2.25) == 998250


GROUPS = {
    "web1": ["debian13", "site", "web"],
    "web2": ["debian13", "site", "web"],
    "web3": ["testing", "site", "web"],
    "nfs1": ["site", "nfs"],
    "lone": [],
}


def test_hosts_are_compared_with_those_of_their_deepest_then_largest_group() -> None:
    depths = {"site": 1, "web": 2, "nfs": 2, "debian13": 2, "testing": 2}
    sets = request.peer_sets(list(GROUPS), GROUPS, depths, {})
    assert sets == {"web1": "web", "web2": "web", "web3": "web", "nfs1": "nfs", "lone": ""}


def test_the_inventory_may_name_the_hosts_that_are_alike() -> None:
    sets = request.peer_sets(["web1", "web2"], GROUPS, {}, {"web1": "canary"})
    assert sets == {"web1": "canary", "web2": "site"}


@pytest.mark.parametrize(
    ("start", "said"), [(900.0, "100.0 s ago"), (1001.0, "only 1.0 s ahead"), (9e5, "a day")]
)
def test_a_start_that_nobody_can_make_is_refused(start: float, said: str) -> None:
    with pytest.raises(FleetdiagError, match=said):
        check_start(start, 1000.0)
    check_start(0.0, 1000.0)
    check_start(1060.0, 1000.0)


def test_a_given_window_is_kept_though_it_began_and_refused_once_it_is_over() -> None:
    assert given_window(1000.0, 30, 1010.0) == {"start": 1000.0, "end": 1030.0}
    with pytest.raises(FleetdiagError, match=r"ended 5\.0 s ago"):
        given_window(1000.0, 30, 1035.0)


def test_the_foreseen_start_waits_for_the_slowest_and_not_for_one_out_of_proportion() -> None:
    wanted = {"window_s": 30, "forks": 10, "arm_timeout": 300}
    contacts = [Contact(0.5, 10)] * 20
    quick = foreseen_window(1000.0, armings=[1.0] * 20, contacts=contacts, **wanted)
    slow = foreseen_window(1000.0, armings=[1.0] * 19 + [8.0], contacts=contacts, **wanted)
    odd = foreseen_window(1000.0, armings=[1.0] * 19 + [100.0], contacts=contacts, **wanted)
    assert quick is not None
    assert slow is not None
    assert 1001.0 + 20 * 0.5 / 10 < quick["start"] < 1010.0
    assert slow["start"] - quick["start"] > 7
    assert odd == quick
    assert quick["end"] == quick["start"] + 30


def test_hosts_that_are_asked_fewer_at_a_time_take_as_long_in_all_and_not_longer() -> None:
    """Of two hundred a busy controller was what they waited for; a single one that was alone answers as it did."""

    def lead(asked: list[tuple[float, int]], forks: int) -> float:
        contacts = [Contact(*one) for one in asked]
        window = foreseen_window(0.0, 30, armings=[0.3], contacts=contacts, forks=forks, arm_timeout=300)
        assert window is not None
        return window["start"]

    busy = [(0.4, 25), *[(2.0, 25)] * 199]
    assert lead(busy, 10) == lead(busy, 25) > 16
    assert lead(busy, 1) > 1.3 * 0.4 * 200
    assert lead([(2.0, 25)], 25) == pytest.approx(1.0 + 1.3 * (2.3 + LEAD_PER_HOST_S))


def test_what_all_of_it_took_counts_more_than_the_commands_alone() -> None:
    """Of a hundred hosts, 25 at a time, each command took 2 s and each place 4 s: Ansible itself works, too."""
    chosen, ended = 1000.0, [1000.0 + 0.16 * number for number in range(1, 101)]
    measured = place_s(chosen, ended, 25)
    assert measured == pytest.approx(4.0)
    assert place_s(chosen, [*ended[:99], 9999.0], 25) == pytest.approx(4.0)  # one that hung
    assert place_s(chosen, [1003.0], 1) == 3.0
    wanted = {"window_s": 30, "armings": [0.3] * 100, "forks": 25, "arm_timeout": 300}
    window = foreseen_window(0.0, contacts=[Contact(2.0, 25, measured)] * 100, **wanted)
    assert window is not None
    assert window["start"] == pytest.approx(1.0 + 1.1 * 16 + 1.3 * 0.3)


def test_the_foreseen_start_is_never_further_off_than_arming_may_take() -> None:
    window = foreseen_window(0.0, 30, armings=[5.0], contacts=[Contact(1.0, 1)], forks=5, arm_timeout=3)
    assert window is not None
    assert window["start"] == pytest.approx(1.3 * (1.0 + LEAD_PER_HOST_S) + 3)


def test_a_start_is_not_foreseen_where_arming_is_slow_for_most() -> None:
    wanted = {"window_s": 30, "contacts": [Contact(1.0, 3)] * 3, "forks": 5, "arm_timeout": 300}
    assert foreseen_window(0.0, armings=[4.0, 5.0, 29.0], **wanted) is not None
    assert foreseen_window(0.0, armings=[4.0, 5.1, 5.2], **wanted) is None


def test_a_session_that_knows_its_window_lives_a_minute_longer() -> None:
    assert arming.told_ttl_s(1000.0, 1030.5) == 91
    assert arming.told_ttl_s(1000.0, 900.0) == 60


def test_who_is_alike_does_not_depend_on_which_hosts_are_swept() -> None:
    depths = {"site": 1, "web": 2, "nfs": 2, "debian13": 2, "testing": 2}
    whole = request.peer_sets(list(GROUPS), GROUPS, depths, {})
    assert {host: request.peer_sets([host], GROUPS, depths, {})[host] for host in GROUPS} == whole


def test_a_preflight_that_was_slow_once_delays_no_later_sweep() -> None:
    armed = {"took_s": 4.5, "sessions": {"nettop": {"seconds": 3.0}}}
    assert answer_s({"answer_s": 37.0}, armed) == 37.0  # just now
    assert answer_s({"answer_s": 37.0, "remembered": True}, armed) == 1.5


def test_what_the_sessions_took_is_no_part_of_a_contact() -> None:
    sessions = {"nettop": {"seconds": 4.0}, "slow_open": {"seconds": 6.5}}
    assert contact_s({"took_s": 8.0, "sessions": sessions}) == 1.5
    assert contact_s({"took_s": 6.0, "sessions": sessions}) == 0.0
    assert contact_s({"took_s": 2.0, "sessions": {}}) == 2.0


@pytest.mark.parametrize(
    "armings",
    [[-3600.0], [-3600.0, -1.0], [float("nan")], [float("inf"), 1.0], [float("-inf")], [1e308, 1.0]],
)
def test_a_window_is_foreseen_or_not_whatever_clocks_made_of_the_armings(armings: list[float]) -> None:
    contacts = [Contact(float("nan"), 5, float("inf")) for _ in armings]
    window = foreseen_window(1000.0, 30, armings=armings, contacts=contacts, forks=5, arm_timeout=60)
    assert window is None or 1000.0 < window["start"] <= 1100.0


def test_nothing_known_foresees_no_window() -> None:
    assert in_proportion([]) == []
    assert in_proportion([-5.0, float("nan"), 1.0]) == [0.0, 1.0]
    assert foreseen_window(0.0, 30, armings=[], contacts=[], forks=5, arm_timeout=60) is None


@pytest.mark.parametrize(
    "armed",
    [{}, {"sessions": None}, {"sessions": {"a": 1}, "took_s": "x"}, {"sessions": {"a": {"seconds": None}}}],
)
def test_an_arm_record_that_is_damaged_says_nothing_of_the_way(armed: dict[str, object]) -> None:
    assert answer_s({"answer_s": None}, armed) == 0.0


def test_an_endless_answer_is_given_up_long_before_half_an_hour() -> None:
    shipped = catalog.find(["nettop", "slow_open"], [catalog.shipped()])
    assert 120 < arming.collect_timeout_s(shipped) < 900
