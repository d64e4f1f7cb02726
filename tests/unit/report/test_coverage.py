# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import SessionResult
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import coverage
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.coverage import (
    HostRecord,
    SessionOutput,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import KernelBuild, headline
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    ArmRecord,
    CollectRecord,
    EventRecord,
    GoRecord,
    PreflightRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.stderr import Losses
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import WindowRecord

START_MS = 1_790_000_000_000
END_MS = START_MS + 30_000
OK = {"verdict": "ok", "kernel": "6.12", "clock": {"offset_s": 0.5, "error_s": 0.01}}
ARMED = {"verdict": "ok", "sessions": {"nettop": {"status": "armed"}}}
COLLECTED = {
    "sessions": {"nettop": {"result": "success", "out_bytes": 10, "collected_bytes": 10}},
    "residue": [],
}


def output(
    losses: Losses | None = None, *, late_ms: int = 0, early_ms: int = 0, **more: Any
) -> SessionOutput:
    """A session on a host whose clock is half a second ahead."""
    result = {
        "armed_ms": START_MS,
        "start_ms": START_MS + 500 + late_ms,
        "end_ms": END_MS + 500 - early_ms,
        "end_reason": "window",
    }
    file = {key: more.pop(key) for key in ("cut", "over_limit", "altered") if key in more}
    return SessionOutput(SessionResult(**{**result, **more}), losses or Losses(), **file)


KINDS = {"preflight": PreflightRecord, "arm": ArmRecord, "go": GoRecord, "collect": CollectRecord}


def record(**more: Any) -> HostRecord:
    """What a run directory holds of one host, whose files say this."""
    data: dict[str, Any] = {
        "host": "web1",
        "sweep_id": "20261123_080000_ab12",
        "probes": ["nettop"],
        "window_s": 30.0,
        "window": {"start": START_MS / 1000, "end": END_MS / 1000},
        "preflight": OK,
        "arm": ARMED,
        "go": {},
        "collect": COLLECTED,
        "outputs": {"nettop": output()},
    }
    data.update(more)
    for name, kind in KINDS.items():
        data[name] = None if data[name] is None else kind.from_json(data[name])
    data["window"] = None if data["window"] is None else WindowRecord.from_json(data["window"])
    data["builds"] = {
        kernel: KernelBuild.from_json(build) for kernel, build in data.get("builds", {}).items()
    }
    data["events"] = [EventRecord.from_json(event) for event in data.get("events", ())]
    return HostRecord(**data)


def test_probed() -> None:
    row = coverage.cover(record())
    assert (row.status, row.reason, row.remedy) == ("probed", "", "")
    assert (row.late_s, row.early_s, row.clock_offset_s, row.clock_error_s) == (0.0, 0.0, 0.5, 0.01)
    session = row.sessions["nettop"]
    assert (session.status, session.sampled_s, session.mark) == ("sampled", 30.0, "")


def test_late_and_early_are_measured_on_the_corrected_clock() -> None:
    row = coverage.cover(record(outputs={"nettop": output(late_ms=3200, early_ms=1500, end_reason="stop")}))
    assert row.status == "degraded"
    assert (row.late_s, row.early_s) == (3.2, 1.5)
    assert row.reason == "nettop: late 3.2 s; left 1.5 s early (stopped)"
    assert row.sessions["nettop"].sampled_s == pytest.approx(25.3)


def test_what_the_clocks_cannot_tell_is_not_late() -> None:
    assert coverage.cover(record(outputs={"nettop": output(late_ms=200)})).status == "probed"
    vague = {**OK, "clock": {"offset_s": 0.5, "error_s": 2.0}}
    assert (
        coverage.cover(record(preflight=vague, outputs={"nettop": output(late_ms=1900)})).status == "probed"
    )


def test_without_an_offset_the_host_was_told_its_window() -> None:
    told = {"start_ms": START_MS + 500, "end_ms": END_MS + 500}
    for missing in ({"window": None}, {"preflight": {**OK, "clock": None}}, {"preflight": None}):
        row = coverage.cover(record(go=told, outputs={"nettop": output(late_ms=2000)}, **missing))
        assert row.late_s == 2.0
    row = coverage.cover(record(go=None, window=None))
    assert (row.status, row.late_s, row.early_s) == ("probed", None, None)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"lost_records": 12}, "12 records lost"),
        ({"rejected_lines": 1}, "1 line rejected"),
        ({"losses": Losses(skipped=34)}, "34 probe hits skipped"),
        ({"losses": Losses(transport_failures=2)}, "2 transport failures"),
        ({"losses": Losses(lost_messages=3, lost_bytes=99)}, "3 messages lost; 99 bytes lost"),
        ({"losses": Losses(dead_probes=1)}, "1 probe point not registered"),
        ({"losses": Losses(errors=1)}, "1 error in the probe"),
        ({"losses": Losses(overload=True)}, "stopped by SystemTap: the probe cost too much"),
        ({"cut": True}, "output ends in the middle"),
        ({"truncated": True}, "output ends in the middle"),
        ({"over_limit": True}, "output truncated at its limit"),
        ({"altered": True}, "output is not what the host sent (checksum)"),
        ({"end_ms": None, "end_reason": ""}, "cut off before the end"),
    ],
)
def test_losses_stand_beside_the_figures(change: dict[str, Any], text: str) -> None:
    row = coverage.cover(record(outputs={"nettop": output(**change)}))
    assert row.status == "degraded"
    assert row.sessions["nettop"].mark == text
    assert row.reason == f"nettop: {text}"


