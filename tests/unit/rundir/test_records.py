# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, records, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    ArmRecord,
    CollectedSession,
    CollectRecord,
    EventRecord,
    PreflightRecord,
    ProbeRecord,
    SweepRecord,
)

SESSION = {
    "result": "success",
    "exit_code": "0",
    "cpu_s": 0.125,
    "out_bytes": 100,
    "collected_bytes": 60,
    "sha256": "ab" * 32,
    "redacted_lines": None,
    "truncated": False,
}
EVENT = {
    "t": 1.5,
    "host": "web1 ",
    "delegated_to": None,
    "phase": "arm",
    "task": "Arm | Arm",
    "status": "failed",
    "message": "no room",
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write.create(tmp_path, {"id": "20261123_080000_ab12", "hosts": ["web1"], "probes": []})


def test_collect_json_is_as_it_was_byte_by_byte(run: Path) -> None:
    session = CollectedSession("success", "0", 0.125, 100, 60, "ab" * 32)
    write.host_record(run, "web1", CollectRecord({"nettop": session}, ("fd_x",), ("it said: BUG",)))
    before = {
        "sessions": {"nettop": SESSION},
        "residue": ["fd_x"],
        "kernel": ["it said: BUG"],
        "host": "web1",
    }
    assert (run / "hosts/web1/collect.json").read_text() == json.dumps(before, indent=1) + "\n"


def test_nothing_is_said_of_a_kernel_that_kept_quiet(run: Path) -> None:
    write.host_record(run, "web1", CollectRecord())
    assert json.loads((run / "hosts/web1/collect.json").read_text()) == {
        "sessions": {},
        "residue": [],
        "host": "web1",
    }


def test_what_is_written_is_read(run: Path) -> None:
    record = CollectRecord({"nettop": CollectedSession(result="timeout", truncated=True)}, ("fd_x",))
    write.host_record(run, "web1", record)
    assert read.of_host(run, "web1", CollectRecord) == record
    assert read.of_host(run, "web1", ArmRecord) is None


def test_an_event_is_one_line_as_it_was(run: Path) -> None:
    event = EventRecord(1.5, "web1 ", "", "arm", "Arm | Arm", "failed", "no room")
    write.append_event(run, event)
    assert (run / "events.jsonl").read_text() == json.dumps(EVENT) + "\n"
    assert read.read_events(run) == [event]


@pytest.mark.parametrize("junk", [None, 5, "x", [1], {"nettop": 5}, {"nettop": {}}, {"nettop": [1]}, True])
def test_what_has_the_wrong_type_is_left_out_and_the_rest_is_read(run: Path, junk: object) -> None:
    write.write_host(run, "web1", "arm", {"verdict": "ok", "sessions": junk, "clock": junk, "ended": "x"})
    armed = read.of_host(run, "web1", ArmRecord)
    assert armed is not None
    assert (armed.verdict, armed.sessions, armed.ended) == ("ok", {}, None)


def test_a_host_that_said_only_half_is_read(run: Path) -> None:
    write.write_host(
        run, "web1", "preflight", {"kernel": "6.12", "addresses": ["::1", 5], "clock": {"offset_s": 1}}
    )
    assert read.of_host(run, "web1", PreflightRecord) == PreflightRecord(
        host="web1", kernel="6.12", addresses=("::1",), clock=records.ClockRecord(1, None)
    )


def test_sweep_json_is_as_it_was_key_by_key() -> None:
    probe = ProbeRecord("nettop", {"output": "rows"}, {"depth": 3}, "00ff", "ab")
    script = ProbeRecord("mine", {}, {}, "01ff", "cd", "probe begin {}")
    sweep = SweepRecord(
        id="20261123_080000_ab12",
        created="2026-11-23T08:00:00+00:00",
        fleetdiag="0.1.0",
        window_s=30,
        hosts=("web1",),
        peers={"web1": "web"},
        probes=(probe, script),
        series="ef",
        conditions={"python": "3.13"},
        by="me@here",
        builders=("b1",),
        name="nightly",
        trigger="timer",
        catalogs=("/srv/probes",),
    )
    before = {
        "id": "20261123_080000_ab12",
        "created": "2026-11-23T08:00:00+00:00",
        "fleetdiag": "0.1.0",
        "window_s": 30,
        "hosts": ["web1"],
        "peers": {"web1": "web"},
        "probes": [
            {
                "name": "nettop",
                "manifest": {"output": "rows"},
                "parameters": {"depth": 3},
                "nonce": "00ff",
                "hash": "ab",
            },
            {
                "name": "mine",
                "manifest": {},
                "parameters": {},
                "nonce": "01ff",
                "hash": "cd",
                "script": "probe begin {}",
            },
        ],
        "series": "ef",
        "conditions": {"python": "3.13"},
        "by": "me@here",
        "builders": ["b1"],
        "overload_percent": 0,
        "redact": True,
        "retry_crashed": False,
        "check_mode": False,
        "baseline": 20,
        "name": "nightly",
        "slot": "",
        "trigger": "timer",
        "memory": {},
        "catalogs": ["/srv/probes"],
    }
    assert json.dumps(write.finite(sweep.to_json())) == json.dumps(before)
    assert SweepRecord.from_json(before) == sweep


@pytest.mark.parametrize("junk", [None, 5, "x", [1, None], {"x": 1}, True])
def test_a_sweep_json_of_which_half_is_damaged_is_read(junk: object) -> None:
    keys = [field.name for field in dataclasses.fields(SweepRecord)]
    sweep = SweepRecord.from_json({**dict.fromkeys(keys, junk), "id": "20261123_080000_ab12"})
    assert sweep.id == "20261123_080000_ab12"
    assert all(isinstance(host, str) for host in sweep.hosts)
    assert all(isinstance(probe, ProbeRecord) for probe in sweep.probes)


FACTS = {
    "host": "web1",
    "uid": "0",
    "arch": "x86_64",
    "addresses": ["10.0.2.15"],
    "distribution": "Debian 13",
    "free_mb": 5000,
    "mem_available_mb": 700,
    "load1": 0.25,
    "cpus": 2,
    "lockdown": "none",
    "btf": "yes",
    "sig_enforce": "N",
    "modules_disabled": "0",
    "fips": "0",
    "container": "",
    "systemd": "257",
    "init": "systemd",
    "crashed": {"nettop": "20261123_080000_ab12"},
    "kernel": "6.12.90+deb13-amd64",
    "kernel_build_id": "ab" * 10,
    "staprun": "5.1",
    "boot_id": "01234567-89ab-cdef-0123-456789abcdef",
    "modules_held": ["cd" * 32],
    "verdict": "ok",
    "reason": "",
    "remedy": "",
    "clock": {"offset_s": 0.5, "error_s": 0.01},
    "at": 1790000000.5,
    "signed": False,
}


@pytest.mark.parametrize("more", [{}, {"remembered": True}])
def test_preflight_json_is_as_it_was_key_by_key(more: dict[str, bool]) -> None:
    record = PreflightRecord.from_json({**FACTS, **more})
    assert json.dumps(record.to_json()) == json.dumps({**FACTS, **more})


def test_what_an_older_preflight_says_of_its_answer_is_passed_over() -> None:
    assert PreflightRecord.from_json({**FACTS, "answer_s": 0.125}).to_json() == FACTS


@pytest.mark.parametrize("junk", [None, 5, "x", [1, None], {"x": 1}, True])
def test_of_a_damaged_preflight_what_can_be_is_read(junk: object) -> None:
    record = PreflightRecord.from_json({**dict.fromkeys(FACTS, junk), "kernel": "6.12"})
    assert record.kernel == "6.12"
    assert all(isinstance(word, str) for word in (*record.addresses, *record.said.values()))
