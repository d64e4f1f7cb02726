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
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    ArmRecord,
    PreflightRecord,
    ProbeRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import WindowRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import arming, request
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.window import (
    FORESEEN_LEAD_S,
    LEAD_MARGIN,
    TOLD_LEAD_S,
    WORTH_S,
    Arming,
    check_start,
    contact_s,
    foreseen_window,
    given_window,
    in_proportion,
    on_host_clock,
    told_window,
)

NOW = datetime(2026, 11, 23, 7, 15, 2, tzinfo=UTC)


def facts(host: str, kernel: str, verdict: str = "ok") -> PreflightRecord:
    return PreflightRecord(host, verdict, kernel=kernel, kernel_build_id="ab", staprun="5.1")


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
        "slow_open": ProbeRecord(
            nonce="00ff", parameters={"threshold_ms": 500, "process": "", "module": "xfs"}
        )
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
    recorded = {"slow_open": ProbeRecord(nonce="00ff", parameters=values)}

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
    first, second = sweep.to_json()["probes"]
    assert first["script"] == "probe begin {}"
    assert "script" not in second


def test_arming_may_take_what_all_probes_need_together_and_a_session_outlives_it() -> None:
    timeout = arming.arm_timeout_s([probe(), probe("nettop")])
    assert timeout == 70
    assert arming.ttl_s(timeout, 30) > 2 * timeout + 30


@pytest.mark.parametrize(
    ("hosts", "forks", "contact", "lead"), [(3, 25, 0.2, 0.2), (200, 25, 0.5, 4.0), (10, 5, 2.0, 4.0)]
)
def test_the_window_starts_when_the_last_host_can_have_heard_of_it(
    hosts: int, forks: int, contact: float, lead: float
) -> None:
    window = told_window(1000.0, 30, contacts=[contact] * hosts, forks=forks, live_until=9e9, foreseen=None)
    assert window is not None
    assert window.start == pytest.approx(1000.0 + TOLD_LEAD_S + lead)
    assert window.end - window.start == 30


def test_a_host_that_answers_slowly_does_not_delay_the_start_for_all() -> None:
    window = told_window(0.0, 30, contacts=[0.2, 0.2, 9.0], forks=5, live_until=9e9, foreseen=None)
    assert window is not None
    assert window.start == pytest.approx(TOLD_LEAD_S + 0.2)


def test_no_window_lies_beyond_what_the_first_sessions_live() -> None:
    """All hosts answer slowly on a machine that is too busy: some may be told late, none has ended by itself."""

    def start(live_until: float) -> float | None:
        contacts = [300.0] * 3
        window = told_window(0.0, 30, contacts=contacts, forks=5, live_until=live_until, foreseen=None)
        return window and window.start

    assert start(1000.0) == pytest.approx(TOLD_LEAD_S + 300)
    assert start(100.0) == pytest.approx(70.0)
    assert start(10.0) == pytest.approx(TOLD_LEAD_S)  # they end anyway, the others may not have


def test_a_window_is_brought_forward_where_telling_it_costs_less_than_waiting() -> None:
    def told(foreseen: float) -> WindowRecord | None:
        before = WindowRecord(foreseen, foreseen + 30)
        return told_window(1000.0, 30, contacts=[0.5] * 10, forks=5, live_until=9e9, foreseen=before)

    soonest = 1000.0 + TOLD_LEAD_S + 2 * 0.5
    assert told(soonest + WORTH_S - 0.1) is None
    assert told(990.0) is None  # it has begun
    assert told(soonest + 20) == WindowRecord(soonest, soonest + 30)


def test_no_armed_host_means_no_window() -> None:
    with pytest.raises(FleetdiagError, match="no host is armed"):
        told_window(1000.0, 30, contacts=[], forks=5, live_until=9e9, foreseen=None)


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
    assert given_window(1000.0, 30, 1010.0) == WindowRecord(1000.0, 1030.0)
    with pytest.raises(FleetdiagError, match=r"ended 5\.0 s ago"):
        given_window(1000.0, 30, 1035.0)


def lead(*armings: Arming | None, forks: int = 25, arm_timeout: int = 300) -> float | None:
    """Return how far ahead of now a start is foreseen."""
    window = foreseen_window(1000.0, 30, armings=armings, forks=forks, arm_timeout=arm_timeout)
    return None if window is None or window.start is None else window.start - 1000.0


