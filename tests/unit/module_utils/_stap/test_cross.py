# SPDX-License-Identifier: GPL-3.0-or-later
"""What SystemTap and make are told for kernels of another machine than the builder's."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap import cross
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import elf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    machine: str = request.param
    monkeypatch.setattr(cross.os, "uname", lambda: SimpleNamespace(machine=machine))
    return machine


@pytest.mark.parametrize("builder", ["x86_64"], indirect=True)
def test_a_cross_compiler_is_named_for_another_machine(builder: str) -> None:
    assert cross.stap_options("aarch64") == ["-a", "arm64", "-B", "CROSS_COMPILE=aarch64-linux-gnu-"]
    assert cross.make_words("aarch64") == ["ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-"]
    assert cross.elf_machine("aarch64") == elf.AARCH64


@pytest.mark.parametrize("builder", ["x86_64", "aarch64"], indirect=True)
def test_nothing_is_named_for_the_builders_own(builder: str) -> None:
    for machine in ("", builder):
        assert (cross.stap_options(machine), cross.make_words(machine)) == ([], [])
        assert cross.elf_machine(machine) == cross.ELF_MACHINES[builder]


@pytest.mark.parametrize("builder", ["riscv64"], indirect=True)
def test_a_machine_whose_calls_are_not_known_gets_no_debuginfo(builder: str) -> None:
    with pytest.raises(KernelInfoError, match="x86_64 and aarch64, not on riscv64"):
        cross.elf_machine("")
