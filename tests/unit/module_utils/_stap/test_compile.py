# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the builder's own things a compilation is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap import compile as stap_run


class Module:
    """Note what is run, and run nothing."""

    def __init__(self) -> None:
        self.params = {"timeout": 10, "kernel": "6.1.0-test", "memory_mb": 8192, "machine": ""}
        self.environment: dict[str, str] = {}
        self.command: list[str] = []

    def run_command(
        self, command: list[str], environ_update: dict[str, str], **_more: Any
    ) -> tuple[int, str, str]:
        self.command, self.environment = command, environ_update
        return 0, "", ""


@pytest.mark.parametrize(
    ("programs", "debuginfo", "asks"),
    [([], False, False), ([], True, True), ([{"path": "/b"}], False, True)],
)
def test_a_debuginfod_server_is_asked_where_its_debuginfo_is_wanted(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    programs: list[dict[str, str]],
    debuginfo: bool,
    asks: bool,
) -> None:
    (tmp_path / "urls").write_text("https://debuginfod.example.org/\n")
    monkeypatch.setattr(stap_run, "DEBUGINFOD_URLS", str(tmp_path / "urls"))
    module: Any = Module()
    source = {
        "programs": programs,
        "debuginfo": debuginfo,
        "flags": [],
        "control": "",
        "args": [],
        "file": "x.stp",
    }
    assert stap_run.run_once(module, "stap", source, "fd_x", str(tmp_path), str(tmp_path), "", "") == (0, "")
    assert ("DEBUGINFOD_URLS" in module.environment) is asks


def test_a_kernel_of_another_machine_is_compiled_for_with_its_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stap_run.cross, "_is_foreign", lambda machine: machine == "aarch64")
    module: Any = Module()
    module.params["machine"] = "aarch64"
    source = {"programs": [], "debuginfo": False, "flags": [], "control": "", "args": [], "file": "x.stp"}
    stap_run.run_once(module, "stap", source, "fd_x", str(tmp_path), str(tmp_path), "", "")
    said = " ".join(module.command)
    assert " -r 6.1.0-test -a arm64 -B CROSS_COMPILE=aarch64-linux-gnu- -m fd_x " in said
