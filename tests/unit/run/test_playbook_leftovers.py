# SPDX-License-Identifier: GPL-3.0-or-later
"""What a killed command has left in the state directory is removed by a later one."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest

from fleetdiag import paths
from fleetdiag.run import playbook


def test_what_is_old_and_held_by_nobody_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    base = paths.state_dir()
    outside = tmp_path / "outside"
    for folder in (base / "sweep-old", base / "sweep-held", base / "sweep-new", base / "runs", outside):
        folder.mkdir(parents=True)
        (folder / "stdout").write_text("what a host said")
    (base / "sweep-link").symlink_to(outside)
    long_ago = time.time() - 10 * 86_400
    for name in ("sweep-old", "sweep-held", "runs"):
        os.utime(base / name, (long_ago, long_ago))
    os.utime(outside, (long_ago, long_ago))
    held = os.open(base / "sweep-held", os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        with playbook.private_dir() as own:
            assert own.is_dir()
            names = {path.name for path in base.iterdir()} - {own.name}
    finally:
        os.close(held)
    assert names == {"sweep-held", "sweep-new", "runs", "sweep-link"}
    assert (outside / "stdout").exists()


def test_a_command_holds_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with playbook.private_dir() as own:
        long_ago = time.time() - 10 * 86_400
        os.utime(own, (long_ago, long_ago))
        with playbook.private_dir():
            assert own.is_dir()