def test_cut_off_by_what_systemd_says() -> None:
    collected = {"sessions": {"nettop": {"result": "oom-kill"}}}
    row = coverage.cover(record(collect=collected, outputs={"nettop": output(end_ms=None, end_reason="")}))
    assert row.reason == "nettop: cut off before the end (oom-kill)"
    assert (row.early_s, row.sessions["nettop"].sampled_s) == (None, None)


def test_truncated_at_collection() -> None:
    collected = {"sessions": {"nettop": {"result": "success", "truncated": True}}}
    row = coverage.cover(record(collect=collected, outputs={"nettop": output(altered=True, cut=True)}))
    assert row.reason == "nettop: output truncated at its limit"


def test_a_module_that_stays_is_named_with_its_remedy() -> None:
    row = coverage.cover(record(collect={**COLLECTED, "residue": ["fd_x_nettop"]}))
    assert row.status == "degraded"
    assert row.reason == "module fd_x_nettop is still loaded"
    assert row.remedy == "on the host: staprun -d fd_x_nettop"


def test_what_its_kernel_complained_of_stands_beside_the_figures() -> None:
    row = coverage.cover(record(collect={**COLLECTED, "kernel": ["its kernel said: BUG: x"]}))
    assert (row.status, row.reason) == ("degraded", "its kernel said: BUG: x")


def test_a_name_that_a_host_sends_is_no_command_in_the_remedy() -> None:
    row = coverage.cover(record(collect={**COLLECTED, "residue": ["x;reboot"]}))
    assert row.remedy == "on the host: staprun -d 'x;reboot'"


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"start_ms": None, "end_ms": None}, "its window never came"),
        ({"start_ms": None, "end_ms": None, "armed_ms": None}, "it never finished arming"),
    ],
)
def test_nothing_sampled(result: dict[str, Any], reason: str) -> None:
    said = Losses(warnings=("ERROR: Couldn't insert module",))
    row = coverage.cover(record(outputs={"nettop": output(said, **result)}))
    assert row.status == "failed"
    assert row.reason == f"nettop: nothing sampled ({reason}: ERROR: Couldn't insert module)"


def test_what_staprun_said_comes_with_what_to_do() -> None:
    said = "Couldn't insert module 'x.ko': Invalid module format"
    arm = {
        "verdict": "ok",
        "sessions": {"nettop": {"status": "armed"}, "slow_open": {"status": "failed", "error": said}},
    }
    row = coverage.cover(record(probes=["nettop", "slow_open"], arm=arm))
    assert row.remedy.startswith("the module is for another build of its kernel")


def test_one_probe_of_two() -> None:
    builds = {
        "6.12": {"probes": {"slow_open": {"status": "failed", "error": "semantic error: x", "line": 12}}}
    }
    row = coverage.cover(record(probes=["nettop", "slow_open"], builds=builds))
    assert row.status == "degraded"
    assert row.sessions["slow_open"].status == "not built"
    assert row.reason == "slow_open: not built (line 12: semantic error: x)"
    arm = {
        "verdict": "ok",
        "sessions": {"nettop": {"status": "armed"}, "slow_open": {"status": "failed", "error": "insmod: no"}},
    }
    row = coverage.cover(record(probes=["nettop", "slow_open"], arm=arm))
    assert row.reason == "slow_open: not armed (insmod: no)"
    arm = {"verdict": "ok", "sessions": {"nettop": {"status": "armed"}, "slow_open": {"status": "armed"}}}
    row = coverage.cover(record(probes=["nettop", "slow_open"], arm=arm))
    assert row.reason == "slow_open: no output came back"


