# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that was armed, or why it was not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakesweep import KERNEL, STAP, STAPRUN

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import (
    KernelBuild,
    ModuleBuild,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import PreflightRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import armed
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl_replies import ArmReply

FACTS = PreflightRecord(verdict="ok", kernel=KERNEL, staprun=STAPRUN)
MADE, FAILED = ModuleBuild("built", "a" * 64), ModuleBuild("failed", error="semantic error")
BUILT = KernelBuild(KERNEL, probes={"smoke": MADE, "tick": MADE}, stap=STAP)


def test_what_was_built_can_be_armed() -> None:
    assert armed.unusable(BUILT, FACTS) is None


@pytest.mark.parametrize(
    ("changed", "why", "remedy"),
    [
        ({"error": "the builder is gone", "remedy": "start it"}, "the builder is gone", "start it"),
        ({"kernel": ""}, "no builder could compile for its kernel", "systemtap_builders"),
        ({"probes": {"smoke": FAILED, "tick": MADE}}, "not even a trivial script compiles", "builder"),
        ({"probes": {"smoke": MADE, "tick": FAILED}}, "none of the probes compiled", "SystemTap said"),
        ({"stap": "4.0"}, "staprun", ""),
    ],
)
def test_what_cannot_be_armed_says_why_and_what_to_do(changed: dict[str, Any], why: str, remedy: str) -> None:
    record = armed.unusable(replace(BUILT, **changed), FACTS)
    assert record is not None
    assert record.verdict == "refused"
    assert why in record.reason
    assert remedy in record.remedy


def test_a_key_that_the_host_does_not_know_has_its_own_remedy() -> None:
    reply = ArmReply("refused", "Couldn't insert module: Key was rejected by service")
    assert "enrol the certificate" in armed.record_of(reply, {}).remedy
    assert "SystemTap runtime" in armed.record_of(ArmReply("refused", "Invalid module format"), {}).remedy


def test_a_host_that_is_probed_by_another_sweep_says_so() -> None:
    record = armed.record_of(ArmReply("busy", "sweep X is at work"), {})
    assert (record.verdict, record.reason) == ("refused", "sweep X is at work")


def test_a_host_that_keeps_no_modules_failed() -> None:
    assert armed.record_of(ArmReply("ok", missing=["a" * 64]), {}).verdict == "failed"


def test_a_probe_that_was_not_asked_for_failed_for_its_reason() -> None:
    record = armed.record_of(
        ArmReply("ok", sessions={"tick": ("armed", 1.5, "")}), {"calls": "another build"}
    )
    assert record.sessions["tick"].status == "armed"
    assert (record.sessions["calls"].status, record.sessions["calls"].error) == ("failed", "another build")
