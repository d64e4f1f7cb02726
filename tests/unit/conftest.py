# SPDX-License-Identifier: GPL-3.0-or-later
"""A busy machine is no fault of a test: no example of hypothesis has a deadline. No test uses the user's own key."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import Command, command_line, environment
from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(autouse=True, scope="session")
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The key that signs modules is made once for all tests, outside the user's state directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home directory with an inventory `hosts.yml` in it, whose host never answers."""
    (tmp_path / "hosts.yml").write_text(
        "all: {children: {web: {hosts: {web1: {ansible_host: 127.0.0.1, ansible_port: 1}}}}}\n",
        encoding="utf-8",
    )
    return tmp_path


@pytest.fixture
def fleetdiag(home: Path) -> Command:
    """Run the command there."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command_line(*arguments),
            cwd=home,
            env=environment(home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