NOTHING: dict[str, Any] = {"collect": None, "outputs": {}}


@pytest.mark.parametrize("phase", ["preflight", "arm"])
def test_refused(phase: str) -> None:
    said = {"verdict": "refused", "reason": "staprun 4.8", "remedy": "install 5.6"}
    row = coverage.cover(record(**NOTHING, go=None, **{phase: said}))
    assert (row.status, row.reason, row.remedy) == ("refused", "staprun 4.8", "install 5.6")
    row = coverage.cover(record(**NOTHING, go=None, **{phase: {"verdict": "busy"}}))
    assert (row.status, row.reason) == ("refused", f"busy at {phase}")
    row = coverage.cover(record(**NOTHING, go=None, **{phase: {"verdict": "failed", "reason": "no space"}}))
    assert (row.status, row.reason) == ("failed", "no space")


def test_unreachable_before_and_after_the_window() -> None:
    event = {"status": "unreachable", "phase": "preflight", "message": "No route to host"}
    row = coverage.cover(record(**NOTHING, preflight=None, arm=None, go=None, events=[event]))
    assert (row.status, row.reason) == ("unreachable", "unreachable at preflight: No route to host")
    assert row.remedy == "see that it is up and no firewall is between; then sweep again"
    row = coverage.cover(record(**NOTHING, events=[{**event, "phase": "collect"}]))
    assert row.remedy.endswith("bring it with: fleetdiag collect")


def test_a_failed_task() -> None:
    row = coverage.cover(
        record(**NOTHING, go=None, events=[{"status": "failed", "phase": "arm", "message": "Missing sudo"}])
    )
    assert (row.status, row.reason) == ("failed", "failed at arm: Missing sudo")


def test_a_builder_that_is_gone_is_not_the_host() -> None:
    event = {"status": "unreachable", "phase": "build", "message": "No route", "delegated_to": "builder"}
    row = coverage.cover(record(**NOTHING, arm=None, go=None, events=[event]))
    assert (row.status, row.remedy) == ("failed", "see to builder, then sweep again")
    assert row.reason == "builder, which works for it, was unreachable at build: No route"


def test_a_canary_that_went_away_says_why_and_who_waited_for_it_says_so() -> None:
    stopped = {"arm": None, "go": None, "left_out": "canary web1: was not armed"}
    event = {"status": "unreachable", "phase": "arm", "message": "No route to host"}
    canary = coverage.cover(record(**NOTHING, **stopped, events=[event]))
    assert (canary.status, canary.reason) == ("unreachable", "unreachable at arm: No route to host")
    other = coverage.cover(record(**NOTHING, **stopped))
    assert (other.status, other.reason) == ("not probed", "canary web1: was not armed")


def test_an_error_that_was_overcome_is_none() -> None:
    row = coverage.cover(record(events=[{"status": "unreachable", "phase": "arm"}]))
    assert row.status == "probed"


def test_no_probe_could_be_built_for_its_kernel() -> None:
    builds = {"6.12": {"probes": {"nettop": {"status": "failed", "error": "no headers"}}}}
    row = coverage.cover(record(**NOTHING, arm=None, go=None, builds=builds))
    assert (row.status, row.reason) == ("failed", "no probe could run: nettop was not built: no headers")


@pytest.mark.parametrize(
    ("done", "reason"),
    [
        ({}, "the sweep was interrupted before preflight"),
        ({"preflight": OK}, "the sweep was interrupted after preflight"),
        ({"preflight": OK, "arm": ARMED}, "the sweep was interrupted after arm"),
        ({"preflight": OK, "arm": ARMED, "go": {}}, "the sweep was interrupted after the window was given"),
    ],
)
def test_interrupted(done: dict[str, Any], reason: str) -> None:
    row = coverage.cover(record(**{"preflight": None, "arm": None, "go": None, **NOTHING, **done}))
    assert (row.status, row.reason) == ("not probed", reason)
    assert row.remedy


def test_check_mode_is_no_interruption() -> None:
    row = coverage.cover(record(**NOTHING, arm=None, go=None, check_mode=True))
    assert (row.status, row.reason, row.remedy) == (
        "not probed",
        "check mode: hosts are asked, and nothing is started",
        "run it without --check",
    )