def test_the_foreseen_start_waits_for_most_and_not_for_who_is_out_of_proportion() -> None:
    quick = Arming(2.0, 20)
    alone = FORESEEN_LEAD_S + LEAD_MARGIN * 2.0
    assert lead(*[quick] * 20) == pytest.approx(alone)
    assert lead(*[quick] * 19, Arming(100.0, 20)) == pytest.approx(alone)
    assert lead(*[quick] * 18, *[Arming(7.0, 20)] * 2) == pytest.approx(alone)
    assert lead(*[quick] * 17, *[Arming(7.0, 20)] * 3) == pytest.approx(FORESEEN_LEAD_S + LEAD_MARGIN * 7.0)


def test_more_hosts_than_before_wait_longer_for_their_turn() -> None:
    assert lead(*[Arming(3.0, 20)] * 200) == pytest.approx(FORESEEN_LEAD_S + LEAD_MARGIN * 30.0)
    assert lead(*[Arming(30.0, 200)] * 20) == pytest.approx(FORESEEN_LEAD_S + LEAD_MARGIN * 30.0)
    assert lead(*[Arming(60.0, 1)] * 200, forks=25, arm_timeout=50) == FORESEEN_LEAD_S + 8 * 50


def test_few_hosts_are_armed_first_unless_one_of_them_keeps_the_others_waiting() -> None:
    one = Arming(3.0, 4)
    assert lead(one, one, one, one) is None
    assert lead(one, one, one, Arming(8.0, 4)) is None
    assert lead(one, one, one, Arming(30.0, 4)) == pytest.approx(FORESEEN_LEAD_S + LEAD_MARGIN * 3.0)
    assert lead(*[one] * 5) is not None


def test_a_start_is_foreseen_where_most_hosts_are_known() -> None:
    known = [Arming(1.0, 10)] * 6
    assert lead() is None
    assert lead(*known, None, None, None, None) == pytest.approx(FORESEEN_LEAD_S + LEAD_MARGIN)
    assert lead(*known[:5], None, None, None, None, None) is None


def test_a_session_that_knows_its_window_lives_a_minute_longer() -> None:
    assert arming.told_ttl_s(1000.0, 1030.5) == 91
    assert arming.told_ttl_s(1000.0, 900.0) == 60


def test_who_is_alike_does_not_depend_on_which_hosts_are_swept() -> None:
    depths = {"site": 1, "web": 2, "nfs": 2, "debian13": 2, "testing": 2}
    whole = request.peer_sets(list(GROUPS), GROUPS, depths, {})
    assert {host: request.peer_sets([host], GROUPS, depths, {})[host] for host in GROUPS} == whole


def test_what_the_sessions_took_is_no_part_of_a_contact() -> None:
    sessions = {"nettop": {"seconds": 4.0}, "slow_open": {"seconds": 6.5}}
    assert contact_s(ArmRecord.from_json({"took_s": 8.0, "sessions": sessions})) == 1.5
    assert contact_s(ArmRecord.from_json({"took_s": 6.0, "sessions": sessions})) == 0.0
    assert contact_s(ArmRecord.from_json({"took_s": 2.0, "sessions": {}})) == 2.0


def test_what_is_out_of_proportion_is_more_than_three_times_the_median_and_two_seconds() -> None:
    assert in_proportion([]) == []
    assert in_proportion([0.1, 0.1, 2.3, 2.4]) == [0.1, 0.1, 2.3, 2.4]
    assert in_proportion([1.0, 1.0, 5.0, 5.1]) == [1.0, 1.0, 5.0, 5.1]
    assert in_proportion([1.0, 1.0, 1.0, 5.0, 5.1]) == [1.0, 1.0, 1.0, 5.0]


@pytest.mark.parametrize(
    "armed",
    [{}, {"sessions": None}, {"sessions": {"a": 1}, "took_s": "x"}, {"sessions": {"a": {"seconds": None}}}],
)
def test_an_arm_record_that_is_damaged_says_nothing_of_the_way(armed: dict[str, object]) -> None:
    assert contact_s(ArmRecord.from_json(armed)) == 0.0


def test_an_endless_answer_is_given_up_long_before_half_an_hour() -> None:
    shipped = catalog.find(["nettop", "slow_open"], [catalog.shipped()])
    assert 120 < arming.collect_timeout_s(shipped) < 900
