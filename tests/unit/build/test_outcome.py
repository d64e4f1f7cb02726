# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules of a builder's turn that failed: which a host's kernel may help, and why the others failed."""

from __future__ import annotations

from typing import Any

import pytest
from fakesweep import MANIFEST

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import outcome
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.failover import Turn
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import manifest
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import ModuleBuild

NO_SYMBOLS = (
    "semantic error: while resolving probe point: identifier 'kernel' at tick.stp:1:7\n"
    'source: probe kernel.function("vfs_read") {}\n'
    "semantic error: no match\nKernel function symbol table missing [man warning::symbols]\n"
)
FAULT = "parse error: expected statement"
UNTRIED = outcome.KernelInfo(given=False, trouble="", may_be_asked=True)
REFUSED = outcome.KernelInfo(given=False, trouble="web1: it has no BTF", may_be_asked=False)
GIVEN = outcome.KernelInfo(given=True, trouble="", may_be_asked=False)


@pytest.fixture
def probes() -> dict[str, Probe]:
    return {"tick": manifest.of_checked("tick", MANIFEST, None, None)}


def turn(**entries: ModuleBuild) -> Turn:
    return Turn("b1", "5.6", wanted=[*entries], entries=entries)


def failed(error: str) -> ModuleBuild:
    return ModuleBuild("failed", error=error)


def built(**more: Any) -> ModuleBuild:
    return ModuleBuild("built", "a" * 64, **more)


def test_what_a_kernel_may_help_is_left_for_it(probes: dict[str, Probe]) -> None:
    one = turn(tick=failed(NO_SYMBOLS), smoke=built())
    outcome.explain(one, probes, UNTRIED, lacks="")
    assert outcome.leave_for_kernel_info(one) == ["tick"]
    assert (one.wanted, [*one.entries]) == (["smoke"], ["smoke"])


def test_a_fault_of_the_script_is_left_for_nobody(probes: dict[str, Probe]) -> None:
    one = turn(tick=failed(FAULT))
    outcome.explain(one, probes, UNTRIED, lacks="")
    assert outcome.leave_for_kernel_info(one) == []
    assert one.entries["tick"].error == FAULT


def test_why_no_host_could_help_stands_behind_what_is_lacking(probes: dict[str, Probe]) -> None:
    one = turn(tick=failed(NO_SYMBOLS))
    outcome.explain(one, probes, REFUSED, lacks="")
    assert one.wanting == []
    assert one.entries["tick"].error.endswith(". Without it: web1: it has no BTF")
    assert one.entries["tick"].said == NO_SYMBOLS


def test_with_what_the_kernel_tells_the_reason_is_what_it_does_not_have(probes: dict[str, Probe]) -> None:
    one = turn(tick=failed(NO_SYMBOLS))
    outcome.explain(one, probes, GIVEN, lacks="")
    assert "not in what the kernel tells of itself" in one.entries["tick"].error


def test_what_a_builder_lacks_stands_behind_each_reason(probes: dict[str, Probe]) -> None:
    one = turn(tick=failed(FAULT), smoke=built())
    outcome.explain(one, probes, UNTRIED, lacks="no headers")
    assert one.lacks
    assert one.entries["tick"].error == f"{FAULT}\nThe builder lacks something: no headers"
    assert one.entries["smoke"].error == ""


def test_without_its_test_nothing_is_handed_out_that_a_kernel_helped_with() -> None:
    one, before = turn(tick=built(types="btf"), smoke=built()), {"earlier": built(types="btf")}
    outcome.tested(one, before, failed("cc1: out of memory"))
    assert {name for name, module in one.entries.items() if module.failed} == {"tick", "earlier"}
    assert one.entries["tick"].error.endswith("does not compile: cc1: out of memory")
    one = turn(tick=built(types="btf"), smoke=built())
    outcome.tested(one, {}, built(types="btf"))
    assert {module.types for module in one.entries.values()} == {"btf"}
