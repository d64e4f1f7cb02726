# SPDX-License-Identifier: GPL-3.0-or-later
"""The C file has what BTF says of structures, which a compiler then says is so or is not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from kernelinfo_maker import BtfMaker

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import layout
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.btf import read_btf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)


def compiled(folder: Path, flags_at: int) -> str:
    """Return what the compiler says where the headers have `flags` at byte 4."""
    maker = BtfMaker()
    number = maker.integer("int", 4)
    for name in layout.STRUCTURES:
        maker.struct(name, 8, [("x", number, 0), ("flags", number, 8 * flags_at)])
    text = layout.layout_checks(read_btf(maker.bytes()))
    headers = "".join(f"struct {name} {{ int x, flags; }};\n" for name in layout.STRUCTURES)
    text = headers + "".join(line + "\n" for line in text.splitlines() if not line.startswith("#include"))
    (folder / "layout.c").write_text(text)
    done = subprocess.run(["gcc", "-c", "layout.c"], cwd=folder, capture_output=True, text=True, check=False)
    return done.stderr


def test_the_same_layout_compiles(tmp_path: Path) -> None:
    assert compiled(tmp_path, 4) == ""


def test_another_layout_does_not(tmp_path: Path) -> None:
    assert 'static assertion failed: "net_device.flags"' in compiled(tmp_path, 0)


def test_types_that_are_no_kernels_are_refused() -> None:
    maker = BtfMaker()
    maker.integer("int", 4)
    with pytest.raises(KernelInfoError, match="not a kernel's"):
        layout.layout_checks(read_btf(maker.bytes()))