def test_a_lost_shard() -> None:
    lost = {
        "host": "web1",
        "phase": "shard",
        "status": "lost",
        "message": "its worker was killed by signal 9",
    }
    nothing = {"preflight": None, "arm": None, "go": None, "collect": None, "outputs": {}}
    row = coverage.cover(record(**nothing, events=[lost]))
    assert row.status == "not probed"
    assert row.reason == "its shard of the sweep was lost: its worker was killed by signal 9"
    assert row.remedy == "sweep again"
    refused = {"verdict": "refused", "reason": "no staprun", "remedy": ""}
    row = coverage.cover(record(**{**nothing, "preflight": refused}, events=[lost]))
    assert (row.status, row.reason) == ("refused", "no staprun")
    assert coverage.cover(record(events=[lost])).status == "probed"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        "verdict",
        "reason",
        "kernel",
        "clock",
        "sessions",
        "nettop",
        "residue",
        "kernel",
        "status",
        "error",
        "offset_s",
        "start",
        "end",
        "start_ms",
        "end_ms",
        "probes",
        "line",
        "phase",
        "result",
        "out_bytes",
    ]
)
OBJECT = st.dictionaries(
    FIELDS, JSON | st.dictionaries(FIELDS, JSON | st.dictionaries(FIELDS, JSON, max_size=3), max_size=3)
)


@settings(max_examples=40, deadline=None)
@given(OBJECT, OBJECT, OBJECT, OBJECT, OBJECT, st.lists(OBJECT, max_size=2), st.booleans())
def test_wrong_types_never_raise(
    preflight: Any, arm: Any, go: Any, collect: Any, window: Any, events: Any, came: bool
) -> None:
    row = coverage.cover(
        record(
            preflight=preflight,
            arm=arm,
            go=go,
            collect=collect if came else None,
            window=window,
            events=events,
            builds={"6.12": arm},
            outputs={"nettop": output()} if came else {},
        )
    )
    assert row.status in coverage.STATUSES
    assert row.status == "probed" or row.reason


def test_a_compilers_message_is_one_line_in_the_coverage_table() -> None:
    said = "line 2: WARNING: x\nsemantic error: no match at broken.stp:2:7\n  source: probe no.such.point\n"
    assert headline(said) == "semantic error: no match at broken.stp:2:7"
    assert headline("took longer than 1200 s") == "took longer than 1200 s"
    assert headline("") == ""


@pytest.mark.parametrize(
    ("result", "note", "sampled_s"),
    [
        (
            {"early_ms": 12_000, "end_reason": "stop"},
            "the script ended by itself, 12.0 s before the window did",
            18.0,
        ),
        (
            {"start_ms": None, "end_ms": START_MS + 4000, "end_reason": "stop"},
            "the script ended by itself before the window began; what it had printed until then is shown",
            4.0,
        ),
    ],
)
def test_a_script_that_ends_itself_has_not_failed(
    result: dict[str, Any], note: str, sampled_s: float
) -> None:
    own = replace(output(**result), exits=True)
    row = coverage.cover(record(outputs={"nettop": own}))
    session = row.sessions["nettop"]
    assert (row.status, session.status, session.sampled_s) == ("probed", "sampled", sampled_s)
    assert note in session.notes
    assert coverage.cover(record(outputs={"nettop": replace(own, exits=False)})).status != "probed"


def test_a_script_that_could_end_itself_but_did_not() -> None:
    row = coverage.cover(record(outputs={"nettop": replace(output(), exits=True)}))
    assert (row.status, row.sessions["nettop"].notes) == ("probed", [])
    row = coverage.cover(record(outputs={"nettop": replace(output(end_ms=None, end_reason=""), exits=True)}))
    assert row.status == "degraded"


@pytest.mark.parametrize(
    "value", [float("inf"), float("nan"), 10**400, -(10**400), 2**53, -(2**53), 1e308, True, "1", None]
)
def test_a_number_that_cannot_be_reckoned_with_is_none(value: object) -> None:
    assert untrusted.number({"n": value}, "n") is None


@pytest.mark.parametrize("value", [0, -1, 0.5, 2**53 - 1, 1_790_000_000.25])
def test_a_number_is_kept_as_it_is(value: float) -> None:
    assert untrusted.number({"n": value}, "n") == value
