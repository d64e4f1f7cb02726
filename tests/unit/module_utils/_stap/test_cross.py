# SPDX-License-Identifier: GPL-3.0-or-later
"""What SystemTap and make are told for kernels of another machine than the builder's."""

from __future__ import annotations

from pathlib import Path
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


@pytest.mark.parametrize("builder", ["x86_64"], indirect=True)
def test_what_a_builder_lacks_for_another_machine_is_a_sentence(
    builder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    kernel = "6.12.1-arm64"

    def lacking(machine: str = "aarch64") -> str:
        return cross.lacking(kernel, machine, str(tmp_path))

    assert lacking() == ""  # SystemTap itself says that there are no headers
    build = tmp_path / kernel / "build"
    build.mkdir(parents=True)
    (build / ".config").write_text("CONFIG_X86_64=y\n")
    assert lacking() == (
        "the headers of kernel 6.12.1-arm64 on this builder are not those of aarch64, of which only Debian's can be"
        " used here; put a host that is aarch64 into the group systemtap_builders"
    )
    assert (lacking(builder), lacking("")) == ("", "")
    (build / ".config").write_text("CONFIG_ARM64=y\n")
    (build / ".kernelvariables").write_text(
        "CC = $(if $(DEBIAN_KERNEL_USE_CCACHE),$(CCACHE)) $(CROSS_COMPILE)gcc-14\n"
    )
    assert lacking() == (
        "this builder has no aarch64-linux-gnu-gcc-14, which compiles for hosts that are aarch64; let the sweep install"
        " it (sweep_install), or install the package gcc-14-aarch64-linux-gnu"
    )
    compiler = tmp_path / "aarch64-linux-gnu-gcc-14"
    compiler.write_text("")
    compiler.chmod(0o755)
    assert lacking() == ""
